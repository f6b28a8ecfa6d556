#include "iotrace/event.h"

#include "base/utf8.h"
#include "event/sink.h"
#include "unit.h"

static void new_is_empty(void **state)
{
	(void)state;
	for (int type = 0; type < EVENT_TYPES; type++) {
		struct event *event = event_new((enum event_type)type, 0);

		assert_int_equal(event->type, type);
		assert_int_equal(event->seq, 0);
		assert_int_equal(event->time, 0);
		assert_int_equal(event->pid, 0);
		assert_string_equal(event->comm, "");
		assert_int_equal(event_size(event), sizeof(*event));
		event_unref(event);
	}
	event_unref(NULL);
}

static void references(void **state)
{
	struct event *event = event_new(EVENT_NOTE, 16);

	(void)state;
	assert_ptr_equal(event_ref(event), event);
	event_unref(event);
	/* Still there: a sanitizer would see a use after it was freed. */
	event->note.text = event_text(event, "kept");
	assert_string_equal(event->note.text, "kept");
	event_unref(event);
}

/* A leak would be seen by a sanitizer. */
static void owned_memory_goes_with_it(void **state)
{
	struct event *event = event_new(EVENT_DATA, 0);

	(void)state;
	event->owned = malloc(100);
	event_ref(event);
	event_unref(event);
	memset(event->owned, 1, 100);
	event_unref(event);
}

static void room_is_bounded(void **state)
{
	struct event *event = event_new(EVENT_DATA, 100);
	char *first = event_room(event, 60), *second;

	(void)state;
	assert_non_null(first);
	assert_null(event_room(event, 41));
	assert_null(event_room(event, SIZE_MAX));
	second = event_room(event, 40);
	assert_ptr_equal(second, first + 60);
	assert_null(event_room(event, 1));
	assert_non_null(event_room(event, 0));
	memset(first, 'x', 100);
	assert_int_equal(event_size(event), sizeof(*event) + 100);
	event_unref(event);
}

static const struct text_case {
	size_t room;
	const char *text;
	size_t len;
	const char *expected;
} text_cases[] = {
	{ 0, BYTES("abc"), "" },
	{ 1, BYTES("abc"), "" },
	{ 4, BYTES(""), "" },
	{ 3, BYTES("abc"), "ab" },
	{ 4, BYTES("abc"), "abc" },
	{ 100, BYTES("abc"), "abc" },
	/* Cut between characters, never in one. */
	{ 3, BYTES("a\xc3\xbc"), "a" },
	{ 4, BYTES("a\xc3\xbc"), "a\xc3\xbc" },
	{ 4, BYTES("\xf0\x9f\x98\x80"), "" },
	{ 5, BYTES("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80" },
	{ 7, BYTES("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"), "\xe2\x82\xac\xe2\x82\xac" },
	{ 9, BYTES("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"), "\xe2\x82\xac\xe2\x82\xac" },
	{ 10, BYTES("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"),
	  "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac" },
	{ EVENT_TEXT_ROOM(2), BYTES("\xff\xfe"), "\xef\xbf\xbd\xef\xbf\xbd" },
	{ EVENT_TEXT_ROOM(4), BYTES("a\xff\xc3\xbc"), "a\xef\xbf\xbd\xc3\xbc" },
	{ 2, BYTES("\xff"), "" },
	{ 3, BYTES("\xff"), "" },
	{ 4, BYTES("\xff\xff"), "\xef\xbf\xbd" },
};

static void text_is_cut_at_characters(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(text_cases); i++) {
		const struct text_case *c = &text_cases[i];
		struct event *event = event_new(EVENT_NOTE, c->room);
		const char *text = event_text_len(event, c->text, c->len);

		CHECK(!strcmp(text, c->expected), "row %zu: %s", i, text);
		assert_true(event->room_used <= event->room_size);
		event_unref(event);
	}
}

