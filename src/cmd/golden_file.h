/* Goldens, captures and rules from their files, for check, diff, rules and learn. */
#ifndef CMD_GOLDEN_FILE_H
#define CMD_GOLDEN_FILE_H

#include "golden/gather.h"
#include "golden/golden.h"
#include "golden/rules.h"

/* Exit statuses of check and diff; where several hold: 2, 3, 5, 125, 6, 4, 1. */
enum check_status {
	CHECK_SAME = 0,
	CHECK_DIFFERS = 1,
	CHECK_USAGE = 2,
	CHECK_MISSING = 3,
	CHECK_INCOMPLETE = 4,
	CHECK_REFUSED = 5,
	CHECK_ENDED = 6,
	CHECK_FAILED = 125,
};

/* The one of both that goes before. */
int check_worse(int status, int other);

/* Read whole, at most max bytes. 0 or -errno; -EFBIG. */
int golden_file_read(const char *name, size_t max, struct buf *ret_text);

/* Replaces the file's content as a whole. 0, or -errno after a message. */
int golden_file_write(const char *name, const struct buf *text);

/*
 * The rules of that file, or (name NULL) of `.iotrace-rules` beside `beside`, where there is one. 0, or
 * CHECK_USAGE after a message.
 */
int golden_file_rules(const char *name, const char *beside, struct rules *ret_rules);

/* Rules that were not used, on standard error. */
void golden_file_unused(const struct rules *rules);

/*
 * A capture's events into the gather. 0, or an exit status after a message. Damage of the file makes the
 * gather doubt.
 */
int golden_file_capture(const char *name, struct gather *gather);

/* A golden that is read: its text and what it says. */
struct golden_file {
	struct buf text;
	struct model *model;
};

/* 0; CHECK_MISSING without a message; CHECK_USAGE or CHECK_FAILED after one. */
int golden_file_load(const char *name, struct golden_file *ret_file);
/* The same of text that is in memory; it cannot fail but for a mistake of ours. */
void golden_file_parse(struct golden_file *file);
void golden_file_done(struct golden_file *file);

/* The level of that name; -1 after a message. */
int golden_file_level(const char *name);

#endif
