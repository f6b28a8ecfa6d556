/* What a summary is made of: rows that were collected, and how they are written. */
#ifndef SINK_SUMMARY_H
#define SINK_SUMMARY_H

#include "base/buf.h"
#include "iotrace/event.h"
#include "sink/histogram.h"

#include <sys/queue.h>

/* Sums of data events: of a process, a connection, or all. */
struct sums {
	uint64_t bytes[DIRS]; /* on the wire; with kernel TLS, above it */
	uint64_t plain[DIRS]; /* what libraries encrypted or decrypted */
	uint64_t calls[DIRS]; /* data events, failed ones too */
	uint64_t errors;      /* calls that failed, for data and sockets */
	uint64_t first, last; /* times; first 0: no event */
	uint64_t gap;         /* longest time without data, between two data events */
	uint64_t last_data;
};

struct process_row {
	TAILQ_ENTRY(process_row) next;
	int32_t pid;
	char comm[EVENT_COMM_MAX];
	bool ended;
	uint64_t connections;
	struct sums sums;
};

struct conn_row {
	TAILQ_ENTRY(conn_row) next;
	uint64_t conn;
	uint64_t other; /* the number of the other end, if that is traced, too; 0 */
	int32_t pid;
	char comm[EVENT_COMM_MAX];
	enum event_proto proto;
	bool accepts;
	struct addr local, remote;
	struct sums sums;
	/* From the end of a question to the beginning of its answer; NULL: none yet. */
	struct histogram *answers;
	int asked; /* direction of the last data, of those that are turns; -1: none */
};

struct summary {
	TAILQ_HEAD(, process_row) processes;
	TAILQ_HEAD(, conn_row) conns;
	uint64_t left_out; /* connections beyond the bound */
	struct sums rest;  /* their sums */
	struct sums total;
	uint64_t lost_bytes, lost_calls;
	uint64_t first, last;
};

/* Sockets on which nothing happened are not written. */
bool conn_row_is_worth(const struct conn_row *row);

void summary_add_table(struct buf *buf, const struct summary *summary);
void summary_add_json(struct buf *buf, const struct summary *summary);

#endif
