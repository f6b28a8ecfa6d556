/*
 * The secrets in a text, one after another, by what is written before each: `password=`, "token":,
 * IDENTIFIED BY. The text may be anything, and may end anywhere; it takes time in proportion to its length.
 */
#ifndef SECRET_PARTS_H
#define SECRET_PARTS_H

#include "event/message.h"

enum secret_form {
	SECRET_QUERY,     /* "a=1&token=…", also of a form; in its values URLs */
	SECRET_URL,       /* text with URLs in it: "?token=…", "#access_token=…" */
	SECRET_JSON,      /* JSON values among any text; all that is below a secret name */
	SECRET_MULTIPART, /* parts that have the name of a secret */
	SECRET_LOGIN,     /* "user:password" of URLs, anywhere in a text */
	SECRET_DATA,      /* the same in what nobody decoded, and commands that carry passwords */
	SECRET_SQL,       /* statements, and errors that quote them */
};

/* Of the message's body: data where nobody decoded it, else by its content type a form's, that of parts or JSON. */
enum secret_form secret_form_of(const struct message *message);

struct secret_parts {
	enum secret_form form;
	struct span rest;
	bool begun;
	/* JSON: brackets that are open; how many were when a secret one was opened, 0: none is. */
	size_t depth, inside;
	bool named;   /* the value that comes next is secret */
	bool in_line; /* a line has begun */
};

/* One of them. `bare`: a number of JSON, without quotes around it. */
struct secret_part {
	struct span text;
	bool bare;
};

static inline struct secret_parts secret_parts_of(enum secret_form form, struct span text)
{
	return (struct secret_parts){ .form = form, .rest = text };
}

/* What stands before the part in the text, which goes on behind it then. */
static inline struct span secret_part_split(struct span *text, const struct secret_part *part)
{
	size_t at = (size_t)(part->text.data - text->data);
	struct span before = span_cut(*text, 0, at);

	*text = span_cut(*text, at + part->text.len, text->len);
	return before;
}

/* The next one, not empty, and goes on behind it. False where there is none any more. */
bool secret_parts_next(struct secret_parts *parts, struct secret_part *ret_part);

#endif
