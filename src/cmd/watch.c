#include "cmd/watch.h"

#include "base/map.h"
#include "base/own.h"
#include "base/proc.h"
#include "tracer/tracer.h"

#include <dirent.h>
#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Between two looks at /proc, where the connector is not to be had. */
#define LOOK_MS 5

struct watch {
	const struct opt_list *names;
	void (*found)(void *ctx, pid_t pid);
	void *ctx;
	struct tracer *tracer;
	pthread_t thread;
	pid_t attacher;   /* the tracer's thread */
	int netlink;      /* -1: none */
	int wake;         /* eventfd: to end */
	struct map known; /* without the connector: pids that were looked at, struct seen */
	uint64_t pass;
	atomic_bool end;
};

bool watch_matches(pid_t pid, const char *name)
{
	char text[4096], *base;
	ssize_t n = proc_read(pid, "comm", text, sizeof(text));

	if (n <= 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	if (!strcmp(text, name))
		return true;
	/* Only the beginning of a long name is in comm. */
	if (strncmp(text, name, strlen(text)) || strlen(text) < 15)
		return false;
	if (proc_link(pid, "exe", text, sizeof(text)) <= 0)
		return false;
	base = strrchr(text, '/');
	return base && !strcmp(base + 1, name);
}

/*
 * The kernel tells of a program that begins, but does not wait for us: on a busy machine it would be at
 * work, or have ended, before it was our turn. So we come first, where we may, until it is attached.
 */
static void hurry(pid_t tid, bool on)
{
	struct sched_param param = { .sched_priority = on ? 1 : 0 };

	sched_setscheduler(tid, (on ? SCHED_RR : SCHED_OTHER) | SCHED_RESET_ON_FORK, &param);
}

/* A process that was there at some look. */
struct seen {
	uint64_t first; /* pass in which it was new */
	uint64_t last;
	bool told;
};

/* Who is older than so many looks gets its name by an exec seldom, and is looked at seldom. */
#define YOUNG_PASSES 400U
#define OLD_EVERY    20U

/* True if it has one of the names, and was told. */
static bool look_at(struct watch *watch, pid_t pid)
{
	const struct timespec nap = { .tv_nsec = 500000 };

	for (size_t i = 0; i < watch->names->count; i++) {
		if (pid == getpid() || !watch_matches(pid, watch->names->items[i]))
			continue;
		hurry(watch->attacher, true);
		watch->found(watch->ctx, pid);
		while (tracer_kick_pending(watch->tracer) && !atomic_load(&watch->end)) {
			nanosleep(&nap, NULL);
			/* An answered one is not to be followed by another, or this has no end. */
			if (tracer_kick_pending(watch->tracer))
				tracer_kick(watch->tracer);
		}
		hurry(watch->attacher, false);
		return true;
	}
	return false;
}

static int open_connector(void)
{
	const enum proc_cn_mcast_op op = PROC_CN_MCAST_LISTEN;
	char request[NLMSG_SPACE(sizeof(struct cn_msg) + sizeof(op))]
		__attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct nlmsghdr *head = (struct nlmsghdr *)request;
	struct cn_msg *message = NLMSG_DATA(head);
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC };
	int size = 4 << 20;
	int fd auto_close = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);

	head->nlmsg_len = NLMSG_LENGTH(sizeof(*message) + sizeof(op));
	head->nlmsg_type = NLMSG_DONE;
	message->id = (struct cb_id){ CN_IDX_PROC, CN_VAL_PROC };
	message->len = sizeof(op);
	memcpy(message->data, &op, sizeof(op));
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    send(fd, request, head->nlmsg_len, 0) < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return take_fd(&fd);
}

static void handle_event(struct watch *watch, const struct proc_event *event)
{
	switch (event->what) {
	case PROC_EVENT_EXEC:
		look_at(watch, event->event_data.exec.process_tgid);
		break;
	case PROC_EVENT_COMM:
		look_at(watch, event->event_data.comm.process_tgid);
		break;
	case PROC_EVENT_FORK:
		if (event->event_data.fork.child_pid == event->event_data.fork.child_tgid)
			look_at(watch, event->event_data.fork.child_tgid);
		break;
	default:
		break;
	}
}

