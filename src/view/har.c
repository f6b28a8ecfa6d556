/*
 * HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec): an entry for each HTTP exchange. WebSocket
 * messages go into their upgrade's entry as Chrome writes them (_webSocketMessages), which waits for its
 * connection's end. What is no HTTP is counted, in the log's comment.
 */
#include "base/addr.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/map.h"
#include "base/own.h"
#include "base/utf8.h"
#include "view/http.h"
#include "view/view.h"

#include <string.h>
#include <time.h>

/* Upgraded connections that are open at a time, and the text of the messages of all of them. */
#define SOCKETS_MAX 1024U
#define TEXT_MAX    (64U << 20)

/* An upgrade, and what was said since. */
struct socket {
	struct exchange *exchange;
	struct buf messages; /* JSON objects, separated by commas */
	bool cut;
};

struct har {
	struct message_sink sink;
	struct out *out;
	uint64_t entries;
	struct http_tally tally;
	struct map sockets; /* conn to struct socket */
	size_t held;        /* text in them */
	void (*tell)(void *ctx, const char *text);
	void *tell_ctx;
};

static struct har *har_of(struct message_sink *sink)
{
	return (struct har *)sink;
}

/* JSON has no bytes: what is no UTF-8 becomes U+FFFD. */
static void add_member(struct buf *buf, const char *key, struct span value)
{
	char *clean auto_free = own_alloc(3 * value.len + 1);
	size_t len = utf8_clean(value.data, value.len, clean);

	json_add_key(buf, key);
	json_add_string(buf, clean, len);
}

static void add_raw(struct buf *buf, const char *key, const char *json)
{
	json_add_key(buf, key);
	buf_adds(buf, json);
}

static void add_pair(struct buf *buf, const char **comma, struct span name, struct span value)
{
	buf_adds(buf, *comma);
	buf_addc(buf, '{');
	add_member(buf, "name", name);
	add_member(buf, "value", value);
	buf_addc(buf, '}');
	*comma = ",";
}

static void add_headers(struct buf *buf, const struct message *message)
{
	const char *comma = "";

	json_add_key(buf, "headers");
	buf_addc(buf, '[');
	for (size_t i = 0; message && i < message->attr_count; i++)
		if (message->attrs[i].key == ATTR_HEADER)
			add_pair(buf, &comma, message->attrs[i].name, message->attrs[i].value);
	buf_addc(buf, ']');
}

/* Of Cookie all pairs, of Set-Cookie the first. */
static void add_cookies(struct buf *buf, const struct message *message)
{
	bool request = message && message->kind == MESSAGE_REQUEST;
	struct span wanted = request ? SPAN("cookie") : SPAN("set-cookie"), rest, name, value;
	const char *comma = "";

	json_add_key(buf, "cookies");
	buf_addc(buf, '[');
	for (size_t i = 0; message && i < message->attr_count; i++) {
		if (message->attrs[i].key != ATTR_HEADER ||
		    !span_equal_nocase(message->attrs[i].name, wanted))
			continue;
		rest = message->attrs[i].value;
		do {
			value = span_trim(span_split(&rest, ';'), " ");
			if (!value.len || !memchr(value.data, '=', value.len))
				break;
			name = span_split(&value, '=');
			add_pair(buf, &comma, name, value);
		} while (request && rest.len);
	}
	buf_addc(buf, ']');
}

static void add_query(struct buf *buf, struct span url)
{
	const uint8_t *mark = url.len ? memchr(url.data, '?', url.len) : NULL;
	struct span rest = { 0 }, name, value;
	const char *comma = "";

	json_add_key(buf, "queryString");
	buf_addc(buf, '[');
	if (mark) {
		rest = span_cut(url, (size_t)(mark - url.data) + 1, url.len);
		rest = span_split(&rest, '#');
	}
	while (rest.len) {
		value = span_split(&rest, '&');
		name = span_split(&value, '=');
		if (name.len || value.len)
			add_pair(buf, &comma, name, value);
	}
	buf_addc(buf, ']');
}

static void add_version(struct buf *buf, const struct message *message)
{
	struct span version = message ? message_value(message, ATTR_VERSION) : (struct span){ 0 };

	json_add_key(buf, "httpVersion");
	if (span_equal(version, SPAN("2")))
		buf_adds(buf, "\"HTTP/2.0\"");
	else if (version.len && utf8_valid(version.data, version.len)) {
		buf_adds(buf, "\"HTTP/");
		json_add_escaped(buf, (const char *)version.data, version.len);
		buf_addc(buf, '"');
	} else {
		buf_adds(buf, "\"unknown\"");
	}
}

/* The content as text, or in base64, which is said. */
static void add_text(struct buf *buf, const struct body *body)
{
	struct span kept = span_of(body->kept.data, body->kept.len);
	bool text = utf8_valid(kept.data, kept.len);

	if (!body->present || (!kept.len && body->len))
		return;
	json_add_key(buf, "text");
	if (text) {
		json_add_string(buf, kept.len ? (const char *)kept.data : "", kept.len);
		return;
	}
	buf_addc(buf, '"');
	base64_add(buf, kept.data, kept.len);
	buf_addc(buf, '"');
	json_add_text_member(buf, "encoding", "base64");
}

