/*
 * What there is to probe in one file: found once, for whichever processes map it. Addresses are the
 * file's own.
 */
#ifndef PROBE_MODULE_H
#define PROBE_MODULE_H

#include "code/elf.h"
#include "probe/row.h"

#include <stddef.h>
#include <stdint.h>

/* Returns of one function that get a breakpoint each; more, and its return address gets one. */
#define SITE_RETS 24

/* One function of a module. Its address in memory is the argument of its breakpoints. */
struct site {
	const struct probe_row *row;
	char *name; /* the function's own; with a wildcard it is not the row's */
	uint64_t addr, size;
	bool go_registers; /* ABI_GO: arguments are in registers */
	uint64_t rets[SITE_RETS];
	size_t ret_count; /* 0: the return address gets the breakpoint */
};

struct module {
	struct site *sites;
	size_t count;
	const char *unprobed; /* a TLS library of which nothing can be probed: why; NULL: none */
	char *path;
};

/* Rows that are looked for: the const tables (unless no_tls) and more of the user's. */
struct row_set {
	bool no_tls;
	const struct probe_row *const *tables; /* the user's; ended by NULL; may be NULL */
};

/* Never NULL; a file that is no program has no sites. */
struct module *module_read(const char *path, const char *shown, const struct row_set *rows);
void module_free(struct module *module);

#endif
