/* What the probe folder's own files share. */
#ifndef PROBE_STATE_H
#define PROBE_STATE_H

#include "base/map.h"
#include "probe/frame.h"
#include "probe/probe.h"
#include "tracer/brk.h"

#define USER_ROWS 64

struct probes {
	struct tracer *tracer;
	const struct probe_ops *ops;
	void *ctx;
	struct row_set rows;
	struct probe_row user[USER_ROWS + 1];
	bool user_found[USER_ROWS]; /* it is in some module */
	size_t user_count;
	const struct probe_row *tables[USER_ROWS + 2];
	size_t table_count;
	struct map modules; /* by file: struct module */
	struct map procs;   /* by pid: struct probed */
	struct map frames;  /* by tid: struct frames */
};

/* A process that has been looked at. */
struct probed {
	struct map mapped;  /* start addresses of mappings that are done */
	struct map running; /* Go: goroutine and direction → struct frame */
	bool blind;         /* has TLS that cannot be probed */
	bool has_go;
	bool go_registers;
};

/* probe.c */
struct probed *probed_of(struct probes *probes, const struct proc *proc);
/* The handler of a site's entry, and of its returns. */
brk_hit *probe_entry_handler(const struct site *site);
brk_hit *probe_ret_handler(const struct site *site);

/* value.c: where rows say that values are. */
uint64_t value_word(const struct task *task, uint64_t addr, size_t size);
/* Go: the goroutine; in R14, or in the thread's storage when arguments are on the stack. */
uint64_t value_goroutine(const struct task *task, const struct regs *regs, bool registers);
/* At the entry. */
uint64_t value_at_entry(const struct task *task, const struct regs *regs, const struct frame *frame,
			struct place place);
/* At the return. */
bool value_succeeded(const struct task *task, const struct regs *regs, const struct site *site);
uint64_t value_length(const struct task *task, const struct regs *regs, const struct frame *frame);
uint64_t value_buffer(const struct task *task, const struct regs *regs, const struct frame *frame);

#endif
