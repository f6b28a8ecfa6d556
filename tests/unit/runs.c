#include "runs.h"

#include "base/addr.h"
#include "base/own.h"
#include "golden/order.h"
#include "unit.h"

struct maker {
	struct sink *sink;
	uint64_t seq, time;
};

static struct event *new_event(const struct maker *maker, enum event_type type,
			       const struct run_conn *conn, size_t room)
{
	struct event *event = event_new(type, room);

	event->time = maker->time;
	event->pid = conn && conn->pid ? conn->pid : 100;
	event->tid = conn && conn->tid ? conn->tid : event->pid;
	event_set_comm(event, "prog");
	return event;
}

static void emit(struct maker *maker, struct event *event)
{
	event->seq = ++maker->seq;
	maker->time += 1000;
	sink_emit(maker->sink, event);
	event_unref(event);
}

static void add_process(struct maker *maker, enum process_event what, int status)
{
	struct event *event = new_event(maker, EVENT_PROCESS, NULL, 0);

	event->process = (struct event_process){ .what = what, .status = status };
	emit(maker, event);
}

static struct addr remote_of(const struct run_conn *conn)
{
	const char *text = conn->remote ? conn->remote : "127.0.0.1:80";
	struct addr addr = { 0 };

	assert_true(addr_parse(&addr, text, strlen(text)));
	return addr;
}

static struct addr local_of(uint64_t number)
{
	char text[32];
	struct addr addr = { 0 };

	snprintf(text, sizeof(text), "127.0.0.1:%lu", 60000 + number);
	assert_true(addr_parse(&addr, text, strlen(text)));
	return addr;
}

static void add_socket(struct maker *maker, const struct run_conn *conn, uint64_t number,
		       enum socket_event what)
{
	struct event *event = new_event(maker, EVENT_SOCKET, conn, 0);

	event->socket = (struct event_socket){ .what = what,
					       .fd = conn->fd ? conn->fd : 5,
					       .conn = number,
					       .family = FAMILY_INET,
					       .proto = conn->udp ? PROTO_UDP : PROTO_TCP,
					       .local = local_of(number),
					       .remote = remote_of(conn) };
	emit(maker, event);
}

static void add_data(struct maker *maker, const struct run_conn *conn, uint64_t number,
		     enum event_dir dir, const char *bytes, size_t len)
{
	struct event *event = new_event(maker, EVENT_DATA, conn, len);

	event->data = (struct event_data){ .fd = conn->fd ? conn->fd : 5,
					   .conn = number,
					   .proto = conn->udp ? PROTO_UDP : PROTO_TCP,
					   .local = local_of(number),
					   .remote = remote_of(conn),
					   .dir = dir,
					   .layer = LAYER_WIRE,
					   .call = "write",
					   .len = len,
					   .captured = len };
	event->data.payload = event_room(event, len);
	memcpy(event->data.payload, bytes, len);
	emit(maker, event);
}

static void add_conn(struct maker *maker, const struct run_conn *conn, uint64_t number)
{
	add_socket(maker, conn, number, SOCKET_CONNECT);
	for (size_t i = 0; i < COUNT(conn->said) && conn->said[i]; i++) {
		size_t len = conn->lens[i] ? conn->lens[i] : strlen(conn->said[i]);
		size_t chunk = conn->chunk ? conn->chunk : len;

		for (size_t at = 0; at < len; at += chunk)
			add_data(maker, conn, number, i & 1 ? DIR_IN : DIR_OUT, conn->said[i] + at,
				 chunk < len - at ? chunk : len - at);
	}
	add_socket(maker, conn, number, SOCKET_CLOSE);
}

static void add_all(struct maker *maker, const struct run *run)
{
	struct event *event;

	add_process(maker, PROCESS_START, -1);
	for (size_t i = 0; i < COUNT(run->conns) && run->conns[i].said[0]; i++) {
		if (run->conns[i].start)
			maker->time = run->conns[i].start;
		add_conn(maker, &run->conns[i], i + 1);
	}
	if (run->loss) {
		event = new_event(maker, EVENT_LOSS, NULL, 0);
		event->loss = (struct event_loss){ .reason = "unseen", .fd = -1, .bytes = 3 };
		emit(maker, event);
	}
	add_process(maker, PROCESS_EXIT, run->status);
	emit(maker, event_new(EVENT_END, 0));
}

struct model *run_model(const struct run *run, const char *rules, enum golden_level level,
			struct rules *ret_rules)
{
	char *environment[COUNT(run->environment) + 1] = { 0 };
	struct gather_options options = { .rules = ret_rules,
					  .level = level,
					  .environment = environment,
					  .explain = run->explain };
	struct maker maker = { .time = 1700000000000000000ULL };
	struct rules_error error;
	struct gather *gather;
	struct model *model;

	for (size_t i = 0; i < COUNT(run->environment) && run->environment[i]; i++)
		environment[i] = (char *)(uintptr_t)run->environment[i];
	CHECK(rules_parse(ret_rules, span_text(rules), &error), "%u:%u: %s", error.line,
	      error.column, error.text);
	gather = gather_new(&options);
	maker.sink = gather_sink(gather);
	add_all(&maker, run);
	model = gather_model(gather);
	assert_true(run->doubtful || !gather_incomplete(gather, 0) == !run->loss);
	gather_free(gather);
	order_canonical(model);
	return model;
}

char *run_golden(const struct run *run, const char *rules, enum golden_level level)
{
	struct rules parsed = { 0 };
	struct model *model = run_model(run, rules, level, &parsed);
	struct buf text = { 0 };
	char *copy;

	golden_write(&text, model);
	copy = own_strdup(buf_cstr(&text));
	buf_done(&text);
	model_free(model);
	rules_done(&parsed);
	return copy;
}
