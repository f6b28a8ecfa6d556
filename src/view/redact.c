#include "view/redact.h"

#include "base/own.h"
#include "secret/command.h"
#include "secret/name.h"
#include "secret/parts.h"

#include <string.h>
#include <unistd.h>

static const struct span mark = { (const uint8_t *)"[redacted]", 10 };

/* Shorter values are found everywhere. */
#define SECRET_MIN  6
#define SECRETS_MAX 256
/* Of those that were seen: errors quote statements. */
#define SEEN_MIN 8
#define SEEN_MAX 32

struct redact {
	struct message_sink sink;
	struct message_sink *next;
	struct span secrets[SECRETS_MAX]; /* in environ */
	size_t count;
	struct buf seen[SEEN_MAX]; /* the last ones of commands and statements */
	size_t seen_count;
};

/* Attributes in which there may be secrets, and how these are known. */
static const struct place {
	enum attr_key key;
	enum secret_form form;
} places[] = {
	{ ATTR_TARGET, SECRET_QUERY }, { ATTR_URL, SECRET_QUERY }, { ATTR_HEADER, SECRET_URL },
	{ ATTR_TRAILER, SECRET_URL },  { ATTR_SQL, SECRET_SQL },   { ATTR_ERROR, SECRET_SQL },
	{ ATTR_NOTICE, SECRET_SQL },
};

static const uint8_t *find(struct span text, struct span wanted)
{
	return text.len ? memmem(text.data, text.len, wanted.data, wanted.len) : NULL;
}

static size_t known_count(const struct redact *redact)
{
	return redact->count + (redact->seen_count < SEEN_MAX ? redact->seen_count : SEEN_MAX);
}

static struct span secret_number(const struct redact *redact, size_t i)
{
	const struct buf *seen = &redact->seen[i < redact->count ? 0 : i - redact->count];

	return i < redact->count ? redact->secrets[i] : span_of(seen->data, seen->len);
}

/* It will be taken out of what comes later, too. */
static void note_seen(struct redact *redact, struct span secret)
{
	struct buf *seen;

	if (secret.len < SEEN_MIN)
		return;
	for (size_t i = 0; i < known_count(redact); i++)
		if (span_equal(secret_number(redact, i), secret))
			return;
	seen = &redact->seen[redact->seen_count++ % SEEN_MAX];
	seen->len = 0;
	buf_add(seen, secret.data, secret.len);
}

/* Adds the text without what is written as a secret in it. False, and nothing added, where nothing is. */
static bool hide(struct redact *redact, enum secret_form form, struct span text, struct buf *out)
{
	struct secret_parts parts = secret_parts_of(form, text);
	struct secret_part part;
	bool any = false;

	while (secret_parts_next(&parts, &part)) {
		const char *quote = part.bare ? "\"" : "";
		struct span before = secret_part_split(&text, &part);

		any = true;
		if (form == SECRET_SQL)
			note_seen(redact, part.text);
		buf_add(out, before.data, before.len);
		buf_addf(out, "%s%s%s", quote, (const char *)mark.data, quote);
	}
	buf_add(out, text.data, any ? text.len : 0);
	return any;
}

/* Of what is known the longest that the text holds first; empty: it holds none. */
static struct span first_known(const struct redact *redact, struct span text)
{
	struct span first = { 0 };

	for (size_t i = 0; i < known_count(redact); i++) {
		struct span secret = secret_number(redact, i);
		const uint8_t *at = find(text, secret);

		if (at && (!first.data || at < first.data ||
			   (at == first.data && secret.len > first.len)))
			first = span_of(at, secret.len);
	}
	return first;
}

/* Adds the text without what is known. False, and nothing added, where it has none. */
static bool replace(const struct redact *redact, struct span text, struct buf *out)
{
	struct span first = first_known(redact, text);
	bool any = first.len != 0;

	while (first.len) {
		buf_add(out, text.data, (size_t)(first.data - text.data));
		buf_add(out, mark.data, mark.len);
		text = span_cut(text, (size_t)(first.data - text.data) + first.len, text.len);
		first = first_known(redact, text);
	}
	buf_add(out, text.data, any ? text.len : 0);
	return any;
}

/* All of it, one after the other. */
static bool clean(struct redact *redact, const enum secret_form *form, struct span text,
		  struct buf *out)
{
	struct buf hidden auto_buf = { 0 }, nameless auto_buf = { 0 };
	bool any = form && hide(redact, *form, text, &hidden);

	if (any)
		text = span_of(hidden.data, hidden.len);
	if (hide(redact, SECRET_LOGIN, text, &nameless)) {
		any = true;
		text = span_of(nameless.data, nameless.len);
	}
	if (replace(redact, text, out))
		return true;
	buf_add(out, text.data, any ? text.len : 0);
	return any;
}

