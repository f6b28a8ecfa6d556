/*
 * An event while it is read, when its size is not known yet: its texts are collected beside it and
 * their pointers are offsets; draft_make gives it memory of its own.
 */
#ifndef STORE_DRAFT_H
#define STORE_DRAFT_H

#include "base/buf.h"
#include "event/field.h"

struct draft {
	struct event *event;
	struct buf texts;
	struct buf payload, fds;
	uint64_t payload_len; /* of which payload holds what is kept */
};

void draft_init(struct draft *draft);
void draft_done(struct draft *draft);

/* An event of that type with no key. */
void draft_begin(struct draft *draft, enum event_type type);

/*
 * Makes the text clean that was added to `texts` from offset on, and ends it with NUL. What is to be
 * stored in the event for it is draft_pointer(offset).
 */
void draft_end_text(struct draft *draft, size_t offset);
const char *draft_pointer(size_t offset);

/* The event, with one reference; -EBADMSG where its keys do not go together. */
int draft_make(struct draft *draft, struct event **ret_event);

#endif
