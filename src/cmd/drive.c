#include "cmd/drive.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* Between SIGTERM and SIGKILL. */
#define TERM_NS 5000000000ULL

struct drive {
	struct sink sink;
	struct sink *next;
	struct trace_hooks hooks;
	uint64_t limit;
	int go_fd, done_fd; /* the helper's; -1: there is no command */
	int wake_fd;        /* the main program has ended, or the trace is over */
	struct tracer *tracer;
	pthread_t thread;
	bool running; /* the thread */
	atomic_int main_pid;
	atomic_bool main_ended, over, kill;
	bool listened; /* in the output's thread */
	struct drive_outcome outcome;
};

/*** The helper: not our child, since the tracer waits for all of those ***/

static _Noreturn void run_command(const char *command, int done_fd)
{
	int status = 127 << 8;
	pid_t pid = fork();

	if (!pid) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (write(done_fd, &status, sizeof(status)) != sizeof(status))
		_exit(1);
	_exit(0);
}

static _Noreturn void help(const char *command, int go_fd, int done_fd)
{
	char go;

	if (read(go_fd, &go, 1) != 1)
		_exit(0);
	close(go_fd);
	run_command(command, done_fd);
}

static int start_helper(struct drive *drive, const char *command)
{
	int go[2], done[2];
	pid_t middle;

	if (pipe2(go, O_CLOEXEC) || pipe2(done, O_CLOEXEC))
		return log_errno(errno, "cannot make a pipe for --drive");
	middle = fork();
	if (middle < 0)
		return log_errno(errno, "cannot start a process for --drive");
	if (!middle) {
		close(go[1]);
		close(done[0]);
		if (!fork())
			help(command, go[0], done[1]);
		_exit(0);
	}
	close(go[0]);
	close(done[1]);
	while (waitpid(middle, NULL, 0) < 0 && errno == EINTR)
		;
	drive->go_fd = go[1];
	drive->done_fd = done[0];
	return 0;
}

/*** Events, in the output's thread ***/

static void wake(struct drive *drive)
{
	uint64_t one = 1;

	/* An eventfd takes it unless its counter is full, and then it is awake. */
	if (write(drive->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void note_event(struct drive *drive, const struct event *event)
{
	if (event->type == EVENT_PROCESS && event->process.what == PROCESS_START &&
	    !atomic_load(&drive->main_pid))
		atomic_store(&drive->main_pid, event->pid);
	if (event->type == EVENT_SOCKET && event->socket.what == SOCKET_LISTEN &&
	    !event->socket.error && !drive->listened && drive->go_fd >= 0) {
		drive->listened = true;
		if (write(drive->go_fd, "g", 1) < 0)
			log_errno(errno, "cannot start the command of --drive");
	}
}

static void drive_emit(struct sink *sink, struct event *event)
{
	struct drive *drive = (struct drive *)sink;

	note_event(drive, event);
	if (drive->next)
		sink_emit(drive->next, event);
	if (event->type == EVENT_PROCESS && event->process.what == PROCESS_EXIT &&
	    event->pid == atomic_load(&drive->main_pid)) {
		atomic_store(&drive->main_ended, true);
		wake(drive);
	}
}

static int drive_finish(struct sink *sink)
{
	return sink_finish(((struct drive *)sink)->next);
}

/*** The watch ***/

static void end_main(struct drive *drive)
{
	pid_t pid = atomic_load(&drive->main_pid);

	/* It is traced and not waited for, so the number is its own. */
	if (pid > 0 && !atomic_load(&drive->main_ended))
		kill(pid, SIGTERM);
}

static int time_left(uint64_t deadline)
{
	uint64_t now = clock_monotonic();

	if (!deadline)
		return -1;
	return now >= deadline ? 0 : (int)((deadline - now) / 1000000) + 1;
}

static void take_done(struct drive *drive)
{
	int status;

	if (read(drive->done_fd, &status, sizeof(status)) == sizeof(status)) {
		drive->outcome.status = status;
		drive->outcome.failed = status != 0;
	}
	close(drive->done_fd);
	drive->done_fd = -1;
}

/* Until the main program has ended, or must be. */
static void wait_for_end(struct drive *drive)
{
	uint64_t deadline = drive->limit ? clock_monotonic() + drive->limit : 0;
	bool asked = false;

	while (!atomic_load(&drive->main_ended) && !atomic_load(&drive->over)) {
		struct pollfd fds[2] = { { drive->wake_fd, POLLIN, 0 },
					 { drive->done_fd, POLLIN, 0 } };
		int n = poll(fds, 2, time_left(deadline));

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0 && fds[1].revents) {
			take_done(drive);
			end_main(drive);
			deadline = clock_monotonic() + TERM_NS;
			asked = true;
		} else if (!n && asked) {
			return;
		} else if (!n) {
			drive->outcome.timed_out = true;
			end_main(drive);
			deadline = clock_monotonic() + TERM_NS;
			asked = true;
		}
	}
}

/* Whatever is left is not waited for. */
static void *watch(void *ctx)
{
	struct drive *drive = ctx;

	wait_for_end(drive);
	atomic_store(&drive->kill, true);
	while (!atomic_load(&drive->over)) {
		struct pollfd fd = { drive->wake_fd, POLLIN, 0 };
		uint64_t count;

		tracer_kick(drive->tracer);
		if (poll(&fd, 1, 10) > 0 &&
		    read(drive->wake_fd, &count, sizeof(count)) != sizeof(count))
			break;
	}
	return NULL;
}

static void on_begin(void *ctx, struct tracer *tracer)
{
	struct drive *drive = ctx;

	drive->tracer = tracer;
	drive->running = !pthread_create(&drive->thread, NULL, watch, drive);
}

static void on_kicked(void *ctx, struct tracer *tracer)
{
	struct drive *drive = ctx;

	if (atomic_load(&drive->kill))
		tracer_kill_all(tracer);
}

static void on_over(void *ctx)
{
	struct drive *drive = ctx;

	atomic_store(&drive->over, true);
	wake(drive);
	if (drive->running)
		pthread_join(drive->thread, NULL);
	drive->running = false;
}

struct drive *drive_new(const char *command, uint64_t limit_ns)
{
	struct drive *drive = own_zalloc(sizeof(*drive));

	*drive = (struct drive){ .sink = { .emit = drive_emit, .finish = drive_finish },
				 .limit = limit_ns,
				 .go_fd = -1,
				 .done_fd = -1,
				 .hooks = { on_begin, on_kicked, on_over, drive } };
	drive->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (drive->wake_fd < 0)
		log_errno(errno, "cannot make an eventfd");
	if (drive->wake_fd >= 0 && !(command && start_helper(drive, command)))
		return drive;
	drive_free(drive);
	return NULL;
}

struct sink *drive_sink(struct drive *drive, struct sink *next)
{
	drive->next = next;
	return &drive->sink;
}

const struct trace_hooks *drive_hooks(struct drive *drive)
{
	return &drive->hooks;
}

void drive_outcome(const struct drive *drive, struct drive_outcome *ret_outcome)
{
	*ret_outcome = drive->outcome;
	ret_outcome->not_run = drive->go_fd >= 0 && !drive->listened;
}

void drive_free(struct drive *drive)
{
	if (drive->go_fd >= 0)
		close(drive->go_fd);
	if (drive->done_fd >= 0)
		close(drive->done_fd);
	if (drive->wake_fd >= 0)
		close(drive->wake_fd);
	free(drive);
}
