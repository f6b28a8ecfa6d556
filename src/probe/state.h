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

/* A function that is planted in a process. */
struct planted {
	uint64_t bias;
	unsigned int calls; /* that were stopped at */
	bool told;          /* that it is busy */
};

/* A process that has been looked at. */
struct probed {
	struct map mapped;  /* start addresses of mappings that are done */
	struct map running; /* Go: goroutine and direction → struct frame */
	struct map planted; /* sites: struct planted */
	bool blind;         /* has TLS that cannot be probed */
	char *why_blind;    /* until it is told */
	bool has_go;
	bool go_registers;
};

/* probe.c */
struct probed *probed_of(struct probes *probes, const struct proc *proc);
/* The handler of a site's entry, and of its returns. */
brk_hit *probe_entry_handler(const struct site *site);
brk_hit *probe_ret_handler(const struct site *site);

/* busy.c: it is planted, or its calls are seen inside; it was called, and stopped at. */
void busy_planted(struct probed *probed, const struct site *site, uint64_t bias, bool inside);
void busy_called(struct probes *probes, struct probed *probed, struct task *task,
		 const struct site *site);
void busy_done(struct probed *probed);
struct frames *frames_of(struct probes *probes, const struct task *task);
bool frames_is_within(struct frames *frames, const struct frame *frame);
/* A goroutine can be in one function of each row at most, and is never at an odd address. */
static inline uint64_t go_key(uint64_t g, enum row_dir dir)
{
	return g | (dir == ROW_IN);
}
/* No call hands over more; what claims to is not to be believed. */
#define LENGTH_MAX (1ULL << 31)

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
