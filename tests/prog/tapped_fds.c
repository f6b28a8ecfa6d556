/*
 * Descriptors that become others while threads are in calls on them, and threads that come and go:
 * each record must find its socket and its thread.
 */
#include "tapped.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct pair pair;
static atomic_int blocked;

static pid_t await_thread(void)
{
	pid_t tid;

	while (!(tid = atomic_exchange(&blocked, 0)))
		sched_yield();
	await_blocked(tid);
	return tid;
}

/* -- closed, or another, while a thread waits for its bytes */

static void *receives(void *arg)
{
	struct pair from = pair;
	char got[100];

	/* By now it is known to the agent. */
	pair_talk(&from, 3);
	atomic_store(&blocked, gettid());
	check(read(from.fds[1], got, sizeof(got)) == 4);
	want_data(&from.conns[1], from.fds[1], "read", "late", 4, "");
	return arg;
}

static void say(const struct pair *to, const char *text)
{
	check(write(to->fds[0], text, strlen(text)) == (ssize_t)strlen(text));
	want_data(&to->conns[0], to->fds[0], "write", text, strlen(text), "");
}

/* A call may last as long as it likes, and iotrace hears of others meanwhile. */
static void pass_time(const struct pair *busy)
{
	const struct timespec short_time = { .tv_nsec = 50000000 };

	for (int i = 0; i < 30; i++) {
		pair_talk(busy, 1);
		nanosleep(&short_time, NULL);
	}
}

static void closed_late(void)
{
	struct pair other;
	pthread_t thread;

	settings("'per':'tid','tap':40");
	pair_open(&pair, "0", "1");
	check(!pthread_create(&thread, NULL, receives, NULL));
	await_thread();
	check(!close(pair.fds[1]));
	pair_open(&other, "other 0", "other 1");
	check(other.fds[0] == pair.fds[1] || other.fds[1] == pair.fds[1]);
	pair_talk(&other, 20);
	pass_time(&other);
	say(&pair, "late");
	check(!pthread_join(thread, NULL));
	pair_close(&other);
}

/* -- one number stands for one socket after the other, and a thread reads what it gets */

#define TURNS 200

static struct pair turns[2];
static int number;

/* It waits on what the number stood for when the call began. */
static void *reads_in_turn(void *arg)
{
	char got[100];

	for (int i = 0; i < TURNS; i++) {
		const struct pair *from = &turns[i % 2];

		atomic_store(&blocked, gettid());
		check(read(number, got, sizeof(got)) == 10 && got[0] == '0' + i % 2);
		want_data(&from->conns[1], number, "read", got, 10, "");
	}
	return arg;
}

static void reopened(void)
{
	pthread_t reader;
	char text[32];

	settings("'per':'tid','tap':350");
	pair_open(&turns[0], "0", "zero");
	pair_open(&turns[1], "1", "one");
	pair_talk(&turns[0], 3);
	number = dup(turns[0].fds[1]);
	check(!pthread_create(&reader, NULL, reads_in_turn, NULL));
	for (int i = 0; i < TURNS; i++) {
		await_thread();
		check(dup2(turns[(i + 1) % 2].fds[1], number) == number);
		snprintf(text, sizeof(text), "%d %08d", i % 2, i);
		say(&turns[i % 2], text);
	}
	check(!pthread_join(reader, NULL));
}

/* -- threads that make a few calls and are gone, many at once */

#define AT_ONCE 8
#define WAVES   40

static struct pair storm[AT_ONCE];

static void *is_short(void *own)
{
	pair_talk(own, 4);
	return own;
}

#define LARGE (60U << 10)

/* Whose records are long, so that others' are behind them. */
static void *is_long(void *arg)
{
	char *data = malloc(LARGE), name[32];
	struct pair own;

	check(data);
	fill(data, LARGE, 3);
	snprintf(name, sizeof(name), "its %s", (const char *)arg);
	pair_open(&own, arg, name);
	for (int i = 0; i < 50; i++) {
		check(write(own.fds[0], data, LARGE) == LARGE);
		want_data(&own.conns[0], own.fds[0], "write", data, LARGE, "");
		check(recv(own.fds[1], data, LARGE, MSG_WAITALL) == LARGE);
		want_data(&own.conns[1], own.fds[1], "recvfrom", data, LARGE, "");
	}
	return arg;
}

static void stormed(void)
{
	static char long_names[2][8] = { "long 0", "long 1" };
	pthread_t longs[2];
	static char names[AT_ONCE][2][16];
	pthread_t threads[AT_ONCE];

	settings("'per':'tid','tap':1500");
	for (int i = 0; i < AT_ONCE; i++) {
		snprintf(names[i][0], sizeof(names[i][0]), "%d 0", i);
		snprintf(names[i][1], sizeof(names[i][1]), "%d 1", i);
		pair_open(&storm[i], names[i][0], names[i][1]);
	}
	for (int i = 0; i < 2; i++)
		check(!pthread_create(&longs[i], NULL, is_long, long_names[i]));
	for (int wave = 0; wave < WAVES; wave++) {
		for (int i = 0; i < AT_ONCE; i++)
			check(!pthread_create(&threads[i], NULL, is_short, &storm[i]));
		for (int i = 0; i < AT_ONCE; i++)
			check(!pthread_join(threads[i], NULL));
	}
	for (int i = 0; i < 2; i++)
		check(!pthread_join(longs[i], NULL));
}

int main(int argc, char **argv)
{
	static const struct tapped_case cases[] = {
		{ "closed_late", closed_late },
		{ "reopened", reopened },
		{ "stormed", stormed },
	};

	check(argc == 2);
	return run_case(cases, sizeof(cases) / sizeof(cases[0]), argv[1]);
}
