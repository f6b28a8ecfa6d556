#include "cmd/targets.h"

#include "base/log.h"
#include "base/map.h"
#include "base/own.h"
#include "base/proc.h"
#include "capture/capture.h"
#include "cmd/watch.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct targets {
	const struct target_settings *settings;
	struct tracer *tracer;
	struct capture *capture;
	struct watch *watch;
	pthread_mutex_t lock;
	pid_t *found; /* by the watch, to be attached */
	size_t found_count;
	struct map refused; /* pids of that name that we may not trace: said once */
};

struct targets *targets_new(const struct target_settings *settings, struct tracer *tracer,
			    struct capture *capture)
{
	struct targets *targets = own_zalloc(sizeof(*targets));

	targets->settings = settings;
	targets->tracer = tracer;
	targets->capture = capture;
	pthread_mutex_init(&targets->lock, NULL);
	return targets;
}

static void explain_uid(pid_t pid)
{
	int64_t uid = proc_status(pid, "Uid");

	if (geteuid() && uid >= 0 && (uid_t)uid != geteuid())
		log_error("it runs as user %ld; run iotrace as that user or as root", (long)uid);
	else if (geteuid())
		log_error("it may have privileges of its own (setuid, capabilities) or be marked "
			  "as not "
			  "dumpable; run iotrace as root");
	else
		log_error("root lacks the capability CAP_SYS_PTRACE here, or a security module or "
			  "the "
			  "container's profile forbids it (docker run --cap-add SYS_PTRACE)");
}

static bool explain_yama(void)
{
	char text[16];

	if (proc_read_file("/proc/sys/kernel/yama/ptrace_scope", text, sizeof(text)) <= 0)
		return false;
	switch (text[0]) {
	case '1':
		if (!geteuid())
			return false;
		log_error("kernel.yama.ptrace_scope is 1: only programs that iotrace starts can be "
			  "traced; run it as root, or: sysctl kernel.yama.ptrace_scope=0");
		return true;
	case '2':
		if (!geteuid())
			return false;
		log_error(
			"kernel.yama.ptrace_scope is 2: only root can trace; run iotrace as root");
		return true;
	case '3':
		log_error(
			"kernel.yama.ptrace_scope is 3: nobody can trace on this machine until it "
			"is started anew with another setting");
		return true;
	default:
		return false;
	}
}

void targets_explain(pid_t pid, int error)
{
	int64_t tracer = proc_status(pid, "TracerPid");
	char comm[32] = "?";

	if (error == -ESRCH) {
		log_error("there is no process %d", pid);
		return;
	}
	if (error == -EDEADLK) {
		log_error("process %d is iotrace itself", pid);
		return;
	}
	if (error == -EBUSY) {
		log_error("process %d is being put in order by the guardian of an iotrace that was "
			  "killed, iotrace-guard; try again when that has ended",
			  pid);
		return;
	}
	log_errno(-error, "cannot trace process %d", pid);
	if (error != -EPERM)
		return;
	if (tracer > 0) {
		if (proc_read((pid_t)tracer, "comm", comm, sizeof(comm)) > 0)
			comm[strcspn(comm, "\n")] = '\0';
		log_error("it is traced by process %ld (%s) already; end that first", (long)tracer,
			  comm);
	} else if (!explain_yama()) {
		explain_uid(pid);
	}
}

static int attach_pid(struct targets *targets, pid_t pid)
{
	int result;

	capture_learn(targets->capture, pid);
	result = tracer_attach(targets->tracer, pid);
	if (result)
		targets_explain(pid, result);
	return result ? -1 : 0;
}

/* By name, where a refusal is no reason to end. */
static int attach_named(struct targets *targets, pid_t pid)
{
	int result = tracer_attach(targets->tracer, pid);

	if (!result || result == -ESRCH || result == -EDEADLK)
		return result;
	if (!map_put(&targets->refused, (uint64_t)pid, targets))
		targets_explain(pid, result);
	return result;
}

static int attach_list(struct targets *targets, const char *list)
{
	char *copy auto_free = own_strdup(list), *save = NULL, *end;
	int count = 0;
	long pid;

	for (char *word = strtok_r(copy, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
		errno = 0;
		pid = strtol(word, &end, 10);
		if (*end || errno || pid <= 0 || pid > INT32_MAX) {
			log_error("-p: '%s' is no process id", word);
			return -1;
		}
		if (attach_pid(targets, (pid_t)pid))
			return -1;
		count++;
	}
	if (!count)
		log_error("-p needs a process id");
	return count ? count : -1;
}

static bool is_named(const struct targets *targets, pid_t pid)
{
	const struct opt_list *names = &targets->settings->names;

	for (size_t i = 0; i < names->count; i++)
		if (watch_matches(pid, names->items[i]))
			return true;
	return false;
}

static int attach_present(struct targets *targets)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	int count = 0;

	if (!proc) {
		log_errno(errno, "cannot look for processes in /proc");
		return -1;
	}
	while ((entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid <= 0 || pid == getpid() || !is_named(targets, pid))
			continue;
		capture_learn(targets->capture, pid);
		count += !attach_named(targets, pid);
	}
	closedir(proc);
	return count;
}

static void watch_found(void *ctx, pid_t pid)
{
	struct targets *targets = ctx;

	pthread_mutex_lock(&targets->lock);
	targets->found =
		own_realloc(targets->found, (targets->found_count + 1) * sizeof(*targets->found));
	targets->found[targets->found_count++] = pid;
	pthread_mutex_unlock(&targets->lock);
	tracer_kick(targets->tracer);
}

int targets_attach(struct targets *targets)
{
	const struct target_settings *settings = targets->settings;
	int count = 0, one;

	for (size_t i = 0; i < settings->pids.count; i++) {
		one = attach_list(targets, settings->pids.items[i]);
		if (one < 0)
			return -1;
		count += one;
	}
	if (!settings->names.count)
		return count;
	/* Those that come are stopped at once, and most have the same libraries as we. */
	capture_learn(targets->capture, getpid());
	/* First the watch, so that none falls between. */
	targets->watch = watch_new(&settings->names, watch_found, targets, targets->tracer);
	one = attach_present(targets);
	return one < 0 ? -1 : count + one;
}

void targets_handle(struct targets *targets)
{
	pid_t *found;
	size_t count;

	pthread_mutex_lock(&targets->lock);
	found = targets->found;
	count = targets->found_count;
	targets->found = NULL;
	targets->found_count = 0;
	pthread_mutex_unlock(&targets->lock);
	for (size_t i = 0; i < count; i++)
		if (is_named(targets, found[i]))
			attach_named(targets, found[i]);
	free(found);
}

bool targets_are_watched(const struct targets *targets)
{
	return targets->watch != NULL;
}

void targets_stop(struct targets *targets)
{
	watch_free(targets->watch);
	targets->watch = NULL;
}

void targets_free(struct targets *targets)
{
	if (!targets)
		return;
	targets_stop(targets);
	pthread_mutex_destroy(&targets->lock);
	map_done(&targets->refused);
	free(targets->found);
	free(targets);
}