static void add_body_comment(struct buf *buf, const struct body *body)
{
	if (body->why)
		json_add_text_member(buf, "comment", body->why);
	else if (body->cut)
		json_add_text_member(buf, "comment", "only its beginning is here");
}

static struct span mime_of(const struct message *message)
{
	struct span type = message_header(message, "content-type");

	return type.len ? type : SPAN("x-unknown");
}

static void add_request(struct buf *buf, const struct message *request)
{
	struct span url = request ? message_value(request, ATTR_URL) : (struct span){ 0 };

	json_add_key(buf, "request");
	buf_addc(buf, '{');
	add_member(buf, "method", request ? message_value(request, ATTR_METHOD) : url);
	add_member(buf, "url", url);
	add_version(buf, request);
	add_cookies(buf, request);
	add_headers(buf, request);
	add_query(buf, url);
	if (request && request->body.present && request->body.len) {
		json_add_key(buf, "postData");
		buf_addc(buf, '{');
		add_member(buf, "mimeType", mime_of(request));
		add_raw(buf, "params", "[]");
		add_text(buf, &request->body);
		add_body_comment(buf, &request->body);
		buf_addc(buf, '}');
	}
	add_raw(buf, "headersSize", "-1");
	json_add_uint_member(buf, "bodySize", request ? request->body.wire : 0);
	buf_addc(buf, '}');
}

static void add_response(struct buf *buf, const struct message *response)
{
	static const struct body none;
	const struct body *body = response ? &response->body : &none;

	json_add_key(buf, "response");
	buf_addc(buf, '{');
	json_add_uint_member(buf, "status",
			     response ? message_number(response, ATTR_STATUS, 0) : 0);
	add_member(buf, "statusText",
		   response ? message_value(response, ATTR_REASON) : (struct span){ 0 });
	add_version(buf, response);
	add_cookies(buf, response);
	add_headers(buf, response);
	json_add_key(buf, "content");
	buf_addc(buf, '{');
	json_add_uint_member(buf, "size", body->len);
	if (body->decoded && !body->cut)
		json_add_int_member(buf, "compression", (int64_t)(body->len - body->wire));
	add_member(buf, "mimeType", response ? mime_of(response) : SPAN("x-unknown"));
	add_text(buf, body);
	add_body_comment(buf, body);
	buf_addc(buf, '}');
	add_member(buf, "redirectURL",
		   response ? message_header(response, "location") : (struct span){ 0 });
	add_raw(buf, "headersSize", "-1");
	json_add_uint_member(buf, "bodySize", body->wire);
	buf_addc(buf, '}');
}

static void add_ms(struct buf *buf, const char *key, uint64_t ns)
{
	json_add_key(buf, key);
	buf_addf(buf, "%lu.%06lu", ns / 1000000, ns % 1000000);
}

static void add_started(struct buf *buf, uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000U);
	char text[64];
	struct tm tm = { 0 };

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	json_add_key(buf, "startedDateTime");
	buf_addf(buf, "\"%s.%06luZ\"", text, ns % 1000000000U / 1000U);
}

static void add_timings(struct buf *buf, const struct exchange *exchange)
{
	const struct message *request = exchange->request, *response = exchange->response;

	add_ms(buf, "time", exchange_duration(exchange));
	add_raw(buf, "cache", "{}");
	json_add_key(buf, "timings");
	buf_addc(buf, '{');
	add_ms(buf, "send", request ? request->last - request->first : 0);
	add_ms(buf, "wait", exchange_wait(exchange));
	add_ms(buf, "receive", response ? response->last - response->first : 0);
	buf_addc(buf, '}');
}

static void add_process(struct buf *buf, const char *key, const struct origin *origin)
{
	json_add_key(buf, key);
	buf_addc(buf, '{');
	json_add_int_member(buf, "pid", origin->pid);
	json_add_text_member(buf, "comm", origin->comm);
	buf_addc(buf, '}');
}

static void add_origin(struct buf *buf, const struct exchange *exchange)
{
	const struct message *any = exchange->request ? exchange->request : exchange->response;
	const struct origin *origin = any->origin;
	bool asks = (any->dir == DIR_OUT) == (any->kind == MESSAGE_REQUEST);
	char text[ADDR_TEXT_MAX], *colon;

	addr_format(asks ? &origin->remote : &origin->local, text);
	colon = strrchr(text, ':');
	if (colon && text[0] != '/' && text[0] != '@') {
		*colon = '\0';
		json_add_text_member(buf, "serverIPAddress", text);
	}
	json_add_key(buf, "connection");
	buf_addf(buf, "\"%lu\"", origin->conn);
	add_process(buf, "_process", origin);
	if (exchange->peer)
		add_process(buf, "_peer", exchange->peer);
	if (exchange->why || any->why)
		json_add_text_member(buf, "comment", exchange->why ? exchange->why : any->why);
}

