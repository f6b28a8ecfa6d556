/*
 * Functions that --probe watches and that are called so often that jumps take the place of their
 * breakpoints, and how to tell that these are there.
 */
#ifndef HOOKED_H
#define HOOKED_H

#include "tapped.h"

#include <stddef.h>

#define ROW_WRITE  "'--probe','hooked_write return out c[0] ret'"
#define ROW_READ   "'--probe','hooked_read return in c[0] ret'"
#define ROW_FILLED "'--probe','hooked_filled return in c[0] *c[1]'"
#define ROWS       ROW_WRITE "," ROW_READ "," ROW_FILLED

/* What all of them call in their middle, if it is not NULL. */
extern _Thread_local void (*hooked_inside)(void);

/* Each returns the length; the second's bytes, and the third's length, are there when they return. */
long hooked_write(const void *data, long len);
long hooked_read(void *data, long len, const void *from);
long hooked_filled(void *data, size_t *ret_len, const char *from);

typedef long late_hooked_function(const void *data, long len);
late_hooked_function late_hooked;

/* So much room each function has for itself. */
#define HOOKED_ROOM 256
#define HOOKED      __attribute__((noinline, aligned(HOOKED_ROOM)))

/* A function's code as it was before. */
struct code {
	const uint8_t *at;
	uint8_t before[HOOKED_ROOM];
};

/* Before it is called often. */
void code_note(struct code *code, const void *function);
/* Fails where the process has the agent, and there are still breakpoints at its entry or all its returns. */
void code_check(const struct code *code);

/* The agent is in this process. */
bool is_tapped(void);

/* The event of a call of one of the above; nothing where len is 0. */
void want_plain(const char *dir, const char *call, const void *data, size_t len, const char *more);

/* The three of them, each with that text. */
void call_three(const char *text);
void want_three(const char *text);
static inline void three_wanted(const char *text)
{
	call_three(text);
	want_three(text);
}

/* The process is made to have the agent; then all three functions are made to have jumps. */
void begin_talk(void);
void begin_hooked(void);
extern struct pair hooked_pair;
/* What the second has done, again: the jumps are there. */
void check_hooked(void);

/* -- the code that the program itself has: files that are mapped, or the kernel's vdso */

void own_code_note(void);
bool is_own_code(uintptr_t addr);

#endif
