/* `iotrace -- PROGRAM`: starts a program and follows it and all its children. */
#include "cmd/trace.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "capture/capture.h"
#include "cmd/cmd.h"
#include "cmd/opt.h"
#include "cmd/pipeline.h"
#include "cmd/selection.h"
#include "cmd/signals.h"
#include "cmd/targets.h"
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

#define AT(field) offsetof(struct trace_settings, field)

static const struct opt_row target_options[] = {
	{ OPT_LIST, 'p', "attach", "PID[,PID]", "attach to running processes, all their threads",
	  AT(targets.pids) },
	{ OPT_LIST, 0, "name", "NAME",
	  "attach to processes of that name, also those that start later", AT(targets.names) },
	{ OPT_FLAG, 0, "no-follow", NULL, "do not follow children of attached processes",
	  AT(no_follow) },
	{ OPT_TIME, 0, "for", "TIME", "record for so long: seconds, or with ms, s, m, h",
	  AT(for_ns) },
	{ OPT_COUNT, 0, "count", "N", "record so many data events", AT(count) },
	{ .kind = OPT_END },
};

const struct opt_row trace_capture_options[] = {
	{ OPT_FLAG, 0, "unix", NULL, "local (AF_UNIX) sockets, too", AT(unix_sockets) },
	{ OPT_FLAG, 0, "all-fds", NULL,
	  "everything that is read or written: files, pipes, terminals", AT(all_fds) },
	{ OPT_FLAG, 0, "errors", NULL, "show calls that would block (EAGAIN), too", AT(errors) },
	{ OPT_SIZE, 0, "max-bytes", "SIZE", "keep so much of each message (default: all)",
	  AT(max_bytes) },
	{ OPT_FLAG, 0, "no-tls", NULL, "do not look into TLS libraries for plaintext", AT(no_tls) },
	{ OPT_LIST, 0, "probe", "PROBE",
	  "data of other functions: gzip, zlib, brotli, or 'SYMBOL "
	  "entry|return in|out BUFFER LENGTH'",
	  AT(probes) },
	{ OPT_TEXT, 0, "engine", "auto|stop|tap",
	  "stop at each call, or record inside the process where that can be done (default: auto)",
	  AT(engine) },
	{ OPT_FLAG, 0, "stack", NULL, "where in the program each call was made", AT(stack) },
	{ .kind = OPT_END },
};

const struct opt_row trace_program_options[] = {
	{ OPT_TEXT, 'u', "user", "USER", "run the program as that user (root only)", AT(user) },
	{ OPT_FLAG, 0, "no-io-uring", NULL, "io_uring_setup fails, so programs use system calls",
	  AT(no_io_uring) },
	{ OPT_FLAG, 0, "lsan-off", NULL, "switch LeakSanitizer off, which fails under any tracer",
	  AT(lsan_off) },
	{ OPT_FLAG, 0, "pin", NULL,
	  "tracer and program on one processor: faster for one busy program", AT(pin) },
	{ .kind = OPT_END },
};

static const struct opt_row other_options[] = {
	{ OPT_FLAG, 'D', "background", NULL, "the program is our caller's child, the tracer is not",
	  AT(background) },
	{ OPT_FLAG, 'h', "help", NULL, "print this and exit", AT(help) },
	{ OPT_FLAG, 'V', "version", NULL, "print the version and exit", AT(version) },
	{ .kind = OPT_END },
};

