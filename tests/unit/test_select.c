#include "sink/select.h"

#include "base/addr.h"
#include "unit.h"

#include <errno.h>

static void set_addr(struct addr *addr, const char *text)
{
	if (text)
		assert_true(addr_parse(addr, text, strlen(text)));
}

/* A data event of pid 100, thread 102. */
static struct event *data_event(const char *local, const char *remote)
{
	struct event *event = event_new(EVENT_DATA, 16);

	event->pid = 100;
	event->tid = 102;
	event_set_comm(event, "curl");
	event->data = (struct event_data){
		.fd = 5, .dir = DIR_OUT, .layer = LAYER_WIRE, .len = 7, .captured = 7
	};
	event->data.payload = event_room(event, 7);
	memcpy(event->data.payload, "GET / \xff", 7);
	set_addr(&event->data.local, local);
	set_addr(&event->data.remote, remote);
	return event;
}

static struct event *socket_event(void)
{
	struct event *event = event_new(EVENT_SOCKET, 0);

	event->pid = event->tid = 100;
	event_set_comm(event, "curl");
	event->socket = (struct event_socket){ .fd = 5, .proto = PROTO_TCP };
	set_addr(&event->socket.local, "10.0.0.2:50000");
	set_addr(&event->socket.remote, "10.0.0.1:443");
	return event;
}

static struct event *other_event(enum event_type type, int32_t pid)
{
	struct event *event = event_new(type, 0);

	event->pid = event->tid = pid;
	return event;
}

static bool keeps(const char *name, const char *value, struct event *event)
{
	struct selection *selection = selection_new();
	bool kept;

	CHECK(selection_add(selection, name, value), "%s %s", name, value);
	assert_false(selection_is_empty(selection));
	kept = selection_keeps(selection, event);
	selection_free(selection);
	event_unref(event);
	return kept;
}

/* On a data event from 10.0.0.2:50000 to 10.0.0.1:80. */
static const struct {
	const char *name, *value;
	bool kept;
} of_data[] = {
	{ "pid", "100", true },
	{ "pid", "102", true }, /* the thread */
	{ "pid", "101", false },
	{ "pid", "99-100", true },
	{ "pid", "103-", false },
	{ "pid", "100-", true },
	{ "pid", "1,2,100", true },
	{ "pid", "1,2,3", false },
	{ "comm", "curl", true },
	{ "comm", "cur", false },
	{ "comm", "nc,curl", true },
	{ "fd", "5", true },
	{ "fd", "6", false },
	{ "fd", "0-4", false },
	{ "port", "80", true },
	{ "port", "50000", true },
	{ "port", "443", false },
	{ "port", "1-1023", true },
	{ "port", "1-65535", true },
	{ "port", "65535", false },
	{ "port", "0", false },
	{ "peer", "10.0.0.1", true },
	{ "peer", "10.0.0.2", false },
	{ "peer", "10.0.0.0/24", true },
	{ "peer", "10.0.0.0/31", true },
	{ "peer", "10.0.0.2/31", false },
	{ "peer", "10.0.0.3/30", true },
	{ "peer", "0.0.0.0/0", true },
	{ "peer", "::/0", true },
	{ "peer", "::1", false },
	{ "peer", "::ffff:10.0.0.1", true },
	{ "peer", "192.168.0.0/16,10.0.0.0/8", true },
	{ "dir", "out", true },
	{ "dir", "in", false },
	{ "dir", "in,out", true },
	{ "layer", "wire", true },
	{ "layer", "plain", false },
	{ "size", "7", true },
	{ "size", "8", false },
	{ "size", "0-6", false },
	{ "size", "0-7", true },
	{ "match", "GET", true },
	{ "match", "POST", false },
	{ "match", "\\xff$", true },
	/* A comma belongs to the expression. */
	{ "match", "G{1,2}ET", true },
};

static void criteria_of_data(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(of_data); i++)
		CHECK(keeps(of_data[i].name, of_data[i].value,
			    data_event("10.0.0.2:50000", "10.0.0.1:80")) == of_data[i].kept,
		      "%s %s", of_data[i].name, of_data[i].value);
}

