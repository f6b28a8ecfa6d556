/*
 * What a golden says, and what a run is made into to be compared with one: sections (one for each peer
 * and program), in them units (exchanges), in them lines of text. Texts may hold marks of
 * placeholders (value.h) and are free of control characters otherwise.
 *
 * Life: a model is made empty, filled by golden_parse or gather_model, and freed as a whole.
 */
#ifndef GOLDEN_MODEL_H
#define GOLDEN_MODEL_H

#include "golden/value.h"

#include <stdbool.h>

#define GOLDEN_VERSION 1

enum golden_level { LEVEL_PEERS, LEVEL_REQUESTS, LEVEL_FULL, GOLDEN_LEVELS };
extern const char *const golden_level_names[GOLDEN_LEVELS];

/* What a line was made from, for those who propose rules. */
enum line_kind {
	LINE_OTHER,
	LINE_STATUS,
	LINE_HEADER, /* where: its name */
	LINE_JSON,   /* where: its pointer */
	LINE_FORM,   /* where: the parameter's name */
	LINE_TEXT,
	LINE_BINARY,
};

struct place;

struct line {
	const char *text;
	enum line_kind kind;
	const char *where; /* NULL: nowhere */
	const char *raw;   /* the scalar that it was made from; NULL: not kept */
	uint32_t number;   /* in the file, from 1; 0: none */
	bool moves;        /* it differs between runs (learn.c) */
};

#define TIMES_ANY UINT32_MAX

struct unit {
	const char *title; /* "GET /items" */
	uint32_t conn;     /* its connection in the section, from 1; 0: order does not matter */
	uint32_t times;    /* it happened so often; TIMES_ANY */
	uint32_t number;   /* line of its title in the file */
	uint64_t blank, colored;
	const struct place *place; /* as it was sent, for those who propose rules; NULL: not kept */
	uint64_t moving; /* steps of its path that differ between runs, by bit (learn.c) */
	struct line *lines;
	size_t count, room;
};

struct section {
	const char *head; /* "peer localhost:80 http by curl" */
	bool any;         /* the units are in no order */
	bool strict;      /* by a rule: they are in order, whatever the connections did */
	uint32_t number;
	struct unit **units;
	size_t count, room;
	uint32_t conns;
};

/* How the program ended. */
enum ended { ENDED_UNKNOWN, ENDED_EXIT, ENDED_SIGNAL };

struct model {
	struct arena arena;
	struct values values;
	unsigned int version, builtin;
	enum golden_level level;
	enum ended ended;
	int status; /* exit status or signal */
	struct section **sections;
	size_t count, room;
	/* Of a golden: its lines without their ends. */
	struct span *lines;
	size_t line_count;
};

struct model *model_new(enum golden_level level);
void model_free(struct model *model);

/* A copy that lives as long as the model. */
const char *model_text(struct model *model, struct span text);

/* The section with that head, made where it is new. */
struct section *model_section(struct model *model, const char *head);
struct section *model_add_section(struct model *model, const char *head);

/* The unit belongs to the model; model_add_unit puts it into a section. */
struct unit *model_unit(struct model *model, const char *title);
void model_add_unit(struct section *section, struct unit *unit);

/* Adds a line; texts are copied. */
struct line *model_add_line(struct model *model, struct unit *unit, enum line_kind kind,
			    const char *where, struct span text);

/* "exit 0", "signal 15", "unknown". */
void model_add_ended(struct buf *out, const struct model *model);

#endif