static const struct opt_group groups[] = {
	{ "What is traced", target_options, 0 },
	{ "What is captured", trace_capture_options, 0 },
	{ "What is kept", selection_options, AT(selection) },
	{ "Which messages are shown", picking_options, AT(selection) },
	{ "Output", output_options, AT(output) },
	{ "While it runs", live_output_options, AT(output) },
	{ "The program", trace_program_options, 0 },
	{ "Besides", other_options, 0 },
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
	struct targets *targets;
	struct signals *signals;
	const char *program; /* NULL: none is started */
	bool killed;         /* by the user */
	const struct trace_hooks *hooks;
	struct trace_outcome outcome;
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
 * is closed on exec, so the program finds them as they were; what is written to an output that was asked for
 * fails, as it would have.
 */
static void guard_standard_descriptors(void)
{
	static const int modes[] = { O_RDWR, O_RDONLY, O_RDWR };

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", modes[fd] | O_CLOEXEC);
}

static void emit_start(struct trace *trace, int argc, char **argv)
{
	size_t room = 0;
	struct event *event;
	struct utsname host;
	const char *start, *why;

	for (int i = 0; i < argc; i++)
		room += EVENT_TEXT_ROOM(strlen(argv[i]));
	uname(&host);
	event = event_new(EVENT_IOTRACE, room + 2 * EVENT_TEXT_ROOM(sizeof(host.nodename)));
	event->time = clock_realtime();
	event->start.schema = EVENT_SCHEMA;
	event->start.version = IOTRACE_VERSION;
	event->start.engine = capture_engine(trace->capture, &why);
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

static int spawn_failed(struct trace *trace, const struct spawn_error *error)
{
	const char *program = trace->program;

	if (error->what && !strcmp(error->what, "exec")) {
		log_errno(error->error, "cannot execute %s", program);
		return error->error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
	}
	trace->outcome.refused = error->what && !strcmp(error->what, "seize");
	if (trace->outcome.refused)
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

static int exit_status(struct trace *trace)
{
	int status = tracer_main_status(trace->tracer);
	struct spawn_error error;

	if (trace->program && tracer_start_failed(trace->tracer, &error))
		return spawn_failed(trace, &error);
	trace->outcome.started = trace->program != NULL;
	trace->outcome.failed = trace->pipeline.failed;
	if (trace->killed)
		return 128 + SIGINT;
	if (trace->pipeline.failed)
		return EXIT_IOTRACE_FAILED;
	if (!trace->program)
		return 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* What was attached is let go; of what was started no more is recorded. */
static void end_recording(struct trace *trace)
{
	tracer_keep(trace->tracer, false);
	targets_stop(trace->targets);
	tracer_detach(trace->tracer);
	capture_stop(trace->capture);
}

static void handle_signals(struct trace *trace, const struct signals_due *due)
{
	for (int sig = 1; sig < NSIG; sig++) {
		if (due->by_kill[sig])
			tracer_signal(trace->tracer, sig, false);
		if (due->by_terminal[sig])
			tracer_signal(trace->tracer, sig, true);
	}
	if (due->any) {
		tracer_keep(trace->tracer, false);
		targets_stop(trace->targets);
		tracer_detach(trace->tracer);
	}
	if (due->twice) {
		trace->killed = trace->program != NULL;
		tracer_kill_all(trace->tracer);
	}
}

/* In the tracer's thread. */
static void on_kicked(void *ctx)
{
	struct trace *trace = ctx;
	struct signals_due due;

	targets_handle(trace->targets);
	signals_take(trace->signals, &due);
	handle_signals(trace, &due);
	if (due.time_up)
		end_recording(trace);
	if (trace->hooks && trace->hooks->kicked)
		trace->hooks->kicked(trace->hooks->ctx, trace->tracer);
}

/* In the output's thread. */
static void on_count_reached(void *ctx)
{
	struct trace *trace = ctx;

	signals_stop(trace->signals);
}

/* Starts and attaches what there is. 0, or an exit status after a message. */
static int begin(struct trace *trace, const struct spawn *spawn)
{
	struct spawn_error error = { 0 };
	int count = targets_attach(trace->targets);

	if (count < 0) {
		tracer_abandon(trace->tracer);
		return EXIT_IOTRACE_FAILED;
	}
	tracer_keep(trace->tracer, targets_are_watched(trace->targets));
	if (trace->program && tracer_start(trace->tracer, spawn, &error))
		return spawn_failed(trace, &error);
	return 0;
}

/* From the start to the end of all that is traced. */
static int follow(struct trace *trace, const struct spawn *spawn)
{
	int result;

	trace->signals = signals_new(trace->tracer, trace->settings->for_ns);
	capture_set_kicked(trace->capture, on_kicked, trace);
	if (trace->hooks && trace->hooks->begin)
		trace->hooks->begin(trace->hooks->ctx, trace->tracer);
	result = begin(trace, spawn);
	if (result)
		tracer_detach(trace->tracer);
	if (tracer_run(trace->tracer))
		log_error("waiting for what is traced failed");
	if (trace->hooks && trace->hooks->over)
		trace->hooks->over(trace->hooks->ctx);
	targets_stop(trace->targets);
	capture_end(trace->capture);
	pipeline_finish(&trace->pipeline);
	trace->outcome.interrupted = signals_came(trace->signals);
	signals_free(trace->signals);
	return result ? result : exit_status(trace);
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

static int choose_engine(const char *name, enum capture_engine *ret_engine)
{
	static const char *const names[] = { "auto", "stop", "tap" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name ? name : names[0], names[i])) {
			*ret_engine = (enum capture_engine)i;
			return 0;
		}
	log_error("--engine %s: it is auto, stop or tap", name);
	return -1;
}

/* Who asks for the tap wants to know that there is none. */
static int check_engine(const struct trace *trace, enum capture_engine wanted)
{
	const char *why, *name = capture_engine(trace->capture, &why);

	if (wanted != ENGINE_TAP || !strcmp(name, "tap"))
		return 0;
	log_error("--engine tap: %s", why);
	return -1;
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
		.no_tls = settings->no_tls,
		.probes = settings->probes.items,
		.max_bytes = settings->max_bytes,
		.explain = settings->output.verbose > 0,
		.no_follow = settings->no_follow,
	};
	struct tracer_options tracer = {
		.pin = settings->pin,
		.named = capture.unix_sockets,
		.files = settings->all_fds,
		.no_io_uring = settings->no_io_uring,
		.no_follow = settings->no_follow,
	};
	const char *why;
	int error;

	if (choose_engine(settings->engine, &capture.engine))
		return -1;
	trace->capture = capture_new(&capture);
	/* With the tap, code that an attached program maps has to be looked at. */
	tracer.probes = capture_probes(trace->capture) || capture.engine == ENGINE_TAP;
	trace->tracer = tracer_new(&capture_ops, trace->capture, &tracer, &error);
	if (!trace->tracer)
		return log_errno(-error, "cannot make the system call filter");
	error = capture_set_tracer(trace->capture, trace->tracer, &why);
	if (error) {
		log_error("--probe '%s': %s", settings->probes.items[error - 1], why);
		return -1;
	}
	if (check_engine(trace, capture.engine))
		return -1;
	trace->targets = targets_new(&settings->targets, trace->tracer, trace->capture);
	trace->pipeline.limit = (struct tally_limit){ settings->count, on_count_reached, trace };
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
	if (trace->program && tracer_prepare(trace->tracer, &spawn, &error)) {
		selection_free(selection);
		return spawn_failed(trace, &error);
	}
	if (pipeline_open(&trace->pipeline, &trace->settings->output, &trace->settings->selection,
			  selection)) {
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
	targets_free(trace->targets);
	tracer_free(trace->tracer);
	capture_free(trace->capture);
	user_done(&trace->user);
	return result;
}

int trace_program(struct trace_settings *settings, const struct trace_hooks *hooks, int argc,
		  char **argv, int at, struct trace_outcome *ret_outcome)
{
	struct trace trace = { .settings = settings,
			       .hooks = hooks,
			       .program = at < argc ? argv[at] : NULL };
	int result;

	/* The list ends with NULL for who reads it. */
	opt_list_add(&settings->probes, NULL);
	result = check_and_run(&trace, argc, argv, argv + at);
	*ret_outcome = trace.outcome;
	return result;
}

void trace_settings_done(struct trace_settings *settings)
{
	opt_list_done(&settings->probes);
	opt_list_done(&settings->targets.pids);
	opt_list_done(&settings->targets.names);
	output_settings_done(&settings->output);
	selection_settings_done(&settings->selection);
}

int trace_main(int argc, char **argv)
{
	struct trace_settings settings = { 0 };
	struct trace_outcome outcome;
	int at = opt_parse(groups, argc, argv, &settings);
	int result = EXIT_IOTRACE_FAILED;

	if (at < 0) {
		/* It has been said. */
	} else if (settings.help) {
		result = print_help();
	} else if (settings.version) {
		result = 0;
		printf("iotrace %s\n", IOTRACE_VERSION);
	} else if (at >= argc && !settings.targets.pids.count && !settings.targets.names.count) {
		log_error("nothing to trace: name a program, -p PID or --name NAME; see --help");
	} else if (at >= argc && (settings.user || settings.background)) {
		log_error("-u and -D are for a program that is started");
	} else {
		result = trace_program(&settings, NULL, argc, argv, at, &outcome);
	}
	trace_settings_done(&settings);
	return result;
}
