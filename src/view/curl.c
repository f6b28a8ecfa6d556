/*
 * Each HTTP request as a command for bash: curl with its method, headers and body. Values are quoted so
 * that the shell takes nothing of them for its own, and no byte of them starts a line. What is needed beyond
 * POSIX is $'…', for bytes that are no plain text.
 */
#include "base/base64.h"
#include "base/own.h"
#include "base/utf8.h"
#include "view/http.h"
#include "view/view.h"

#include <string.h>

struct curl {
	struct message_sink sink;
	struct out *out;
	struct http_tally tally;
	void (*tell)(void *ctx, const char *text);
	void *tell_ctx;
};

static bool is_plain(struct span text)
{
	uint32_t code;
	size_t n;

	for (size_t at = 0; at < text.len; at += n) {
		n = utf8_decode(text.data + at, text.len - at, &code);
		if (!n || !utf8_shown(code))
			return false;
	}
	return true;
}

/* One word of the shell's. A NUL cannot be in any; it ends the word. */
static void add_word(struct buf *buf, struct span text)
{
	bool plain = is_plain(text);

	buf_adds(buf, plain ? "'" : "$'");
	for (size_t i = 0; i < text.len && text.data[i]; i++) {
		uint8_t c = text.data[i];

		if (plain && c == '\'')
			buf_adds(buf, "'\\''");
		else if (plain)
			buf_addc(buf, (char)c);
		else if (c == '\n')
			buf_adds(buf, "\\n");
		else if (c == '\r')
			buf_adds(buf, "\\r");
		else if (c == '\'' || c == '\\')
			buf_addf(buf, "\\%c", c);
		else if (c >= 0x20 && c < 0x7f)
			buf_addc(buf, (char)c);
		else
			/* Three digits, so that no digit behind it is taken for one of it. */
			buf_addf(buf, "\\%03o", c);
	}
	buf_addc(buf, '\'');
}

/* curl makes these itself. */
static bool is_made_by_curl(struct span name)
{
	static const char *const names[] = { "content-length", "transfer-encoding", "connection",
					     "expect",         "http2-settings",    "upgrade" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_equal_nocase(name, span_text(names[i])))
			return true;
	return false;
}

static void add_header(struct buf *buf, const struct message *request, const struct attr *attr)
{
	struct buf line auto_buf = { 0 };

	if (is_made_by_curl(attr->name) ||
	    (span_equal_nocase(attr->name, SPAN("host")) &&
	     span_equal(attr->value, message_value(request, ATTR_HOST))))
		return;
	buf_add(&line, attr->name.data, attr->name.len);
	/* A header without a value is removed by "name:" and sent by "name;". */
	buf_adds(&line, attr->value.len ? ": " : ";");
	buf_add(&line, attr->value.data, attr->value.len);
	buf_adds(buf, " -H ");
	add_word(buf, span_of(line.data, line.len));
}

static bool has_header(const struct message *request, const char *name)
{
	return message_header(request, name).len > 0;
}

/* What curl would send by itself although this request has none. */
static void add_missing(struct buf *buf, const struct message *request, bool body)
{
	if (!has_header(request, "user-agent"))
		buf_adds(buf, " -H 'User-Agent:'");
	if (!has_header(request, "accept"))
		buf_adds(buf, " -H 'Accept:'");
	if (body && !has_header(request, "content-type"))
		buf_adds(buf, " -H 'Content-Type:'");
}

static void add_method(struct buf *buf, struct span method, bool body)
{
	if (span_equal(method, SPAN("HEAD")))
		buf_adds(buf, " --head");
	else if (!span_equal(method, body ? SPAN("POST") : SPAN("GET"))) {
		buf_adds(buf, " -X ");
		add_word(buf, method);
	}
}

static void add_command(struct buf *buf, const struct message *request)
{
	const struct body *body = &request->body;
	struct span content = span_of(body->kept.data, body->kept.len);
	struct span url = message_value(request, ATTR_URL);
	bool has_body = body->present && body->len;
	bool piped = has_body && memchr(content.data ? content.data : (void *)"", 0, content.len);

	if (piped) {
		buf_adds(buf, "echo ");
		base64_add(buf, content.data, content.len);
		buf_adds(buf, " | base64 -d | ");
	}
	/* -g: brackets in a URL are no ranges. */
	buf_adds(buf, "curl -g ");
	add_word(buf, url);
	add_method(buf, message_value(request, ATTR_METHOD), has_body);
	if (request->protocol == PROTOCOL_HTTP2)
		buf_adds(buf, span_starts(url, SPAN("https:")) ? " --http2"
							       : " --http2-prior-knowledge");
	for (size_t i = 0; i < request->attr_count; i++)
		if (request->attrs[i].key == ATTR_HEADER &&
		    !(body->decoded &&
		      span_equal_nocase(request->attrs[i].name, SPAN("content-encoding"))))
			add_header(buf, request, &request->attrs[i]);
	add_missing(buf, request, has_body);
	if (!has_body)
		return;
	buf_adds(buf, " --data-binary ");
	if (piped)
		buf_adds(buf, "@-");
	else
		add_word(buf, content);
}

static void curl_exchange(struct message_sink *sink, struct exchange *exchange)
{
	struct curl *curl = (struct curl *)sink;
	const struct message *request = exchange->request;
	struct buf *buf = out_buf(curl->out);

	if (!http_is(exchange->protocol) || !request)
		return;
	if (exchange->protocol == PROTOCOL_GRPC)
		buf_adds(buf, "# gRPC, without its messages: ");
	else if (request->flags & (MESSAGE_CUT | MESSAGE_TRUNCATED) || request->body.cut)
		buf_adds(buf, "# not complete: ");
	add_command(buf, request);
	buf_addc(buf, '\n');
	out_end_record(curl->out);
}

static void curl_connection(struct message_sink *sink, const struct connection *connection)
{
	http_count(&((struct curl *)sink)->tally, connection);
}

static int curl_finish(struct message_sink *sink)
{
	struct curl *curl = (struct curl *)sink;
	char text[96];
	int result;

	if (http_left_out(&curl->tally, text, sizeof(text)) && curl->tell)
		curl->tell(curl->tell_ctx, text);
	result = out_close(curl->out);
	free(curl);
	return result;
}

struct message_sink *curl_new(struct out *out, const struct format_options *options)
{
	struct curl *curl = own_zalloc(sizeof(*curl));

	curl->sink = (struct message_sink){
		.exchange = curl_exchange,
		.connection = curl_connection,
		.finish = curl_finish,
	};
	curl->out = out;
	curl->tell = options->tell;
	curl->tell_ctx = options->tell_ctx;
	return &curl->sink;
}
