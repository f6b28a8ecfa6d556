#include "view/redact.h"

#include "base/own.h"

#include <string.h>
#include <unistd.h>

static const struct span mark = { (const uint8_t *)"[redacted]", 10 };

/* Shorter values are found everywhere. */
#define SECRET_MIN  6
#define SECRETS_MAX 256

struct redact {
	struct message_sink sink;
	struct message_sink *next;
	struct span secrets[SECRETS_MAX]; /* in environ */
	size_t count;
};

static bool contains_nocase(struct span text, const char *word)
{
	struct span wanted = span_text(word);

	for (size_t at = 0; at + wanted.len <= text.len; at++)
		if (span_equal_nocase(span_cut(text, at, wanted.len), wanted))
			return true;
	return false;
}

/* Names of variables, headers and parameters. */
static bool is_named_secret(struct span name)
{
	static const char *const words[] = { "token",      "secret",      "passw",
					     "passphrase", "apikey",      "api_key",
					     "api-key",    "private_key", "private-key",
					     "access_key", "access-key",  "credential" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (contains_nocase(name, words[i]))
			return true;
	return false;
}

static bool is_secret_header(struct span name)
{
	static const char *const names[] = { "authorization", "proxy-authorization", "cookie",
					     "set-cookie", "x-auth-key" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_equal_nocase(name, span_text(names[i])))
			return true;
	return is_named_secret(name);
}

/* True where the command's arguments are credentials. */
static bool is_secret_command(struct span command)
{
	static const char *const names[] = {
		"AUTH",        "HELLO", "PasswordMessage", "Password", "SASLInitialResponse",
		"SASLResponse"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_equal_nocase(command, span_text(names[i])))
			return true;
	return false;
}

static const uint8_t *find(struct span text, struct span wanted)
{
	return text.len ? memmem(text.data, text.len, wanted.data, wanted.len) : NULL;
}

/* Adds the text without the secrets. False, and nothing added, where it has none. */
static bool replace(const struct redact *redact, struct span text, struct buf *out)
{
	bool any = false;

	for (size_t i = 0; i < redact->count; i++)
		any |= find(text, redact->secrets[i]) != NULL;
	while (any && text.len) {
		const uint8_t *first = NULL, *found;
		size_t len = 0;

		for (size_t i = 0; i < redact->count; i++) {
			found = find(text, redact->secrets[i]);
			if (found && (!first || found < first ||
				      (found == first && redact->secrets[i].len > len))) {
				first = found;
				len = redact->secrets[i].len;
			}
		}
		if (!first)
			break;
		buf_add(out, text.data, (size_t)(first - text.data));
		buf_add(out, mark.data, mark.len);
		text = span_cut(text, (size_t)(first - text.data) + len, text.len);
	}
	buf_add(out, text.data, any ? text.len : 0);
	return any;
}

static bool clean_span(const struct redact *redact, struct message *message, struct span *span)
{
	struct buf out auto_buf = { 0 };

	if (!replace(redact, *span, &out))
		return false;
	*span = arena_copy(&message->arena, span_of(out.data, out.len));
	message->flags |= MESSAGE_REDACTED;
	return true;
}

static void clean_attr(const struct redact *redact, struct message *message, struct attr *attr,
		       bool secret_command)
{
	bool pair = attr_rows[attr->key].shape == SHAPE_PAIRS;

	if (attr_rows[attr->key].shape == SHAPE_NUMBER || attr->full == ATTR_NULL)
		return;
	if ((pair && is_secret_header(attr->name)) || (secret_command && attr->key == ATTR_ARG)) {
		attr->value = mark;
		attr->full = mark.len;
		message->flags |= MESSAGE_REDACTED;
		return;
	}
	clean_span(redact, message, &attr->name);
	if (clean_span(redact, message, &attr->value))
		attr->full = attr->value.len;
}

static void clean_body(const struct redact *redact, struct message *message)
{
	struct body *body = &message->body;
	struct buf out = { 0 };

	if (!replace(redact, span_of(body->kept.data, body->kept.len), &out))
		return;
	buf_done(&body->kept);
	body->kept = out;
	message->flags |= MESSAGE_REDACTED;
}

/* Headers among bytes that nobody understood. */
static bool has_header(const struct message *message)
{
	struct span text = span_of(message->body.kept.data, message->body.kept.len);

	return message->kind == MESSAGE_DATA &&
	       (contains_nocase(text, "authorization:") || contains_nocase(text, "cookie:"));
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
	bool secret = is_secret_command(message_value(message, ATTR_COMMAND));

	for (size_t i = 0; i < message->attr_count; i++)
		clean_attr(redact, message, &message->attrs[i], secret);
	if (secret || has_header(message))
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
	struct message_sink *next = ((struct redact *)sink)->next;

	free(sink);
	return next->finish(next);
}

/* The variable's value if that is a secret; else nothing. */
static struct span secret_of(const char *variable)
{
	struct span value = span_text(variable), name = span_split(&value, '=');

	return value.len >= SECRET_MIN && is_named_secret(name) ? value : (struct span){ 0 };
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
