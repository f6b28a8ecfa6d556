#include "recorded.h"

#include "piece.h"

#include "base/addr.h"
#include "base/own.h"
#include "sink/message_json.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum step_kind { STEP_BYTES, STEP_GAP, STEP_END };

struct step {
	enum step_kind kind;
	enum event_dir dir;
	enum event_layer layer;
	uint32_t flags;
	uint64_t seq, time, len;
	struct buf bytes;
};

struct recorded {
	struct conversation_facts facts;
	enum event_proto proto;
	struct addr local, remote;
	struct step *steps;
	size_t count;
};

static _Noreturn void fail(const char *why, const char *line)
{
	fprintf(stderr, "recorded: %s: %.60s\n", why, line);
	abort();
}

static struct step *add_step(struct recorded *recorded, enum step_kind kind, enum event_dir dir)
{
	struct step *step;

	recorded->steps =
		own_realloc(recorded->steps, (recorded->count + 1) * sizeof(*recorded->steps));
	step = &recorded->steps[recorded->count++];
	*step = (struct step){ .kind = kind, .dir = dir };
	return step;
}

static int hex(char c)
{
	return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* A string in quotes, as in C, but \x has two digits. */
static void parse_string(struct buf *bytes, const char *text)
{
	static const char letters[] = "nrt0\\\"", values[] = "\n\r\t\0\\\"";
	const char *p = strchr(text, '"'), *found;

	if (!p)
		fail("a string was expected", text);
	for (p++; *p && *p != '"'; p++) {
		if (*p != '\\') {
			buf_addc(bytes, *p);
		} else if (*++p == 'x') {
			buf_addc(bytes, (char)(hex(p[1]) << 4 | hex(p[2])));
			p += 2;
		} else {
			found = strchr(letters, *p);
			buf_addc(bytes, found ? values[found - letters] : *p);
		}
	}
}

static void parse_conn(struct recorded *recorded, const char *line)
{
	char proto[32], local[128], remote[128], fresh[16] = "", client[16] = "";

	if (sscanf(line, "conn %31s %127s %127s %15s %15s", proto, local, remote, fresh, client) <
	    3)
		fail("no connection", line);
	recorded->proto =
		(enum event_proto)event_name_find(event_proto_names, PROTOS, proto, strlen(proto));
	addr_parse(&recorded->local, local, strlen(local));
	addr_parse(&recorded->remote, remote, strlen(remote));
	recorded->facts = (struct conversation_facts){
		.fresh = !strcmp(fresh, "fresh"),
		.datagram = event_proto_is_datagram(recorded->proto),
		.client = event_name_find(event_dir_names, DIRS, client, strlen(client)),
	};
}

static enum event_dir dir_of(char c)
{
	return c == '>' ? DIR_OUT : DIR_IN;
}

static void parse_bytes(struct recorded *recorded, const char *line)
{
	struct step *step = add_step(recorded, STEP_BYTES, dir_of(line[0]));

	step->layer = line[1] == 'p' || line[1] == 'k' ? LAYER_PLAIN : LAYER_WIRE;
	step->flags = line[1] == 'k' ? FLAG_KTLS : 0;
	if (sscanf(line + 1 + (line[1] != ' '), "%lu %lu", &step->seq, &step->time) != 2)
		fail("seq and time were expected", line);
	parse_string(&step->bytes, line);
}

static void parse_line(struct recorded *recorded, const char *line)
{
	if (line[0] == '#' || !line[0])
		return;
	if (line[0] == '\t' && recorded->count)
		parse_string(&recorded->steps[recorded->count - 1].bytes, line);
	else if (line[0] == '>' || line[0] == '<')
		parse_bytes(recorded, line);
	else if (!strncmp(line, "conn ", 5))
		parse_conn(recorded, line);
	else if (!strncmp(line, "gap ", 4))
		add_step(recorded, STEP_GAP, dir_of(line[4]))->len = strtoull(line + 5, NULL, 10);
	else if (!strncmp(line, "end ", 4))
		add_step(recorded, STEP_END, dir_of(line[4]));
	else
		fail("not understood", line);
}

struct recorded *recorded_parse(const char *text)
{
	struct recorded *recorded = own_zalloc(sizeof(*recorded));
	char *copy = own_strdup(text), *rest = copy, *line;

	recorded->facts = (struct conversation_facts){ .fresh = true, .client = DIR_OUT };
	recorded->proto = PROTO_TCP;
	while ((line = strsep(&rest, "\n")))
		parse_line(recorded, line);
	free(copy);
	return recorded;
}

void recorded_free(struct recorded *recorded)
{
	for (size_t i = 0; i < recorded->count; i++)
		buf_done(&recorded->steps[i].bytes);
	free(recorded->steps);
	free(recorded);
}

struct printer {
	struct message_sink sink;
	struct buf text;
	bool timeless;
	size_t count;
};

static void print_message(struct message_sink *sink, struct message *message)
{
	struct printer *printer = (struct printer *)sink;

	if (printer->timeless) {
		message->seq_count = 0;
		message->first = message->last = 0;
	}
	printer->count++;
	message_json_add(&printer->text, message);
	buf_addc(&printer->text, '\n');
}

static void print_exchange(struct message_sink *sink, struct exchange *exchange)
{
	struct printer *printer = (struct printer *)sink;

	exchange_json_add(&printer->text, exchange);
	buf_addc(&printer->text, '\n');
}

/* The event that a piece came from; its bytes are not in it, as they are given apart. */
static struct event *event_of(const struct recorded *recorded, const struct step *step)
{
	struct event *event = event_new(EVENT_DATA, 0);

	event->seq = step->seq;
	event->time = step->time;
	event->pid = event->tid = 100;
	event_set_comm(event, "prog");
	event->data.fd = 5;
	event->data.conn = 1;
	event->data.proto = recorded->proto;
	event->data.local = recorded->local;
	event->data.remote = recorded->remote;
	event->data.dir = step->dir;
	event->data.layer = step->layer;
	event->data.flags = step->flags;
	return event;
}

struct cutter {
	enum recorded_cut cut;
	uint64_t seed;
	uint64_t seq; /* of CUT_EVENTS */
	bool datagram;
};

static size_t next_cut(struct cutter *cutter, size_t left)
{
	size_t n = left;

	if (cutter->datagram)
		return left;
	if (cutter->cut == CUT_BYTES || cutter->cut == CUT_EVENTS)
		n = 1;
	if (cutter->cut == CUT_RANDOM) {
		cutter->seed = cutter->seed * 6364136223846793005ULL + 1442695040888963407ULL;
		n = 1 + (cutter->seed >> 33) % (cutter->seed >> 60 ? 17 : 4096);
	}
	return n < left ? n : left;
}

static void feed_bytes(const struct recorded *recorded, const struct step *step,
		       struct conversation *conversation, struct cutter *cutter)
{
	struct event *event = event_of(recorded, step);
	size_t at = 0;

	do {
		size_t n = next_cut(cutter, step->bytes.len - at);
		/* So that a read beyond the piece is seen by the sanitizer. */
		uint8_t *piece = own_alloc(n);

		if (n)
			memcpy(piece, step->bytes.data + at, n);
		if (cutter->cut == CUT_EVENTS)
			event->seq = ++cutter->seq;
		conversation_feed(conversation, step->dir, event, piece, n);
		memset(piece, 0xa5, n);
		free(piece);
		at += n;
	} while (at < step->bytes.len);
	event_unref(event);
}

char *recorded_decode(const struct recorded *recorded, enum recorded_cut cut, uint64_t seed,
		      const struct decode_options *options)
{
	struct printer printer = { .sink = { .message = print_message, .exchange = print_exchange },
				   .timeless = cut == CUT_EVENTS || cut == CUT_NOT_TIMELESS };
	struct cutter cutter = { cut, seed, 0, recorded->facts.datagram };
	struct decode *decode = decode_new(options, &printer.sink);
	struct conversation *conversation = conversation_new(decode, &recorded->facts);

	for (size_t i = 0; i < recorded->count; i++) {
		const struct step *step = &recorded->steps[i];

		if (step->kind == STEP_BYTES)
			feed_bytes(recorded, step, conversation, &cutter);
		else if (step->kind == STEP_GAP)
			conversation_gap(conversation, step->layer, step->dir, step->len);
		else
			conversation_end(conversation, step->dir);
	}
	conversation_free(conversation);
	decode_free(decode);
	buf_cstr(&printer.text);
	return printer.text.data;
}

static void compare(const char *expected, const char *got, const char *what, const char *how)
{
	size_t at = 0;

	while (expected[at] && expected[at] == got[at])
		at++;
	if (!expected[at] && !got[at])
		return;
	while (at && expected[at - 1] != '\n')
		at--;
	fprintf(stderr, "%s: %s makes a difference\n--- whole\n%s\n--- cut\n%s\n", what, how,
		expected + at, got + at);
	abort();
}

static void check_cut(const struct recorded *recorded, const struct decode_options *options,
		      const char *expected, enum recorded_cut cut, uint64_t seed, const char *what)
{
	static const char *const names[] = { "nothing", "cutting into bytes", "cutting at random",
					     "one byte an event" };
	char *got = recorded_decode(recorded, cut, seed, options);

	compare(expected, got, what, names[cut]);
	free(got);
}

char *recorded_decode_all(const struct recorded *recorded, const struct decode_options *options,
			  const char *what)
{
	char *expected = recorded_decode(recorded, CUT_NOT, 0, options);
	char *timeless = recorded_decode(recorded, CUT_NOT_TIMELESS, 0, options);

	check_cut(recorded, options, expected, CUT_BYTES, 0, what);
	check_cut(recorded, options, timeless, CUT_EVENTS, 0, what);
	for (uint64_t seed = 1; seed <= 20; seed++)
		check_cut(recorded, options, expected, CUT_RANDOM, seed, what);
	free(timeless);
	return expected;
}

static void parse_script(struct recorded *recorded, struct span script)
{
	struct piece piece;
	uint64_t seq = 0;

	while (piece_next(&script, &piece)) {
		enum event_dir dir = piece.in ? DIR_IN : DIR_OUT;
		struct step *step;

		if (piece.kind == PIECE_GAP) {
			add_step(recorded, STEP_GAP, dir)->len = piece.len;
			continue;
		}
		if (piece.kind == PIECE_END) {
			add_step(recorded, STEP_END, dir);
			continue;
		}
		step = add_step(recorded, STEP_BYTES, dir);
		step->layer = piece.kind == PIECE_PLAIN ? LAYER_PLAIN : LAYER_WIRE;
		step->seq = ++seq;
		step->time = seq * 1000;
		buf_add(&step->bytes, piece.bytes.data, piece.bytes.len);
	}
}

int recorded_fuzz(const uint8_t *data, size_t len, const char *protocol)
{
	struct decode_as as = { protocol, 1 };
	struct decode_options options = { .body_max = 1U << 16, .as = &as, .as_count = 1 };
	struct recorded recorded = { .facts = { .fresh = true, .client = DIR_OUT },
				     .proto = PROTO_TCP };
	struct recorded *owned;
	char *whole;

	if (!len)
		return 0;
	/* The first byte chooses what is known of the connection. */
	recorded.facts.fresh = !(data[0] & 1);
	recorded.facts.client = data[0] & 2 ? -1 : DIR_OUT;
	recorded.facts.datagram = data[0] & 4;
	if (recorded.facts.datagram)
		recorded.proto = PROTO_UDP;
	addr_parse(&recorded.local, "127.0.0.1:5", 11);
	/* With another port the protocol is to be recognised. */
	addr_parse(&recorded.remote, data[0] & 8 ? "127.0.0.1:2" : "127.0.0.1:1", 11);
	parse_script(&recorded, span_of(data + 1, len - 1));
	owned = own_alloc(sizeof(*owned));
	*owned = recorded;
	whole = recorded_decode(owned, CUT_NOT, 0, &options);
	check_cut(owned, &options, whole, CUT_BYTES, 0, "fuzz");
	check_cut(owned, &options, whole, CUT_RANDOM, 1, "fuzz");
	free(whole);
	recorded_free(owned);
	return 0;
}