static void other_addresses(void **state)
{
	static const struct {
		const char *remote, *name, *value;
		bool kept;
	} cases[] = {
		{ "[2001:db8::1]:80", "peer", "2001:db8::/32", true },
		{ "[2001:db8::1]:80", "peer", "2001:db8::/127", true },
		{ "[2001:db8::2]:80", "peer", "2001:db8::/127", false },
		{ "[2001:db8::1]:80", "peer", "0.0.0.0/0", false },
		{ "[2001:db8::1]:80", "peer", "::/0", true },
		{ "[2001:db8::1]:80", "port", "80", true },
		{ "/run/x", "peer", "::/0", false },
		{ "/run/x", "port", "0-65535", false },
		{ NULL, "peer", "::/0", false },
		{ NULL, "port", "0-65535", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK(keeps(cases[i].name, cases[i].value, data_event(NULL, cases[i].remote)) ==
			      cases[i].kept,
		      "%s: %s %s", cases[i].remote ? cases[i].remote : "none", cases[i].name,
		      cases[i].value);
}

/* Each criterion looks only at the events that have what it asks for. */
static void criteria_have_their_scope(void **state)
{
	(void)state;
	assert_true(keeps("port", "443", socket_event()));
	assert_false(keeps("port", "80", socket_event()));
	assert_false(keeps("fd", "6", socket_event()));
	assert_true(keeps("dir", "in", socket_event()));
	assert_true(keeps("match", "nothing", socket_event()));
	assert_true(keeps("size", "1000", socket_event()));
	assert_false(keeps("pid", "5", socket_event()));
	assert_true(keeps("port", "80", other_event(EVENT_PROCESS, 100)));
	assert_false(keeps("pid", "5", other_event(EVENT_PROCESS, 100)));
	assert_false(keeps("comm", "x", other_event(EVENT_NOTE, 100)));
	assert_true(keeps("port", "80", other_event(EVENT_LOSS, 100)));
	/* What belongs to no process always stays. */
	for (int type = 0; type < EVENT_TYPES; type++)
		assert_true(keeps("pid", "5", other_event((enum event_type)type, 0)));
	assert_true(keeps("comm", "x", other_event(EVENT_IOTRACE, 0)));
	assert_true(keeps("match", "x", other_event(EVENT_END, 0)));
}

static void failed_calls(void **state)
{
	struct event *event = data_event(NULL, NULL);

	(void)state;
	event->data.error = ECONNRESET;
	event->data.fd = 0;
	assert_false(keeps("match", "G", event_ref(event)));
	assert_true(keeps("match", "^$", event_ref(event)));
	assert_true(keeps("fd", "0", event));
}

static void different_names_must_all_hold(void **state)
{
	struct selection *selection = selection_new();
	struct event *event = data_event("10.0.0.2:50000", "10.0.0.1:80");

	(void)state;
	assert_true(selection_is_empty(selection));
	assert_true(selection_keeps(selection, event));
	assert_true(selection_add(selection, "pid", "100"));
	assert_true(selection_add(selection, "pid", "5"));
	assert_true(selection_keeps(selection, event));
	assert_true(selection_add(selection, "port", "80"));
	assert_true(selection_keeps(selection, event));
	assert_true(selection_add(selection, "dir", "in"));
	assert_false(selection_keeps(selection, event));
	assert_true(selection_add(selection, "dir", "out"));
	assert_true(selection_keeps(selection, event));
	event_unref(event);
	selection_free(selection);
	selection_free(NULL);
}

static const struct {
	const char *name, *value;
} refused[] = {
	{ "nothing", "1" },
	{ "pid", "" },
	{ "pid", "x" },
	{ "pid", "1x" },
	{ "pid", "-1" },
	{ "pid", "1-x" },
	{ "pid", "1-2-3" },
	{ "pid", "+1" },
	{ "pid", " 1" },
	{ "pid", "1,x" },
	{ "port", "99999999999999999999" },
	{ "peer", "host" },
	{ "peer", "10.0.0.1/33" },
	{ "peer", "10.0.0.1/" },
	{ "peer", "10.0.0.1/x" },
	{ "peer", "::1/129" },
	{ "peer", "10.0.0" },
	{ "peer", "10.0.0.1:80" },
	{ "dir", "up" },
	{ "dir", "OUT" },
	{ "layer", "tls" },
	{ "size", "1k" },
	{ "size", "-" },
	{ "match", "(" },
};

static void values_without_sense(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct selection *selection = selection_new();

		CHECK(!selection_add(selection, refused[i].name, refused[i].value), "%s %s",
		      refused[i].name, refused[i].value);
		selection_free(selection);
	}
}

/* They would keep nothing, or everything, and nobody would know why. */
static void values_that_never_hold(void **state)
{
	static const struct {
		const char *name, *value;
	} cases[] = {
		{ "pid", "," },    { "pid", ",," },     { "pid", "5-3" },
		{ "size", "7-6" }, { "port", "70000" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct selection *selection = selection_new();

		CHECK(!selection_add(selection, cases[i].name, cases[i].value), "%s %s",
		      cases[i].name, cases[i].value);
		selection_free(selection);
	}
}

struct counter {
	struct sink sink;
	int count, finished;
};

static void count_emit(struct sink *sink, struct event *event)
{
	(void)event;
	((struct counter *)sink)->count++;
}

static int count_finish(struct sink *sink)
{
	((struct counter *)sink)->finished++;
	return -EIO;
}

static void passes_on_what_it_keeps(void **state)
{
	struct counter counter = { .sink = { .emit = count_emit, .finish = count_finish } };
	struct selection *selection = selection_new();
	struct sink *select;

	(void)state;
	assert_true(selection_add(selection, "pid", "1-50"));
	select = select_new(selection, &counter.sink);
	for (int32_t pid = 0; pid < 100; pid++) {
		struct event *event = other_event(EVENT_NOTE, pid);

		sink_emit(select, event);
		event_unref(event);
	}
	assert_int_equal(counter.count, 51);
	assert_int_equal(sink_finish(select), -EIO);
	assert_int_equal(counter.finished, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(criteria_of_data),
		cmocka_unit_test(other_addresses),
		cmocka_unit_test(criteria_have_their_scope),
		cmocka_unit_test(failed_calls),
		cmocka_unit_test(different_names_must_all_hold),
		cmocka_unit_test(values_without_sense),
		cmocka_unit_test(values_that_never_hold),
		cmocka_unit_test(passes_on_what_it_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