static void add_entry(struct har *har, const struct exchange *exchange, const struct socket *socket)
{
	const struct message *any = exchange->request ? exchange->request : exchange->response;
	struct buf *buf = out_buf(har->out);

	buf_adds(buf, har->entries++ ? ",\n{" : "\n{");
	add_started(buf, any->first);
	add_request(buf, exchange->request);
	add_response(buf, exchange->response);
	add_timings(buf, exchange);
	add_origin(buf, exchange);
	if (socket && socket->messages.len) {
		json_add_key(buf, "_webSocketMessages");
		buf_addc(buf, '[');
		buf_add(buf, socket->messages.data, socket->messages.len);
		buf_addc(buf, ']');
	}
	if (socket && socket->cut)
		add_raw(buf, "_webSocketCut", "true");
	buf_addc(buf, '}');
	out_commit(har->out);
}

static void end_socket(struct har *har, uint64_t conn)
{
	struct socket *socket = map_take(&har->sockets, conn);

	if (!socket)
		return;
	add_entry(har, socket->exchange, socket);
	har->held -= socket->messages.len;
	exchange_unref(socket->exchange);
	buf_done(&socket->messages);
	free(socket);
}

static bool is_upgrade(const struct exchange *exchange)
{
	return exchange->response && exchange->request &&
	       message_number(exchange->response, ATTR_STATUS, 0) == 101;
}

static void har_exchange(struct message_sink *sink, struct exchange *exchange)
{
	struct har *har = har_of(sink);
	const struct message *any = exchange->request ? exchange->request : exchange->response;
	struct socket *socket;

	if (!http_is(exchange->protocol) || !any || !any->origin)
		return;
	if (!is_upgrade(exchange)) {
		add_entry(har, exchange, NULL);
		return;
	}
	end_socket(har, any->origin->conn);
	if (map_count(&har->sockets) >= SOCKETS_MAX)
		end_socket(har, map_key(map_first(&har->sockets)));
	socket = own_zalloc(sizeof(*socket));
	socket->exchange = exchange_ref(exchange);
	map_put(&har->sockets, any->origin->conn, socket);
}

/* RFC 6455, 5.2. */
static unsigned int opcode_of(const struct message *message)
{
	static const char *const names[] = {
		[1] = "text", [2] = "binary", [8] = "close", [9] = "ping", [10] = "pong"
	};
	struct span name = message_value(message, ATTR_OPCODE);

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i] && span_equal(name, span_text(names[i])))
			return i;
	return 0;
}

static void har_message(struct message_sink *sink, struct message *message)
{
	struct har *har = har_of(sink);
	struct socket *socket;
	struct buf *buf;
	bool text;

	if (message->protocol != PROTOCOL_WEBSOCKET || message->kind != MESSAGE_ONEWAY ||
	    !message->origin)
		return;
	socket = map_get(&har->sockets, message->origin->conn);
	if (!socket)
		return;
	buf = &socket->messages;
	if (har->held + message->body.kept.len > TEXT_MAX) {
		socket->cut = true;
		return;
	}
	text = utf8_valid(message->body.kept.data, message->body.kept.len);
	har->held -= buf->len;
	buf_addf(buf, "%s{\"type\":\"%s\",\"time\":%lu.%06lu,\"opcode\":%u,\"data\":",
		 buf->len ? "," : "", message->dir == DIR_OUT ? "send" : "receive",
		 message->first / 1000000000U, message->first % 1000000000U / 1000U,
		 opcode_of(message));
	if (text) {
		json_add_string(buf, message->body.kept.len ? message->body.kept.data : "",
				message->body.kept.len);
	} else {
		buf_addc(buf, '"');
		base64_add(buf, message->body.kept.data, message->body.kept.len);
		buf_addc(buf, '"');
	}
	buf_addc(buf, '}');
	har->held += buf->len;
}

static void har_connection(struct message_sink *sink, const struct connection *connection)
{
	struct har *har = har_of(sink);

	end_socket(har, connection->origin->conn);
	http_count(&har->tally, connection);
}

static int har_finish(struct message_sink *sink)
{
	struct har *har = har_of(sink);
	char comment[96];
	int result;

	while (map_first(&har->sockets))
		end_socket(har, map_key(map_first(&har->sockets)));
	map_done(&har->sockets);
	buf_adds(out_buf(har->out), "]");
	if (http_left_out(&har->tally, comment, sizeof(comment))) {
		json_add_text_member(out_buf(har->out), "comment", comment);
		if (har->tell)
			har->tell(har->tell_ctx, comment);
	}
	buf_adds(out_buf(har->out), "}}\n");
	result = out_close(har->out);
	free(har);
	return result;
}

struct message_sink *har_new(struct out *out, const struct format_options *options)
{
	struct har *har = own_zalloc(sizeof(*har));

	har->sink = (struct message_sink){
		.message = har_message,
		.exchange = har_exchange,
		.connection = har_connection,
		.finish = har_finish,
	};
	har->out = out;
	har->tell = options->tell;
	har->tell_ctx = options->tell_ctx;
	buf_adds(out_buf(out), "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"iotrace\","
			       "\"version\":\"" IOTRACE_VERSION "\"},\"entries\":[");
	return &har->sink;
}
