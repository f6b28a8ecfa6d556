#include "decode/http_head.h"

#include "base/addr.h"

static bool is_token(struct span span)
{
	for (size_t i = 0; i < span.len; i++) {
		uint8_t c = span.data[i];

		if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
			return false;
	}
	return span.len > 0;
}

static bool is_version(struct span span)
{
	return span.len == 8 && span_starts(span, SPAN("HTTP/1.")) && span.data[7] >= '0' &&
	       span.data[7] <= '9';
}

static bool has_control(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] < ' ')
			return true;
	return false;
}

bool http_request_line(struct span line, struct http_request_line *ret_line)
{
	struct span rest = line, method = span_split(&rest, ' ');
	size_t at = rest.len;

	/* From the end: sloppy clients put spaces into targets. */
	while (at && rest.data[at - 1] != ' ')
		at--;
	ret_line->method = method;
	ret_line->version = span_cut(rest, at, rest.len);
	ret_line->target = span_trim(span_cut(rest, 0, at ? at - 1 : 0), " ");
	return is_token(method) && is_version(ret_line->version) && ret_line->target.len &&
	       !has_control(line);
}

bool http_status_line(struct span line, struct http_status_line *ret_line)
{
	struct span rest = line;

	ret_line->version = span_split(&rest, ' ');
	if (!is_version(ret_line->version) || rest.len < 3 || (rest.len > 3 && rest.data[3] != ' '))
		return false;
	ret_line->reason = span_cut(rest, 4, rest.len);
	return span_number(span_cut(rest, 0, 3), 10, &ret_line->status) && ret_line->status >= 100;
}

bool http_take_line(struct span *bytes, struct span *ret_line)
{
	if (!bytes->len || !memchr(bytes->data, '\n', bytes->len))
		return false;
	*ret_line = span_split(bytes, '\n');
	if (ret_line->len && ret_line->data[ret_line->len - 1] == '\r')
		ret_line->len--;
	return true;
}

size_t http_head_length(struct span bytes, size_t *scanned)
{
	/* An empty line's end may have been cut after the first LF. */
	size_t at = *scanned > 2 ? *scanned - 2 : 0;
	const uint8_t *lf;

	while (at < bytes.len && (lf = memchr(bytes.data + at, '\n', bytes.len - at))) {
		at = (size_t)(lf - bytes.data) + 1;
		if (at < bytes.len && bytes.data[at] == '\n')
			return at + 1;
		if (at + 1 < bytes.len && bytes.data[at] == '\r' && bytes.data[at + 1] == '\n')
			return at + 2;
	}
	*scanned = bytes.len;
	return 0;
}

static bool is_folded(struct span lines)
{
	return lines.len && (lines.data[0] == ' ' || lines.data[0] == '\t');
}

void http_add_headers(struct message *message, enum attr_key key, struct span lines)
{
	struct span line, name, next;

	while (http_take_line(&lines, &line) && line.len) {
		struct buf joined auto_buf = { 0 };
		struct span value = line;

		name = span_trim(span_split(&value, ':'), " \t");
		value = span_trim(value, " \t");
		if (is_folded(lines))
			buf_add(&joined, value.data, value.len);
		while (is_folded(lines) && http_take_line(&lines, &next)) {
			next = span_trim(next, " \t");
			buf_addc(&joined, ' ');
			buf_add(&joined, next.data, next.len);
			value = span_of(joined.data, joined.len);
		}
		message_add_pair(message, key, name, value);
	}
}

static bool list_has(struct span list, struct span token)
{
	while (list.len)
		if (span_equal_nocase(span_trim(span_split(&list, ','), " \t"), token))
			return true;
	return false;
}

bool http_header_has(const struct message *message, const char *name, const char *token)
{
	struct span wanted = span_text(name);

	for (size_t i = 0; i < message->attr_count; i++)
		if (message->attrs[i].key == ATTR_HEADER &&
		    span_equal_nocase(message->attrs[i].name, wanted) &&
		    list_has(message->attrs[i].value, span_text(token)))
			return true;
	return false;
}

static const struct addr *server_end(const struct message *request)
{
	const struct origin *origin = request->origin;

	return request->dir == DIR_OUT ? &origin->remote : &origin->local;
}

void http_add_url(struct channel *channel, struct message *request, struct span host,
		  struct span scheme, struct span target)
{
	struct buf url auto_buf = { 0 };
	char text[ADDR_TEXT_MAX];

	if (!host.len && request->origin)
		host = span_text(addr_format(server_end(request), text));
	message_add(request, ATTR_HOST, host);
	if (!scheme.len)
		scheme = channel->layer == LAYER_PLAIN ? SPAN("https") : SPAN("http");
	if (target.len && (target.data[0] == '/' || target.data[0] == '*')) {
		buf_add(&url, scheme.data, scheme.len);
		buf_adds(&url, "://");
		buf_add(&url, host.data, host.len);
		buf_adds(&url, target.data[0] == '/' ? "" : "/");
	}
	buf_add(&url, target.data, target.len);
	message_add(request, ATTR_URL, span_of(url.data, url.len));
}

void http_set_coding(struct message *message)
{
	struct buf list auto_buf = { 0 };

	for (size_t i = 0; i < message->attr_count; i++) {
		const struct attr *attr = &message->attrs[i];

		if (attr->key != ATTR_HEADER ||
		    !span_equal_nocase(attr->name, SPAN("content-encoding")))
			continue;
		if (list.len)
			buf_adds(&list, ", ");
		buf_add(&list, attr->value.data, attr->value.len);
	}
	if (list.len)
		message->body.coding =
			(const char *)arena_copy(&message->arena, span_of(list.data, list.len))
				.data;
}