static bool clean_span(struct redact *redact, struct message *message, const enum secret_form *form,
		       struct span *span)
{
	struct buf out auto_buf = { 0 };

	if (!clean(redact, form, *span, &out))
		return false;
	*span = arena_copy(&message->arena, span_of(out.data, out.len));
	message->flags |= MESSAGE_REDACTED;
	return true;
}

static void clean_attr(struct redact *redact, struct message *message, struct attr *attr,
		       bool secret)
{
	const enum secret_form *form = NULL;

	if (attr_rows[attr->key].shape == SHAPE_NUMBER || attr->full == ATTR_NULL)
		return;
	if (secret) {
		/* ">password" of ACL SETUSER. */
		if (attr->key == ATTR_ARG)
			note_seen(redact, span_trim(attr->value, "<>"));
		attr->value = mark;
		attr->full = mark.len;
		message->flags |= MESSAGE_REDACTED;
		return;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i].key == attr->key)
			form = &places[i].form;
	clean_span(redact, message, NULL, &attr->name);
	if (clean_span(redact, message, form, &attr->value))
		attr->full = attr->value.len;
}

/* Those that are secret as a whole: arguments by number, headers by name. */
static void clean_attrs(struct redact *redact, struct message *message, size_t argument)
{
	size_t number = 0;

	for (size_t i = 0; i < message->attr_count; i++) {
		struct attr *attr = &message->attrs[i];
		bool secret =
			attr_rows[attr->key].shape == SHAPE_PAIRS && secret_is_header(attr->name);

		if (attr->key == ATTR_ARG)
			secret = number++ >= argument;
		clean_attr(redact, message, attr, secret);
	}
}

static void clean_body(struct redact *redact, struct message *message)
{
	enum secret_form form = secret_form_of(message);
	struct body *body = &message->body;
	struct buf out = { 0 };

	if (!clean(redact, &form, span_of(body->kept.data, body->kept.len), &out))
		return;
	buf_done(&body->kept);
	body->kept = out;
	message->flags |= MESSAGE_REDACTED;
}

/* Headers among bytes that nobody understood. */
static bool has_header(const struct message *message)
{
	struct span text = span_of(message->body.kept.data, message->body.kept.len);

	return message->kind == MESSAGE_DATA && (span_has_nocase(text, SPAN("authorization:")) ||
						 span_has_nocase(text, SPAN("cookie:")));
}

/* The message is marked in any case: the bytes that it came from are no better. */
static void drop_body(struct message *message)
{
	message->body.cut |= message->body.kept.len > 0;
	message->body.kept.len = 0;
	message->flags |= MESSAGE_REDACTED;
}

static void redact_event(struct message_sink *sink, struct event *event)
{
	message_sink_event(((struct redact *)sink)->next, event);
}

static void redact_message(struct message_sink *sink, struct message *message)
{
	struct redact *redact = (struct redact *)sink;
	size_t argument = secret_argument(message);

	clean_attrs(redact, message, argument);
	if (argument != SIZE_MAX || has_header(message))
		drop_body(message);
	clean_body(redact, message);
	message_sink_message(redact->next, message);
}

static void redact_exchange(struct message_sink *sink, struct exchange *exchange)
{
	message_sink_exchange(((struct redact *)sink)->next, exchange);
}

static void redact_connection(struct message_sink *sink, const struct connection *connection)
{
	message_sink_connection(((struct redact *)sink)->next, connection);
}

static int redact_finish(struct message_sink *sink)
{
	struct redact *redact = (struct redact *)sink;
	struct message_sink *next = redact->next;

	for (size_t i = 0; i < SEEN_MAX; i++)
		buf_done(&redact->seen[i]);
	free(redact);
	return next->finish(next);
}

/* The variable's value if that is a secret; else nothing. */
static struct span secret_of(const char *variable)
{
	struct span value = span_text(variable), name = span_split(&value, '=');

	return value.len >= SECRET_MIN && secret_is_variable(name) ? value : (struct span){ 0 };
}

bool redact_has_secret(struct span bytes)
{
	struct span secret;

	for (char **variable = environ; variable && *variable; variable++) {
		secret = secret_of(*variable);
		if (secret.len && find(bytes, secret))
			return true;
	}
	return false;
}

static void add_secret(struct redact *redact, const char *variable)
{
	struct span secret = secret_of(variable);

	if (secret.len && redact->count < SECRETS_MAX)
		redact->secrets[redact->count++] = secret;
}

struct message_sink *redact_new(struct message_sink *next)
{
	struct redact *redact = own_zalloc(sizeof(*redact));

	redact->sink = (struct message_sink){
		.event = redact_event,
		.message = redact_message,
		.exchange = redact_exchange,
		.connection = redact_connection,
		.finish = redact_finish,
	};
	redact->next = next;
	for (char **variable = environ; variable && *variable; variable++)
		add_secret(redact, *variable);
	return &redact->sink;
}
