/* `iotrace -- PROGRAM`: starts a program and follows it and all its children. */
#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "capture/capture.h"
#include "cmd/cmd.h"
#include "cmd/opt.h"
#include "cmd/pipeline.h"
#include "cmd/signals.h"
#include "tracer/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

struct trace_settings {
	bool help, version;
	bool errors;
	bool lsan_off;
	bool pin;
	struct output_settings output;
};

#define AT(field) offsetof(struct trace_settings, field)

static const struct opt_row trace_options[] = {
	{ OPT_FLAG, 0, "errors", NULL, "show calls that would block (EAGAIN), too", AT(errors) },
	{ OPT_FLAG, 0, "pin", NULL,
	  "tracer and program on one processor: faster for one busy program", AT(pin) },
	{ OPT_FLAG, 0, "lsan-off", NULL, "switch LeakSanitizer off, which fails under any tracer",
	  AT(lsan_off) },
	{ OPT_FLAG, 'h', "help", NULL, "print this and exit", AT(help) },
	{ OPT_FLAG, 'V', "version", NULL, "print the version and exit", AT(version) },
	{ .kind = OPT_END },
};

static const struct opt_group groups[] = {
	{ "Output", output_options, AT(output) },
	{ "Other", trace_options, 0 },
	{ 0 },
};

/* One run, from the opened outputs to the exit status. */
struct trace {
	const struct trace_settings *settings;
	struct signals_before before;
	struct rlimit nofile;
	struct pipeline pipeline;
	struct capture *capture;
	struct tracer *tracer;
	struct signals *signals;
};

static int print_help(void)
{
	for (const struct command *command = commands; command->run; command++)
		printf("%s iotrace %s\n", command == commands ? "Usage:" : "      ",
		       command->usage);
	printf("\nShows what a program sends to and receives from the network.\n");
	opt_print_help(groups);
	printf("\nExit status: the program's own (128+n if killed by signal n); 125 iotrace "
	       "failed,\n"
	       "126 the program cannot be executed, 127 it was not found.\n");
	return 0;
}

/*
 * Where standard descriptors are closed, a file of ours would get their numbers. What fills the gap
 * is closed on exec, so the program finds them as they were.
 */
static void guard_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static void emit_start(struct trace *trace, int argc, char **argv)
{
	size_t room = 0;
	struct event *event;
	struct utsname host;
	const char *start;

	for (int i = 0; i < argc; i++)
		room += EVENT_TEXT_ROOM(strlen(argv[i]));
	uname(&host);
	event = event_new(EVENT_IOTRACE, room + 2 * EVENT_TEXT_ROOM(sizeof(host.nodename)));
	event->time = clock_realtime();
	event->start.schema = EVENT_SCHEMA;
	event->start.version = IOTRACE_VERSION;
	event->start.engine = "stop";
	event->start.host = event_text(event, host.nodename);
	event->start.kernel = event_text(event, host.release);
	start = (const char *)event->room + event->room_used;
	for (int i = 0; i < argc; i++)
		event_text(event, argv[i]);
	event->start.argv.data = start;
	event->start.argv.len = (size_t)((const char *)event->room + event->room_used - start);
	sink_emit(trace->pipeline.sink, event);
	event_unref(event);
}

static void lsan_off(const char *variable)
{
	const char *old = getenv(variable);
	char *value auto_free = own_printf("%s%sdetect_leaks=0", old ? old : "", old ? ":" : "");

	setenv(variable, value, 1);
}

static int spawn_failed(const char *program, const struct spawn_error *error)
{
	if (error->what && !strcmp(error->what, "exec")) {
		log_errno(error->error, "cannot execute %s", program);
		return error->error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
	}
	if (error->what && !strcmp(error->what, "seize"))
		log_errno(error->error,
			  "cannot trace: iotrace may be under another tracer itself, or ptrace is "
			  "forbidden here (kernel.yama.ptrace_scope 3, a container's profile)");
	else if (error->what)
		log_errno(error->error, "cannot start %s (%s)", program, error->what);
	else
		log_error("%s was killed before it was executed", program);
	return EXIT_IOTRACE_FAILED;
}

