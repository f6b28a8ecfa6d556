#include "secret/parts.h"

#include "secret/line.h"
#include "secret/name.h"
#include "secret/sql.h"

#include <string.h>

/* A longer name is none. */
#define NAME_MAX_LEN 256U

enum secret_form secret_form_of(const struct message *message)
{
	struct span content_type = message_header(message, "content-type");

	if (message->kind == MESSAGE_DATA)
		return SECRET_DATA;
	if (span_starts_nocase(content_type, SPAN("application/x-www-form-urlencoded")))
		return SECRET_QUERY;
	return span_starts_nocase(content_type, SPAN("multipart/")) ? SECRET_MULTIPART
								    : SECRET_JSON;
}

static bool is_of(const char *set, uint8_t c)
{
	return c && strchr(set, c);
}

/* Goes on behind the part, which begins at `at`. */
static bool found(struct secret_parts *parts, size_t at, size_t len, struct secret_part *ret_part)
{
	*ret_part = (struct secret_part){ span_cut(parts->rest, at, len), false };
	parts->rest = span_cut(parts->rest, at + len, parts->rest.len);
	return len != 0;
}

/*** Parameters ***/

/* One of the characters, as it is or as %xx; how many bytes it has, 0: it is none. */
static size_t sign_at(struct span text, size_t at, const char *set)
{
	struct span hex = span_cut(text, at + 1, 2);
	uint64_t code;

	if (at >= text.len)
		return 0;
	if (is_of(set, text.data[at]))
		return 1;
	return text.data[at] == '%' && hex.len == 2 && span_number(hex, 16, &code) &&
			       is_of(set, (uint8_t)code)
		       ? 3
		       : 0;
}

/* Of a name at the beginning of the text, with its '='. 0: it is none, or not that of a secret. */
static size_t secret_name_len(struct span text)
{
	size_t len = 0, sign;

	while (len < text.len && len < NAME_MAX_LEN && !is_of("&=?#/", text.data[len]) &&
	       text.data[len] > ' ' && !sign_at(text, len, "="))
		len++;
	sign = sign_at(text, len, "=");
	return sign && secret_is_name(span_cut(text, 0, len), true) ? len + sign : 0;
}

/* Where a parameter begins with a sign that is written %xx, so does the next one. */
static size_t value_len(struct span text, const char *ends, bool encoded)
{
	size_t len = 0;

	while (len < text.len && !is_of(ends, text.data[len]) &&
	       !(encoded && sign_at(text, len, "&#")))
		len++;
	return len;
}

static bool next_parameter(struct secret_parts *parts, struct secret_part *ret_part)
{
	const char *ends = parts->form == SECRET_QUERY ? "&" : "&#\"<> \t\r\n";
	struct span text = parts->rest;

	for (size_t at = 0; at < text.len; at++) {
		bool first = !at && !parts->begun && parts->form == SECRET_QUERY;
		size_t sign = sign_at(text, at, "?&#"), name, len;

		if (!first && !sign)
			continue;
		name = secret_name_len(span_cut(text, at + sign, text.len));
		len = name ? value_len(span_cut(text, at + sign + name, text.len), ends, sign == 3)
			   : 0;
		parts->begun = true;
		if (len)
			return found(parts, at + sign + name, len, ret_part);
	}
	return false;
}

/* Of a user's name and password. */
#define LOGIN_MAX 512U

/* "user:password" in front of "@", 0: there is none. */
static size_t login_len(struct span text)
{
	size_t len = 0;
	bool colon = false;

	while (len < text.len && len < LOGIN_MAX && text.data[len] > ' ' &&
	       !is_of("/?#\"'<>\\@", text.data[len]))
		colon |= text.data[len++] == ':';
	return colon && len < text.len && text.data[len] == '@' ? len : 0;
}

static bool next_login(struct secret_parts *parts, struct secret_part *ret_part)
{
	struct span text = parts->rest;
	const uint8_t *sign;

	while (text.len && (sign = memmem(text.data, text.len, "://", 3))) {
		size_t len;

		text = span_cut(text, (size_t)(sign - text.data) + 3, text.len);
		len = login_len(text);
		if (len)
			return found(parts, (size_t)(text.data - parts->rest.data), len, ret_part);
	}
	return false;
}

/*** JSON ***/

/* Up to the closing quote, or to the end of a text that was cut; *ret_closed: there is one. */
static size_t string_len(struct span inside, bool *ret_closed)
{
	size_t len = 0;

	while (len < inside.len && inside.data[len] != '"' && inside.data[len] != '\n')
		len += inside.data[len] == '\\' ? 2 : 1;
	len = len < inside.len ? len : inside.len;
	*ret_closed = len < inside.len && inside.data[len] == '"';
	return len;
}

static void skip(struct secret_parts *parts, size_t len)
{
	parts->rest = span_cut(parts->rest, len, parts->rest.len);
}

