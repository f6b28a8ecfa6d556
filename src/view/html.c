/*
 * A page to look at a run with: page.html and, in its middle, the data as lines of JSON. What the page does
 * is in page.html; it needs nothing besides itself, and its policy lets it load nothing.
 *
 * A line is a letter, and behind tabs JSON: X an exchange or R a message by itself (a row for the table, then
 * its details), C a connection, B bytes of an event (seq, direction, length, base64). `<` is escaped, so
 * nothing in the data can end its element.
 */
#include "base/base64.h"
#include "base/json.h"
#include "base/map.h"
#include "base/own.h"
#include "sink/message_json.h"
#include "view/phrase.h"
#include "view/redact.h"
#include "view/view.h"

#include <string.h>
#include <sys/queue.h>

/* Of a body, of an event's bytes, and of those altogether while they wait for their connection's end. */
#define BODY_MAX (256U << 10)
#define RAW_MAX  (4U << 10)
#define RAWS_MAX (64U << 20)

extern const char page_html[], page_html_end[];

/* An event's first bytes. */
struct raw {
	uint64_t seq, len;
	enum event_dir dir;
	bool used;     /* a message came from it */
	bool withheld; /* and secrets were taken out of one */
	struct raws *raws;
	TAILQ_ENTRY(raw) age, of_conn;
	size_t kept;
	uint8_t bytes[];
};

TAILQ_HEAD(raw_list, raw);

/* Those of one connection. */
struct raws {
	uint64_t conn;
	struct raw_list list;
	bool withheld;
};

struct html {
	struct message_sink sink;
	struct out *out;
	bool redact;
	struct map by_seq, by_conn; /* to struct raw, struct raws */
	struct raw_list by_age;
	size_t kept;
	struct buf line;
};

static struct html *html_of(struct message_sink *sink)
{
	return (struct html *)sink;
}

/* Writes the line that was made. */
static void end_line(struct html *html)
{
	struct buf *buf = out_buf(html->out);
	const char *at = html->line.data, *end = at + html->line.len, *next;

	for (; at < end; at = next) {
		next = memchr(at, '<', (size_t)(end - at));
		buf_add(buf, at, (size_t)((next ? next : end) - at));
		if (!next)
			break;
		buf_adds(buf, "\\u003c");
		next++;
	}
	buf_addc(buf, '\n');
	html->line.len = 0;
	out_end_record(html->out);
}

static void drop_raw(struct html *html, struct raw *raw)
{
	struct raws *raws = raw->raws;

	map_take(&html->by_seq, raw->seq);
	TAILQ_REMOVE(&html->by_age, raw, age);
	TAILQ_REMOVE(&raws->list, raw, of_conn);
	html->kept -= sizeof(*raw) + raw->kept;
	free(raw);
	if (TAILQ_EMPTY(&raws->list) && !raws->withheld)
		free(map_take(&html->by_conn, raws->conn));
}

static struct raws *raws_of(struct html *html, uint64_t conn)
{
	struct raws *raws = map_get(&html->by_conn, conn);

	if (!raws) {
		raws = own_zalloc(sizeof(*raws));
		raws->conn = conn;
		TAILQ_INIT(&raws->list);
		map_put(&html->by_conn, conn, raws);
	}
	return raws;
}

static void html_event(struct message_sink *sink, struct event *event)
{
	struct html *html = html_of(sink);
	const struct event_data *data = &event->data;
	size_t kept;
	struct raw *raw;

	if (event->type != EVENT_DATA || data->error || !data->captured || !data->conn)
		return;
	raw = map_get(&html->by_seq, event->seq);
	if (raw)
		drop_raw(html, raw);
	kept = data->captured < RAW_MAX ? data->captured : RAW_MAX;
	raw = own_zalloc(sizeof(*raw) + kept);
	*raw = (struct raw){ .seq = event->seq,
			     .len = data->captured,
			     .dir = data->dir,
			     .raws = raws_of(html, data->conn),
			     .kept = kept };
	memcpy(raw->bytes, data->payload, kept);
	raw->withheld = html->redact && redact_has_secret(span_of(raw->bytes, kept));
	map_put(&html->by_seq, raw->seq, raw);
	TAILQ_INSERT_TAIL(&html->by_age, raw, age);
	TAILQ_INSERT_TAIL(&raw->raws->list, raw, of_conn);
	html->kept += sizeof(*raw) + kept;
	while (html->kept > RAWS_MAX)
		drop_raw(html, TAILQ_FIRST(&html->by_age));
}

