/* An exchange, or a message that belongs to none, as a unit of a model. */
#ifndef GOLDEN_RENDER_H
#define GOLDEN_RENDER_H

#include "event/message.h"
#include "golden/body.h"

/* What one unit is made of; all borrowed. */
struct item {
	uint64_t exchange; /* its number; 0: none */
	uint64_t first;    /* time of its first byte, by which items are in order */
	uint64_t last;
	uint64_t order; /* between items of the same time */
	struct message *request, *response;
	struct message **parts; /* messages besides those, as they came */
	size_t part_count;
	const char *why; /* there is no response: why */
	bool ended;      /* it was told to be complete */
};

struct render {
	struct model *model;
	struct scan *scan;
	struct span peer;      /* "localhost:80", for places */
	enum event_dir client; /* direction in which the client speaks */
	bool explain;
};

/* NULL where a rule says that it is to be left out. */
struct unit *render_item(struct render *render, const struct item *item);

#endif