static int start_program(struct trace *trace, char **argv)
{
	struct spawn_error error = { 0 };
	struct spawn spawn = {
		.argv = argv,
		.envp = environ,
		.out_fd = trace->pipeline.uses_stdout ? STDERR_FILENO : -1,
		.sigmask = &trace->before.mask,
		.sigpipe = &trace->before.pipe,
		.nofile = &trace->nofile,
		.owns_socket = capture_owns_socket,
		.ctx = trace->capture,
	};

	if (tracer_spawn(trace->tracer, &spawn, &error) < 0)
		return spawn_failed(argv[0], &error);
	return 0;
}

static int exit_status(struct trace *trace, const char *program)
{
	int status = tracer_main_status(trace->tracer);
	struct spawn_error error;

	if (tracer_spawn_failed(trace->tracer, &error))
		return spawn_failed(program, &error);
	if (signals_killed(trace->signals))
		return 128 + SIGINT;
	if (trace->pipeline.failed)
		return EXIT_IOTRACE_FAILED;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int follow(struct trace *trace, char **argv)
{
	int result = start_program(trace, argv);

	if (result) {
		capture_end(trace->capture);
		pipeline_finish(&trace->pipeline);
		return result;
	}
	trace->signals = signals_new(trace->tracer);
	capture_set_kicked(trace->capture, signals_handle, trace->signals);
	result = tracer_run(trace->tracer);
	if (result)
		log_errno(-result, "waiting for the program failed");
	capture_end(trace->capture);
	pipeline_finish(&trace->pipeline);
	result = exit_status(trace, argv[0]);
	signals_free(trace->signals);
	return result;
}

/* Every traced process with sockets costs a descriptor of ours. */
static void raise_limits(struct trace *trace)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &trace->nofile);
	limit = trace->nofile;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(struct trace *trace, int argc, char **argv, char **program)
{
	const struct trace_settings *settings = trace->settings;
	struct capture_options capture = { .again = settings->errors,
					   .lsan_off = settings->lsan_off };
	struct tracer_options tracer = { .pin = settings->pin };
	int result, error;

	guard_standard_descriptors();
	raise_limits(trace);
	signals_block(&trace->before);
	if (settings->lsan_off) {
		lsan_off("ASAN_OPTIONS");
		lsan_off("LSAN_OPTIONS");
	}
	if (pipeline_open(&trace->pipeline, &settings->output))
		return EXIT_IOTRACE_FAILED;
	trace->capture = capture_new(&capture, trace->pipeline.sink);
	trace->tracer = tracer_new(&capture_ops, trace->capture, &tracer, &error);
	if (!trace->tracer) {
		log_errno(-error, "cannot make the system call filter");
		pipeline_finish(&trace->pipeline);
		capture_free(trace->capture);
		return EXIT_IOTRACE_FAILED;
	}
	capture_set_tracer(trace->capture, trace->tracer);
	emit_start(trace, argc, argv);
	result = follow(trace, program);
	tracer_free(trace->tracer);
	capture_free(trace->capture);
	return result;
}

int trace_main(int argc, char **argv)
{
	struct trace_settings settings = { 0 };
	struct trace trace = { .settings = &settings };
	int at = opt_parse(groups, argc, argv, &settings);
	int result;

	if (at < 0)
		return EXIT_IOTRACE_FAILED;
	if (settings.help)
		return print_help();
	if (settings.version) {
		printf("iotrace %s\n", IOTRACE_VERSION);
		return 0;
	}
	if (at >= argc) {
		log_error(
			"no program to trace: iotrace [OPTION]... -- PROGRAM [ARG]...; see --help");
		return EXIT_IOTRACE_FAILED;
	}
	result = run(&trace, argc, argv, argv + at);
	opt_list_done(&settings.output.files);
	return result;
}