/* The byte that is no character is behind what fits; what is cut off does not count. */
static void unclean_text_is_cut_at_characters(void **state)
{
	static const char text[] = "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xff";
	const char *before;

	(void)state;
	for (size_t room = 1; room < 40; room++) {
		struct event *event = event_new(EVENT_NOTE, room);

		before = event_text_len(event, text, sizeof(text) - 1);
		for (const char *at = before; *at; at += 3)
			CHECK(!memcmp(at, "\xe2\x82\xac", 3) ||
				      (at == before + 9 && !memcmp(at, "\xef\xbf\xbd", 3)),
			      "room %zu: %s", room, before);
		event_unref(event);
	}
}

static void text_room_is_enough(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		size_t len = unit_random(&seed) % 40;
		struct event *event = event_new(EVENT_NOTE, EVENT_TEXT_ROOM(len));
		char *raw = malloc(len + 1), *clean = malloc(3 * len + 1);
		const char *text;
		size_t n;

		for (size_t i = 0; i < len; i++)
			raw[i] = (char)(1 + unit_random(&seed) % 255);
		text = event_text_len(event, raw, len);
		n = utf8_clean(raw, len, clean);
		assert_int_equal(strlen(text), n);
		assert_memory_equal(text, clean, n);
		free(raw);
		free(clean);
		event_unref(event);
	}
}

static void texts_stand_behind_each_other(void **state)
{
	struct event *event = event_new(EVENT_IOTRACE, 16);
	const char *first = event_text(event, "one"), *second = event_text(event, "two");

	(void)state;
	assert_ptr_equal(second, first + 4);
	assert_memory_equal(first, "one\0two", 8);
	assert_int_equal(event->room_used, 8);
	/* What is left is 8 bytes, with the NUL. */
	assert_string_equal(event_text(event, "a longer text"), "a longe");
	assert_int_equal(event->room_used, 16);
	assert_string_equal(event_text(event, "more"), "");
	assert_int_equal(event->room_used, 16);
	event_unref(event);
}

static void comm(void **state)
{
	static const struct {
		const char *comm, *expected;
	} cases[] = {
		{ "", "" },
		{ "bash", "bash" },
		{ "exactly15bytes!", "exactly15bytes!" },
		{ "more than 15 bytes", "more than 15 by" },
		{ "\xff", "\xef\xbf\xbd" },
	};
	struct event *event = event_new(EVENT_NOTE, 0);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		event_set_comm(event, cases[i].comm);
		assert_string_equal(event->comm, cases[i].expected);
	}
	event_set_comm(event, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
	assert_int_equal(strlen(event->comm), 45);
	event_unref(event);
}

static void moved(void **state)
{
	static const struct {
		enum event_type type;
		uint32_t flags;
		int error;
		uint64_t expected;
	} cases[] = {
		{ EVENT_DATA, 0, 0, 100 },
		{ EVENT_DATA, FLAG_TRUNC | FLAG_FILE | FLAG_KTLS | FLAG_OOB, 0, 100 },
		{ EVENT_DATA, FLAG_PEEK, 0, 0 },
		{ EVENT_DATA, FLAG_PEEK | FLAG_OOB, 0, 0 },
		{ EVENT_DATA, FLAG_ERRQUEUE, 0, 0 },
		{ EVENT_DATA, 0, 104, 0 },
		{ EVENT_LOSS, 0, 0, 0 },
		{ EVENT_END, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct event *event = event_new(cases[i].type, 0);

		if (cases[i].type == EVENT_DATA) {
			event->data.len = 100;
			event->data.flags = cases[i].flags;
			event->data.error = cases[i].error;
		} else if (cases[i].type == EVENT_LOSS) {
			event->loss.bytes = 100;
		}
		CHECK(event_moved(event) == cases[i].expected, "row %zu", i);
		event_unref(event);
	}
}

static const struct {
	const char *what;
	const char *const *names;
	size_t count;
	bool none; /* the first has no name */
} all_names[] = {
	{ "type", event_type_names, EVENT_TYPES, false },
	{ "process", process_event_names, PROCESS_EVENTS, false },
	{ "socket", socket_event_names, SOCKET_EVENTS, false },
	{ "family", event_family_names, FAMILIES, true },
	{ "proto", event_proto_names, PROTOS, true },
	{ "dir", event_dir_names, DIRS, false },
	{ "layer", event_layer_names, LAYERS, false },
	{ "flag", event_flag_names, EVENT_FLAGS, false },
};

static void names_find_their_way_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_names); i++) {
		for (size_t n = 0; n < all_names[i].count; n++) {
			const char *name = all_names[i].names[n];

			if (!n && all_names[i].none) {
				assert_null(name);
				continue;
			}
			CHECK(name, "%s %zu", all_names[i].what, n);
			assert_int_equal(event_name_find(all_names[i].names, all_names[i].count,
							 name, strlen(name)),
					 n);
		}
	}
}