/* What was looked through for secrets is not all of it, or had some. */
static bool is_secret(const struct message *message)
{
	return message->flags & (MESSAGE_REDACTED | MESSAGE_TRUNCATED | MESSAGE_CUT) ||
	       message->body.cut;
}

static void use_raws(struct html *html, const struct message *message)
{
	bool withheld = html->redact && is_secret(message);

	for (size_t i = 0; i < message->seq_count; i++) {
		for (uint64_t seq = message->seqs[i].first; seq <= message->seqs[i].last; seq++) {
			struct raw *raw = map_get(&html->by_seq, seq);

			if (!raw)
				continue;
			raw->used = true;
			raw->withheld |= withheld;
		}
	}
	/* Not all of its events are known. */
	if (withheld && message->flags & MESSAGE_TRUNCATED && message->origin)
		raws_of(html, message->origin->conn)->withheld = true;
}

/* The message with no more of its body than a page can take. */
static void add_message(struct buf *buf, const struct message *message)
{
	struct message shown = *message;

	if (shown.body.kept.len > BODY_MAX) {
		shown.body.kept.len = BODY_MAX;
		/* The text should stay text. */
		while (shown.body.kept.len &&
		       ((uint8_t)shown.body.kept.data[shown.body.kept.len] & 0xc0) == 0x80)
			shown.body.kept.len--;
		shown.body.cut = true;
	}
	message_json_add(buf, &shown);
}

static void add_string(struct buf *buf, const struct buf *text)
{
	json_add_string(buf, text->len ? text->data : "", text->len);
	buf_addc(buf, ',');
}

static void add_size(struct buf *buf, const struct message *message)
{
	buf_addu(buf, message && message->body.present ? message->body.wire : 0);
	buf_addc(buf, ',');
}

/* What the table shows of it; page.html has the order. */
static void add_row(struct buf *buf, const struct message *any, const struct exchange *exchange)
{
	struct buf what auto_buf = { 0 }, result auto_buf = { 0 };
	const struct origin *origin = any->origin;
	const struct message *request = exchange ? exchange->request : any;
	const struct message *response = exchange ? exchange->response : NULL;

	if (any->kind == MESSAGE_NOTE)
		phrase_add_value(&what, message_value(any, ATTR_NOTE), 1000);
	else if (request)
		phrase_message(&what, request);
	if (exchange)
		phrase_result(&result, exchange);
	buf_addf(buf, "[%lu,\"%s\",%lu,%lu,%d,", exchange ? exchange->number : 0,
		 protocol_names[any->protocol], any->first,
		 exchange ? exchange_duration(exchange) : any->last - any->first, origin->pid);
	json_add_string(buf, origin->comm, strlen(origin->comm));
	buf_addf(buf, ",%lu,", origin->conn);
	add_string(buf, &what);
	add_string(buf, &result);
	/* A message by itself is on the side that it went to. */
	add_size(buf, exchange || any->dir == DIR_OUT ? request : NULL);
	add_size(buf, exchange || any->dir == DIR_OUT ? response : any);
	buf_addf(buf, "%d,%d,", exchange && phrase_is_failure(exchange), (int)any->dir);
	if (exchange && exchange->peer)
		json_add_string(buf, exchange->peer->comm, strlen(exchange->peer->comm));
	else
		buf_adds(buf, "\"\"");
	buf_addc(buf, ']');
}

