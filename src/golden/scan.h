/*
 * From a value as it was sent to the text of a model: what the rules mask becomes marks, the rest is
 * escaped, so that no byte of it can break a line or look like a placeholder.
 */
#ifndef GOLDEN_SCAN_H
#define GOLDEN_SCAN_H

#include "golden/day.h"
#include "golden/escape.h"
#include "golden/rules.h"
#include "golden/value.h"

struct literal;

struct scan {
	struct rules *rules;
	struct values *values;
	const struct place *place; /* of what is scanned now */
	uint8_t ports[65536 / 8];  /* of this host, that are masked */
	struct literal *literals;  /* secrets and boundaries */
	size_t literal_count;
	bool first[256];      /* bytes that a literal begins with */
	uint32_t starts[256]; /* patterns that may begin with a byte, by number; STARTS_DAY */
	struct days days;     /* that are masked */
	struct buf scratch;
	const uint8_t *until; /* bytes from there on are not added; NULL: all are */
	/* What was masked as a secret in one place is one everywhere. */
	struct arena arena;
	struct map secrets;          /* by hash: struct secret */
	struct map lengths;          /* of secrets, by their first bytes: struct lengths */
	uint8_t prefixes[65536 / 8]; /* two bytes that one begins with */
	bool learned;                /* there is a new one since scan_learned */
};

/* Borrows both. The secrets of that environment (NAME=VALUE, ended by NULL; may be NULL) are looked for. */
void scan_init(struct scan *scan, struct rules *rules, struct values *values,
	       char *const *environment);
void scan_done(struct scan *scan);

/* Goes on with another table; it keeps what it knows. */
void scan_restart(struct scan *scan, struct values *values);

/* Adds the text that stands for the bytes. */
void scan_add(struct scan *scan, struct buf *out, struct span bytes, enum escape escape);

/*
 * Of the first `count` bytes only; what is masked and begins among them is masked as the whole that it is with
 * those behind them.
 */
void scan_add_first(struct scan *scan, struct buf *out, struct span bytes, size_t count,
		    enum escape escape);

/* Adds what stands for a value that is masked as a whole: a mark of that type. */
void scan_mask(struct scan *scan, struct buf *out, const char *type, struct span raw);

/* As a secret: it will be masked wherever else it is, too. */
void scan_secret(struct scan *scan, struct buf *out, struct span raw);

/* It will be masked wherever it is, though it is not added itself. */
void scan_learn(struct scan *scan, struct span bytes);

/* Adds bytes that are no text without the secrets that are known. False, and nothing added, where they hold none. */
bool scan_hide(struct scan *scan, struct span bytes, struct buf *out);

/*
 * True where secrets have come to be known since it was last asked: what was scanned before may hold them.
 */
bool scan_learned(struct scan *scan);

/* By a rule of the user's; noted in it. */
void scan_mask_rule(struct scan *scan, struct buf *out, struct rule *rule, struct span raw);

/* The run was from then to then, in nanoseconds since the epoch: its days are masked. */
void scan_days(struct scan *scan, uint64_t first, uint64_t last);

/* A port of this host that is to be a placeholder. */
void scan_port(struct scan *scan, uint16_t port);
bool scan_is_port(const struct scan *scan, uint16_t port);

/* From here on these bytes become a placeholder, until scan_forget with the number returned. */
size_t scan_literal(struct scan *scan, const char *type, struct span bytes);
void scan_forget(struct scan *scan, size_t number);

#endif
