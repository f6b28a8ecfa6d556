/*
 * Numbers of system calls, as the kernel's headers have them. One file per ABI, as those headers
 * define the same names.
 */
#ifndef UNIT_NUMBERS_H
#define UNIT_NUMBERS_H

struct number {
	const char *name; /* NULL behind the last */
	unsigned int nr;
};

#define NUMBER(call)               \
	{                          \
#call, __NR_##call \
	}

extern const struct number numbers_x86_64[], numbers_i386[], numbers_x32[];

#endif