static void unknown_names(void **state)
{
	(void)state;
	assert_int_equal(event_name_find(event_proto_names, PROTOS, "tcpx", 3), PROTO_TCP);
	assert_int_equal(event_name_find(event_proto_names, PROTOS, "tcpx", 4), -1);
	assert_int_equal(event_name_find(event_proto_names, PROTOS, "tc", 2), -1);
	assert_int_equal(event_name_find(event_proto_names, PROTOS, "", 0), -1);
	assert_int_equal(event_name_find(event_proto_names, PROTOS, "TCP", 3), -1);
	assert_int_equal(event_name_find(event_proto_names, 0, "tcp", 3), -1);
	assert_int_equal(event_name_find(event_proto_names, PROTOS, "tcp\0", 4), -1);
}

/* The words of schema 1 (docs/events.md): they may grow, they never change. */
static void words_of_the_schema(void **state)
{
	(void)state;
	assert_string_equal(event_type_names[EVENT_IOTRACE], "iotrace");
	assert_string_equal(event_type_names[EVENT_END], "end");
	assert_string_equal(process_event_names[PROCESS_EXEC], "exec");
	assert_string_equal(socket_event_names[SOCKET_SHUTDOWN], "shutdown");
	assert_string_equal(event_proto_names[PROTO_UNIX_SEQPACKET], "unix-seqpacket");
	assert_string_equal(event_family_names[FAMILY_INET6], "inet6");
	assert_string_equal(event_dir_names[DIR_IN], "in");
	assert_string_equal(event_layer_names[LAYER_PLAIN], "plain");
	for (unsigned int bit = 0; bit < EVENT_FLAGS; bit++)
		assert_non_null(event_flag_names[bit]);
	assert_string_equal(event_flag_names[__builtin_ctz(FLAG_KTLS)], "ktls");
	assert_string_equal(event_flag_names[__builtin_ctz(FLAG_PEEK)], "peek");
	assert_string_equal(event_flag_names[__builtin_ctz(FLAG_ERRQUEUE)], "errqueue");
}

static void datagrams(void **state)
{
	static const enum event_proto protos[] = {
		PROTO_UDP,     PROTO_RAW,  PROTO_UNIX_DGRAM, PROTO_UNIX_SEQPACKET,
		PROTO_UDPLITE, PROTO_DCCP, PROTO_ICMP,
	};

	(void)state;
	for (int proto = 0; proto < PROTOS; proto++) {
		bool expected = false;

		for (size_t i = 0; i < COUNT(protos); i++)
			expected |= (int)protos[i] == proto;
		assert_int_equal(event_proto_is_datagram((enum event_proto)proto), expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_is_empty),
		cmocka_unit_test(references),
		cmocka_unit_test(owned_memory_goes_with_it),
		cmocka_unit_test(room_is_bounded),
		cmocka_unit_test(text_is_cut_at_characters),
		cmocka_unit_test(unclean_text_is_cut_at_characters),
		cmocka_unit_test(text_room_is_enough),
		cmocka_unit_test(texts_stand_behind_each_other),
		cmocka_unit_test(comm),
		cmocka_unit_test(moved),
		cmocka_unit_test(names_find_their_way_back),
		cmocka_unit_test(unknown_names),
		cmocka_unit_test(words_of_the_schema),
		cmocka_unit_test(datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