static void html_exchange(struct message_sink *sink, struct exchange *exchange)
{
	struct html *html = html_of(sink);
	const struct message *any = exchange->request ? exchange->request : exchange->response;
	struct buf *line = &html->line;

	if (!any || !any->origin)
		return;
	buf_adds(line, "X\t");
	add_row(line, any, exchange);
	buf_adds(line, "\t{\"exchange\":");
	exchange_json_add(line, exchange);
	if (exchange->request) {
		json_add_key(line, "request");
		add_message(line, exchange->request);
	}
	if (exchange->response) {
		json_add_key(line, "response");
		add_message(line, exchange->response);
	}
	buf_addc(line, '}');
	end_line(html);
}

static void html_message(struct message_sink *sink, struct message *message)
{
	struct html *html = html_of(sink);
	struct buf *line = &html->line;

	use_raws(html, message);
	if (!message->origin ||
	    (message->kind <= MESSAGE_RESPONSE && !(message->flags & MESSAGE_INTERIM)))
		return;
	buf_adds(line, "R\t");
	add_row(line, message, NULL);
	buf_addf(line, "\t{\"%s\":", message->dir == DIR_OUT ? "request" : "response");
	add_message(line, message);
	buf_addc(line, '}');
	end_line(html);
}

static void write_raws(struct html *html, uint64_t conn)
{
	struct raws *raws = map_get(&html->by_conn, conn);
	struct raw *raw, *next;

	for (raw = raws ? TAILQ_FIRST(&raws->list) : NULL; raw; raw = next) {
		next = TAILQ_NEXT(raw, of_conn);
		if (raw->used) {
			buf_addf(&html->line, "B\t%lu\t%s\t%lu\t", raw->seq,
				 event_dir_names[raw->dir], raw->len);
			if (raw->withheld || raws->withheld)
				buf_addc(&html->line, '-');
			else
				base64_add(&html->line, raw->bytes, raw->kept);
			end_line(html);
		}
		/* The last one takes the list with it, but for this. */
		if (!next)
			raws->withheld = false;
		drop_raw(html, raw);
	}
}

static void html_connection(struct message_sink *sink, const struct connection *connection)
{
	struct html *html = html_of(sink);

	buf_adds(&html->line, "C\t");
	connection_json_add(&html->line, connection);
	end_line(html);
	write_raws(html, connection->origin->conn);
}

static const char marker[] = "<!-- data -->";

static int html_finish(struct message_sink *sink)
{
	struct html *html = html_of(sink);
	size_t len = (size_t)(page_html_end - page_html);
	const char *at = memmem(page_html, len, marker, sizeof(marker) - 1);
	int result;

	/* What came behind a connection's end, or is of none that was told. */
	while (!TAILQ_EMPTY(&html->by_age))
		write_raws(html, TAILQ_FIRST(&html->by_age)->raws->conn);
	MAP_FOR_EACH(node, &html->by_conn)
		free(map_value(node));
	map_done(&html->by_conn);
	map_done(&html->by_seq);
	buf_done(&html->line);
	at += sizeof(marker) - 1;
	out_write(html->out, at, len - (size_t)(at - page_html));
	result = out_close(html->out);
	free(html);
	return result;
}

struct message_sink *html_new(struct out *out, const struct format_options *options)
{
	struct html *html = own_zalloc(sizeof(*html));
	const char *at =
		memmem(page_html, (size_t)(page_html_end - page_html), marker, sizeof(marker) - 1);

	html->sink = (struct message_sink){
		.event = html_event,
		.message = html_message,
		.exchange = html_exchange,
		.connection = html_connection,
		.finish = html_finish,
	};
	html->out = out;
	html->redact = options->redact;
	TAILQ_INIT(&html->by_age);
	out_write(out, page_html, (size_t)(at - page_html));
	return &html->sink;
}
