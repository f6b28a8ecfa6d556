#include "cmd/verdict.h"

#include "base/log.h"
#include "base/own.h"
#include "cmd/golden_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AT(field) offsetof(struct verdict_settings, field)

const struct opt_row verdict_options[] = {
	{ OPT_TEXT, 0, "junit", "FILE", "write JUnit XML there: a test case for each exchange",
	  AT(junit) },
	{ OPT_TEXT, 0, "html", "FILE", "write a page there with both sides beside each other",
	  AT(html) },
	{ OPT_TEXT, 0, "color", "WHEN", "auto (the default), always or never", AT(color) },
	{ .kind = OPT_END },
};

void problems_add(struct problems *problems, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	problems->items =
		own_realloc(problems->items, (problems->count + 1) * sizeof(*problems->items));
	problems->items[problems->count++] = own_strdup(text);
}

void problems_done(struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		free(problems->items[i]);
	free(problems->items);
	*problems = (struct problems){ 0 };
}

static bool wants_color(const char *when)
{
	const char *no_color = getenv("NO_COLOR");

	if (when && strcmp(when, "auto") != 0)
		return !strcmp(when, "always");
	return isatty(STDOUT_FILENO) && !(no_color && *no_color);
}

static int write_report(const char *name,
			void (*report)(struct buf *out, const struct verdict *verdict),
			const struct verdict *verdict)
{
	struct buf text auto_buf = { 0 };

	if (!name)
		return 0;
	report(&text, verdict);
	return golden_file_write(name, &text) ? -1 : 0;
}

/* GitHub gives a file to append to; that it cannot be written is no verdict. */
static void tell_github(const struct verdict *verdict)
{
	const char *actions = getenv("GITHUB_ACTIONS"), *name = getenv("GITHUB_STEP_SUMMARY");
	struct buf text auto_buf = { 0 };
	int fd auto_close = -1;

	if (actions && !strcmp(actions, "true")) {
		report_annotations(&text, verdict);
		fwrite(text.data ? text.data : "", 1, text.len, stdout);
		text.len = 0;
	}
	if (!name || !*name)
		return;
	fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	report_summary(&text, verdict);
	if (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len)
		log_errno(errno, "cannot write the step's summary %s", name);
}

int verdict_tell(const struct verdict_settings *settings, struct verdict *verdict,
		 const struct problems *problems)
{
	struct buf text auto_buf = { 0 };
	int result;

	verdict->problems = (const char *const *)problems->items;
	verdict->problem_count = problems->count;
	/* Before what a reader of standard output that goes away can end. */
	result = write_report(settings->junit, report_junit, verdict);
	if (write_report(settings->html, report_html, verdict))
		result = -1;
	report_text(&text, verdict, wants_color(settings->color));
	fwrite(text.data ? text.data : "", 1, text.len, stdout);
	tell_github(verdict);
	return result;
}
