/*
 * The keys of the public form (docs/events.md) as tables, in the documented order: what writes and
 * reads events in a file format walks these rows. A new key is a member of struct event and a row.
 */
#ifndef EVENT_FIELD_H
#define EVENT_FIELD_H

#include "iotrace/event.h"

enum field_kind {
	FIELD_I32,
	FIELD_U32,
	FIELD_U64,
	FIELD_NAME,    /* an enum, by its name */
	FIELD_COMM,    /* char[EVENT_COMM_MAX] */
	FIELD_TEXT,    /* const char *, UTF-8; NULL: absent */
	FIELD_STRINGS, /* struct event_strings; data NULL: absent */
	FIELD_ADDR,    /* struct addr; absent where addr_is_empty */
	FIELD_ERROR,   /* int: an errno, by its name */
	FIELD_FLAGS,   /* uint32_t: names of its bits */
	FIELD_FDS,     /* data.fds and data.fd_count */
	FIELD_GROUP,   /* members of their own */
	FIELD_PAYLOAD, /* data.payload and data.captured, as bytes, or … */
	FIELD_PAYLOAD_TEXT,
	FIELD_PAYLOAD_BASE64,
	FIELD_END, /* ends a table */
};

enum field_rule {
	RULE_VALUE,    /* left out where it has the value `absent` (texts: where there is none) */
	RULE_ALWAYS,   /* always there; names also in what is read, so no later key may be one */
	RULE_PROCESS,  /* where the event is a process's */
	RULE_MOVED,    /* data: where the call has not failed */
	RULE_CAPTURED, /* data: where less was kept than was moved */
	RULE_CRED,     /* where has_cred says so */
};

struct field {
	enum field_kind kind;
	enum field_rule rule;
	const char *key;
	size_t key_len;
	size_t offset; /* in struct event */
	int absent;
	bool needed; /* FIELD_TEXT: where a file has none, its reader puts an empty one */
	bool varies; /* FIELD_U64: differs between calls that are alike in all else */
	const char *const *names; /* FIELD_NAME, FIELD_FLAGS */
	size_t name_count;
	const struct field *members; /* FIELD_GROUP */
	size_t present;              /* RULE_CRED: offset of has_cred */
};

/* Behind `type`, the keys of every event; then those of its type. */
extern const struct field field_head[];
extern const struct field *const field_bodies[EVENT_TYPES];

/* The row of that key in a table; NULL: there is none. */
const struct field *field_find(const struct field *fields, const char *key, size_t len);

/* True where this event has the key. Of the payload's rows exactly FIELD_PAYLOAD is present. */
bool field_is_present(const struct field *field, const struct event *event);

static inline const void *field_at(const struct field *field, const struct event *event)
{
	return (const char *)event + field->offset;
}

/* An errno by its name, or by its number where it has none. Returns text or a constant. */
const char *field_error_name(int error, char text[16]);
/* The way back; 0 where the name says nothing. */
int field_error_number(const char *name, size_t len);

#endif