static void look_again_at(struct watch *watch, pid_t pid)
{
	struct seen *seen = map_get(&watch->known, (uint64_t)pid);

	if (!seen) {
		seen = own_zalloc(sizeof(*seen));
		seen->first = watch->pass;
		map_put(&watch->known, (uint64_t)pid, seen);
	}
	seen->last = watch->pass;
	if (seen->told || (watch->pass - seen->first > YOUNG_PASSES && watch->pass % OLD_EVERY))
		return;
	seen->told = look_at(watch, pid);
}

static void forget_gone(struct watch *watch)
{
	MAP_FOR_EACH(node, &watch->known) {
		struct seen *seen = map_value(node);

		if (seen->last == watch->pass)
			continue;
		map_take(&watch->known, map_key(node));
		free(seen);
	}
}

static void look_everywhere(struct watch *watch)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	if (!proc)
		return;
	watch->pass++;
	while ((entry = readdir(proc)))
		if (atoi(entry->d_name) > 0)
			look_again_at(watch, atoi(entry->d_name));
	closedir(proc);
	forget_gone(watch);
}

/* As much of a struct proc_event as the events above need; it has grown with the kernel. */
#define EVENT_BYTES (offsetof(struct proc_event, event_data) + 16)

static void read_events(struct watch *watch)
{
	char data[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t n = recv(watch->netlink, data, sizeof(data), MSG_DONTWAIT);
	const struct nlmsghdr *head = (const struct nlmsghdr *)data;
	size_t left, step;

	/* Some were lost: look at all. */
	if (n < 0 && errno == ENOBUFS) {
		look_everywhere(watch);
		return;
	}
	left = n > 0 ? (size_t)n : 0;
	while (left >= NLMSG_HDRLEN && head->nlmsg_len >= NLMSG_HDRLEN && head->nlmsg_len <= left) {
		const struct cn_msg *message = NLMSG_DATA(head);
		struct proc_event event;

		if (head->nlmsg_len >= NLMSG_LENGTH(sizeof(*message)) + EVENT_BYTES &&
		    message->id.idx == CN_IDX_PROC) {
			/* It is not aligned there. */
			memcpy(&event, message->data, EVENT_BYTES);
			handle_event(watch, &event);
		}
		step = NLMSG_ALIGN(head->nlmsg_len);
		if (step >= left)
			break;
		left -= step;
		head = (const struct nlmsghdr *)((const char *)head + step);
	}
}

static void *watch_thread(void *ctx)
{
	struct watch *watch = ctx;
	struct pollfd fds[2] = { { .fd = watch->wake, .events = POLLIN },
				 { .fd = watch->netlink, .events = POLLIN } };

	if (watch->netlink >= 0)
		hurry(0, true);
	while (!atomic_load(&watch->end)) {
		if (poll(fds, 2, watch->netlink < 0 ? LOOK_MS : -1) < 0 && errno != EINTR)
			break;
		if (atomic_load(&watch->end))
			break;
		if (watch->netlink < 0)
			look_everywhere(watch);
		else if (fds[1].revents)
			read_events(watch);
	}
	return NULL;
}

struct watch *watch_new(const struct opt_list *names, void (*found)(void *ctx, pid_t pid),
			void *ctx, struct tracer *tracer)
{
	struct watch *watch = own_zalloc(sizeof(*watch));
	sigset_t all, before;

	watch->names = names;
	watch->found = found;
	watch->ctx = ctx;
	watch->tracer = tracer;
	watch->attacher = gettid();
	watch->netlink = open_connector();
	watch->wake = eventfd(0, EFD_CLOEXEC);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_create(&watch->thread, NULL, watch_thread, watch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return watch;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	atomic_store(&watch->end, true);
	eventfd_write(watch->wake, 1);
	pthread_join(watch->thread, NULL);
	if (watch->netlink >= 0)
		close(watch->netlink);
	close(watch->wake);
	watch->pass++;
	forget_gone(watch);
	map_done(&watch->known);
	free(watch);
}
