#include "sink/alerts.h"

#include "base/log.h"
#include "unit.h"

/* What is said about the event; the caller frees it. */
static char *said(struct event *event)
{
	struct sink *sink = alerts_new();
	int fd = unit_file();
	char *text;

	log_set_fd(fd);
	sink_emit(sink, event);
	assert_int_equal(sink_finish(sink), 0);
	log_set_fd(STDERR_FILENO);
	text = unit_content(fd, NULL);
	close(fd);
	event_unref(event);
	return text;
}

static struct event *event_of(enum event_type type, int32_t pid, const char *comm)
{
	struct event *event = event_new(type, 0);

	event->pid = event->tid = pid;
	event_set_comm(event, comm);
	return event;
}

static void notes(void **state)
{
	struct event *event = event_of(EVENT_NOTE, 7, "nc");
	char *text;

	(void)state;
	event->note.text = "io_uring is in use";
	text = said(event);
	assert_string_equal(text, "iotrace: nc[7]: io_uring is in use\n");
	free(text);
	event = event_of(EVENT_NOTE, 0, "");
	event->note.text = "the disk is slow";
	text = said(event);
	assert_string_equal(text, "iotrace: the disk is slow\n");
	free(text);
}

static void losses(void **state)
{
	struct event *event = event_of(EVENT_LOSS, 7, "nc");
	char *text;

	(void)state;
	event->loss = (struct event_loss){ .reason = "unreadable", .bytes = 70, .calls = 2 };
	text = said(event);
	assert_string_equal(text, "iotrace: nc[7]: lost 70 bytes in 2 calls (unreadable)\n");
	free(text);
	event = event_of(EVENT_LOSS, 0, "");
	event->loss = (struct event_loss){ .reason = "queue-full", .bytes = 70, .calls = 2 };
	text = said(event);
	assert_non_null(strstr(text, "lost 70 bytes in 2 calls (queue-full)\n"));
	free(text);
}

static void nothing_else(void **state)
{
	(void)state;
	for (int type = 0; type < EVENT_TYPES; type++) {
		char *text;

		if (type == EVENT_NOTE || type == EVENT_LOSS)
			continue;
		text = said(event_of((enum event_type)type, 7, "nc"));
		CHECK(!text[0], "%s: %s", event_type_names[type], text);
		free(text);
	}
}

/* A program may call itself anything (PR_SET_NAME). */
static void a_hostile_name_starts_no_line(void **state)
{
	struct event *event = event_of(EVENT_NOTE, 7, "x\niotrace: ok");
	char *text;

	(void)state;
	event->note.text = "io_uring is in use";
	text = said(event);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes),
		cmocka_unit_test(losses),
		cmocka_unit_test(nothing_else),
		cmocka_unit_test(a_hostile_name_starts_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