/* What stands behind white space, which is skipped. */
static uint8_t peek(struct secret_parts *parts)
{
	while (parts->rest.len && is_of(" \t\r\n", parts->rest.data[0]))
		skip(parts, 1);
	return parts->rest.len ? parts->rest.data[0] : 0;
}

/* A string, behind its first quote. True where it is secret. */
static bool next_string(struct secret_parts *parts, struct secret_part *ret_part)
{
	bool secret = parts->named || parts->inside, closed;
	size_t len = string_len(parts->rest, &closed);
	struct span inside = span_cut(parts->rest, 0, len);
	uint8_t behind;

	if (!closed && len < parts->rest.len) {
		/* No string has an end of line. */
		skip(parts, len);
		return false;
	}
	skip(parts, len + closed);
	parts->named = false;
	behind = peek(parts);
	if (closed && behind == ':') {
		skip(parts, 1);
		parts->named = secret_is_name(inside, false) || secret_is_setting(inside);
		return false;
	}
	if (secret && len) {
		*ret_part = (struct secret_part){ inside, false };
		return true;
	}
	if (behind == ',' && secret_is_setting(inside)) {
		skip(parts, 1);
		parts->named = true;
	}
	return false;
}

static bool next_number(struct secret_parts *parts, struct secret_part *ret_part)
{
	size_t len = 0;

	while (len < parts->rest.len && is_of("+-.0123456789eE", parts->rest.data[len]))
		len++;
	parts->named = false;
	found(parts, 0, len, ret_part);
	ret_part->bare = true;
	return true;
}

static void note_sign(struct secret_parts *parts, uint8_t c)
{
	if (c == '{' || c == '[') {
		parts->depth++;
		if (parts->named && !parts->inside)
			parts->inside = parts->depth;
	} else if (c == '}' || c == ']') {
		if (parts->inside == parts->depth)
			parts->inside = 0;
		parts->depth -= parts->depth > 0;
	}
	parts->named &= is_of(" \t\r\n", c);
}

/* The password of a command, where a line begins with one. */
static bool next_command(struct secret_parts *parts, struct secret_part *ret_part)
{
	struct span rest = parts->rest, secret = secret_line(span_split(&rest, '\n'));

	return secret.len &&
	       found(parts, (size_t)(secret.data - parts->rest.data), secret.len, ret_part);
}

static bool next_member(struct secret_parts *parts, struct secret_part *ret_part)
{
	while (parts->rest.len) {
		uint8_t c = parts->rest.data[0];
		bool begins = !parts->in_line;

		parts->in_line = c != '\n';
		if (parts->form == SECRET_DATA && begins && next_command(parts, ret_part))
			return true;
		if ((parts->named || parts->inside) && is_of("-0123456789", c))
			return next_number(parts, ret_part);
		skip(parts, 1);
		if (c != '"')
			note_sign(parts, c);
		else if (next_string(parts, ret_part))
			return true;
	}
	return false;
}

/*** Multipart ***/

/* Of "Content-Disposition: form-data; name=…". */
static bool names_secret(struct span line)
{
	const uint8_t *name = memmem(line.data, line.len, "name=", 5);
	struct span rest, value;

	/* Not "filename=". */
	while (name && name > line.data && !is_of(" ;\t", name[-1])) {
		rest = span_of(name + 5, (size_t)(line.data + line.len - name - 5));
		name = rest.len ? memmem(rest.data, rest.len, "name=", 5) : NULL;
	}
	if (!name)
		return false;
	rest = span_of(name + 5, (size_t)(line.data + line.len - name - 5));
	rest = span_trim(rest, " \t\r");
	if (span_starts(rest, SPAN("\"")))
		span_split(&rest, '"');
	value = span_split(&rest, '"');
	return secret_is_name(span_split(&value, ';'), true);
}

static bool next_field(struct secret_parts *parts, struct secret_part *ret_part)
{
	while (parts->rest.len) {
		struct span line = span_split(&parts->rest, '\n'), rest = parts->rest;
		const uint8_t *end;
		size_t len;

		if (span_starts_nocase(line, SPAN("content-disposition:")))
			parts->named = names_secret(line);
		if (!parts->named || span_trim(line, "\r").len || !rest.len)
			continue;
		parts->named = false;
		end = memmem(rest.data, rest.len, "\n--", 3);
		len = end ? (size_t)(end - rest.data) : rest.len;
		len -= end && len && rest.data[len - 1] == '\r';
		if (len)
			return found(parts, 0, len, ret_part);
	}
	return false;
}

typedef bool next_fn(struct secret_parts *parts, struct secret_part *ret_part);

static next_fn *const next_of[] = {
	[SECRET_QUERY] = next_parameter, [SECRET_URL] = next_parameter, [SECRET_JSON] = next_member,
	[SECRET_MULTIPART] = next_field, [SECRET_LOGIN] = next_login,   [SECRET_DATA] = next_member,
	[SECRET_SQL] = secret_sql_next,
};

bool secret_parts_next(struct secret_parts *parts, struct secret_part *ret_part)
{
	return next_of[parts->form](parts, ret_part);
}
