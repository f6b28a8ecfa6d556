/* `iotrace -- PROGRAM`: starts a program and follows it and all its children. */
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "capture/capture.h"
#include "cmd/cmd.h"
#include "cmd/opt.h"
#include "cmd/pipeline.h"
#include "cmd/selection.h"
#include "cmd/signals.h"
#include "cmd/user.h"
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
	bool unix_sockets, all_fds, errors;
	bool lsan_off, no_io_uring;
	bool pin, background, stack;
	const char *user;
	uint64_t max_bytes;
	struct output_settings output;
	struct selection_settings selection;
};

#define AT(field) offsetof(struct trace_settings, field)

static const struct opt_row capture_options[] = {
	{ OPT_FLAG, 0, "unix", NULL, "local (AF_UNIX) sockets, too", AT(unix_sockets) },
	{ OPT_FLAG, 0, "all-fds", NULL,
	  "everything that is read or written: files, pipes, terminals", AT(all_fds) },
	{ OPT_FLAG, 0, "errors", NULL, "show calls that would block (EAGAIN), too", AT(errors) },
	{ OPT_SIZE, 0, "max-bytes", "SIZE", "keep so much of each message (default: all)",
	  AT(max_bytes) },
	{ OPT_FLAG, 0, "stack", NULL, "where in the program each call was made", AT(stack) },
	{ .kind = OPT_END },
};

static const struct opt_row program_options[] = {
	{ OPT_TEXT, 'u', "user", "USER", "run the program as that user (root only)", AT(user) },
	{ OPT_FLAG, 'D', "background", NULL, "the program is our caller's child, the tracer is not",
	  AT(background) },
	{ OPT_FLAG, 0, "no-io-uring", NULL, "io_uring_setup fails, so programs use system calls",
	  AT(no_io_uring) },
	{ OPT_FLAG, 0, "lsan-off", NULL, "switch LeakSanitizer off, which fails under any tracer",
	  AT(lsan_off) },
	{ OPT_FLAG, 0, "pin", NULL,
	  "tracer and program on one processor: faster for one busy program", AT(pin) },
	{ OPT_FLAG, 'h', "help", NULL, "print this and exit", AT(help) },
	{ OPT_FLAG, 'V', "version", NULL, "print the version and exit", AT(version) },
	{ .kind = OPT_END },
};

static const struct opt_group groups[] = {
	{ "What is captured", capture_options, 0 },
	{ "What is kept", selection_options, AT(selection) },
	{ "Output", output_options, AT(output) },
	{ "The program", program_options, 0 },
	{ 0 },
};

/* One run, from the settings to the exit status. */
struct trace {
	const struct trace_settings *settings;
	struct signals_before before;
	struct rlimit nofile;
	struct spawn_user user;
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

static struct spawn spawn_of(struct trace *trace, char **argv)
{
	return (struct spawn){
		.argv = argv,
		.envp = environ,
		.background = trace->settings->background,
		.out_fd = output_uses_stdout(&trace->settings->output) ? STDERR_FILENO : -1,
		.user = trace->settings->user ? &trace->user : NULL,
		.sigmask = &trace->before.mask,
		.sigpipe = &trace->before.pipe,
		.nofile = &trace->nofile,
		.owns_socket = capture_owns_socket,
		.ctx = trace->capture,
	};
}

static int exit_status(struct trace *trace, const char *program)
{
	int status = tracer_main_status(trace->tracer);
	struct spawn_error error;

	if (tracer_start_failed(trace->tracer, &error))
		return spawn_failed(program, &error);
	if (signals_killed(trace->signals))
		return 128 + SIGINT;
	if (trace->pipeline.failed)
		return EXIT_IOTRACE_FAILED;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* From the program's start to the end of all that is traced. */
static int follow(struct trace *trace, const struct spawn *spawn)
{
	struct spawn_error error = { 0 };
	int result = tracer_start(trace->tracer, spawn, &error);

	if (result) {
		capture_end(trace->capture);
		pipeline_finish(&trace->pipeline);
		return spawn_failed(spawn->argv[0], &error);
	}
	trace->signals = signals_new(trace->tracer);
	capture_set_kicked(trace->capture, signals_handle, trace->signals);
	result = tracer_run(trace->tracer);
	if (result)
		log_errno(-result, "waiting for the program failed");
	capture_end(trace->capture);
	pipeline_finish(&trace->pipeline);
	result = exit_status(trace, spawn->argv[0]);
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

static int prepare(struct trace *trace)
{
	const struct trace_settings *settings = trace->settings;
	struct capture_options capture = {
		.again = settings->errors,
		.lsan_off = settings->lsan_off,
		.unix_sockets = settings->unix_sockets || settings->all_fds,
		.all_fds = settings->all_fds,
		.no_io_uring = settings->no_io_uring,
		.stack = settings->stack,
		.max_bytes = settings->max_bytes,
	};
	struct tracer_options tracer = {
		.pin = settings->pin,
		.named = capture.unix_sockets,
		.files = settings->all_fds,
		.no_io_uring = settings->no_io_uring,
	};
	int error;

	trace->capture = capture_new(&capture);
	trace->tracer = tracer_new(&capture_ops, trace->capture, &tracer, &error);
	if (!trace->tracer)
		return log_errno(-error, "cannot make the system call filter");
	capture_set_tracer(trace->capture, trace->tracer);
	return 0;
}

/* argv is the whole command line, for the first event. */
static int run(struct trace *trace, int argc, char **argv, char **program)
{
	struct spawn spawn = spawn_of(trace, program);
	struct selection *selection = selection_make(&trace->settings->selection);
	struct spawn_error error;

	if (!selection)
		return EXIT_IOTRACE_FAILED;
	if (tracer_prepare(trace->tracer, &spawn, &error)) {
		selection_free(selection);
		return spawn_failed(program[0], &error);
	}
	if (pipeline_open(&trace->pipeline, &trace->settings->output, selection)) {
		tracer_abandon(trace->tracer);
		return EXIT_IOTRACE_FAILED;
	}
	capture_set_sink(trace->capture, trace->pipeline.sink);
	emit_start(trace, argc, argv);
	return follow(trace, &spawn);
}

static int check_and_run(struct trace *trace, int argc, char **argv, char **program)
{
	const struct trace_settings *settings = trace->settings;
	int result = EXIT_IOTRACE_FAILED;

	guard_standard_descriptors();
	raise_limits(trace);
	signals_block(&trace->before);
	if (settings->lsan_off) {
		lsan_off("ASAN_OPTIONS");
		lsan_off("LSAN_OPTIONS");
	}
	if (settings->user && user_find(settings->user, &trace->user))
		return result;
	if (!prepare(trace))
		result = run(trace, argc, argv, program);
	tracer_free(trace->tracer);
	capture_free(trace->capture);
	user_done(&trace->user);
	return result;
}

int trace_main(int argc, char **argv)
{
	struct trace_settings settings = { 0 };
	struct trace trace = { .settings = &settings };
	int at = opt_parse(groups, argc, argv, &settings);
	int result = EXIT_IOTRACE_FAILED;

	if (at < 0) {
		/* It has been said. */
	} else if (settings.help) {
		result = print_help();
	} else if (settings.version) {
		result = 0;
		printf("iotrace %s\n", IOTRACE_VERSION);
	} else if (at >= argc) {
		log_error(
			"no program to trace: iotrace [OPTION]... -- PROGRAM [ARG]...; see --help");
	} else {
		result = check_and_run(&trace, argc, argv, argv + at);
	}
	opt_list_done(&settings.output.files);
	selection_settings_done(&settings.selection);
	return result;
}
