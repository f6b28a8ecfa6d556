/*
 * Functions whose plaintext is recorded inside the process, seen from the program: called, left and
 * copied in all the ways in which a jump in their code can go wrong.
 */
#include "hooked.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SETTINGS settings("'per':'tid','tap':5,'options':[" ROWS "]")

/* -- many threads at once; the code changes under their feet */

#define THREADS 4
#define CALLS   1500

static pthread_barrier_t barrier;
static atomic_int made;

static void *call_often(void *number)
{
	char text[32];

	pthread_barrier_wait(&barrier);
	for (int i = 0; i < CALLS; i++) {
		snprintf(text, sizeof(text), "thread %ld call %d", (long)number, i);
		call_three(text);
		atomic_fetch_add(&made, 1);
	}
	/* No call of the kernel's until then. */
	for (int i = 0; i < CALLS; i++) {
		snprintf(text, sizeof(text), "thread %ld call %d", (long)number, i);
		want_three(text);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t ids[THREADS];

	SETTINGS;
	begin_talk();
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (long i = 0; i < THREADS; i++)
		check(!pthread_create(&ids[i], NULL, call_often, (void *)i));
	while (atomic_load(&made) < 200)
		sched_yield();
	pair_say(&hooked_pair, "planted while all of them are at it");
	for (int i = 0; i < THREADS; i++)
		check(!pthread_join(ids[i], NULL));
	check_hooked();
	three_wanted("afterwards");
}

/* -- inside itself, and inside each other */

static int levels;

static void call_one(int which, const char *text)
{
	size_t len = strlen(text), got;
	char room[64];

	switch (which % 3) {
	case 0:
		check(hooked_write(text, (long)len) == (long)len);
		want_plain("out", "hooked_write", text, len, "");
		break;
	case 1:
		check(hooked_read(room, (long)len, text) == (long)len);
		want_plain("in", "hooked_read", room, len, "");
		break;
	default:
		check(hooked_filled(room, &got, text) == (long)len && got == len);
		want_plain("in", "hooked_filled", room, len, "");
	}
}

static void again(void)
{
	char text[32];

	if (!levels)
		return;
	levels--;
	snprintf(text, sizeof(text), "level %d", levels);
	/* Itself twice, then another. */
	call_one(levels / 2, text);
}

static void on_signal(int sig)
{
	void (*was)(void) = hooked_inside;

	(void)sig;
	hooked_inside = NULL;
	three_wanted("in a handler");
	hooked_inside = was;
}

static void be_signalled(void)
{
	raise(SIGUSR1);
}

static void recursion(void)
{
	static char room[65536];
	struct sigaction action = { .sa_handler = on_signal };
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };

	SETTINGS;
	begin_hooked();
	check(!sigaltstack(&stack, NULL));
	for (int i = 0; i < 30; i++) {
		levels = 25;
		hooked_inside = again;
		call_one(i, "the first");
		action.sa_flags = i % 2 ? SA_ONSTACK : 0;
		check(!sigaction(SIGUSR1, &action, NULL));
		hooked_inside = be_signalled;
		call_one(i, "around a handler");
	}
}

/* -- left otherwise than by its return */

static jmp_buf out;

static void jump_out(void)
{
	longjmp(out, 1);
}

static __attribute__((noinline)) void jump_from(size_t depth)
{
	volatile char room[16 * depth + 1];
	char got[64];
	size_t len;

	room[0] = 0;
	if (depth % 3 == 0)
		hooked_write("never returns", 13);
	else if (depth % 3 == 1)
		hooked_read(got, 13, "never returns");
	else
		hooked_filled(got, &len, "never returns");
	__asm__ volatile("" ::"r"(room) : "memory");
}

static __attribute__((noinline)) void call_from(size_t depth, int which)
{
	volatile char room[16 * depth + 1];

	room[0] = 0;
	call_one(which, "after jumps");
	__asm__ volatile("" ::"r"(room) : "memory");
}

/* At more stack pointers than there is room for calls that are under way. */
static void jumps(void)
{
	SETTINGS;
	begin_hooked();
	for (volatile size_t i = 0; i < 3000; i++) {
		hooked_inside = jump_out;
		if (!setjmp(out))
			jump_from(i % 1500);
		hooked_inside = NULL;
		if (i % 3 == 0)
			call_from(i % 1500 - i % 7 % (i % 1500 + 1), (int)i / 3);
	}
	check_hooked();
}

/* -- cancelled inside, where the unwinder must find its way */

static int blocking[2];
static atomic_int blocked, cleaned, frames;

static void block(void)
{
	char got[10];
	void *stack[100];
	int count = backtrace(stack, 100);

	for (int i = 0; i < count; i++)
		check(is_own_code((uintptr_t)stack[i]));
	atomic_store(&frames, count);
	atomic_store(&blocked, gettid());
	check(read(blocking[0], got, sizeof(got)) == -2);
}

static void clean(void *arg)
{
	hooked_inside = NULL;
	three_wanted(arg);
	atomic_fetch_add(&cleaned, 1);
}

static void *is_cancelled(void *which)
{
	pthread_cleanup_push(clean, "cleaning");
	three_wanted("before");
	hooked_inside = block;
	call_one(*(int *)which, "never ends");
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancelled(void)
{
	void *stack[2], *result;
	pthread_t thread;
	pid_t tid;

	SETTINGS;
	check(!pipe(blocking));
	/* It loads a library at first. */
	backtrace(stack, 2);
	begin_hooked();
	own_code_note();
	for (int i = 0; i < 30; i++) {
		check(!pthread_create(&thread, NULL, is_cancelled, &i));
		while (!(tid = atomic_exchange(&blocked, 0)))
			sched_yield();
		await_blocked(tid);
		check(!pthread_cancel(thread) && !pthread_join(thread, &result));
		check(result == PTHREAD_CANCELED);
		three_wanted("in between");
		same("%d frames", atomic_load(&frames));
	}
	same("%d cleaned", atomic_load(&cleaned));
}

/* -- processes */

static pid_t child;

static void do_fork(void)
{
	hooked_inside = NULL;
	child = fork();
	check(child >= 0);
}

static void forks(void)
{
	SETTINGS;
	begin_hooked();
	for (int i = 0; i < 15; i++) {
		/* In both, as both have its return before them. */
		hooked_inside = do_fork;
		call_one(i, "a fork inside");
		for (int j = 0; j < 20; j++)
			three_wanted(child ? "parent" : "child");
		check_hooked();
		if (!child)
			_exit(0);
		check(await_end(child) == 0);
	}
}

static void executed(void)
{
	begin_hooked();
}

static void vforks(void)
{
	SETTINGS;
	begin_hooked();
	for (int i = 0; i < 10; i++) {
		child = vfork();
		if (!child) {
			call_one(i, "in memory of two");
			execl("/proc/self/exe", "hooked", "executed", NULL);
			_exit(99);
		}
		check(await_end(child) == 0);
		three_wanted("when it is gone");
	}
}

/* Made when there are breakpoints, and hooked on its own; and those that it makes. */
static void early(void)
{
	const pid_t first = getpid();

	SETTINGS;
	begin_talk();
	three_wanted("few");
	for (int depth = 0; depth < 3; depth++) {
		child = fork();
		check(child >= 0);
		if (child)
			break;
	}
	if (getpid() != first)
		begin_talk();
	for (int i = 0; i < 30; i++)
		three_wanted("each for itself");
	pair_say(&hooked_pair, "now there are jumps");
	check_hooked();
	three_wanted("by jumps");
	if (child)
		check(await_end(child) == 0);
}

/* -- of all sizes */

static void large_one(const char *bytes, char *room, size_t len)
{
	check(hooked_write(bytes, (long)len) == (long)len);
	want_plain("out", "hooked_write", bytes, len, "");
	check(hooked_read(room, (long)len, bytes) == (long)len);
	check(!memcmp(room, bytes, len));
	want_plain("in", "hooked_read", bytes, len, "");
}

static void large(void)
{
	static const size_t sizes[] = {
		0, 1, 15, 16, 17, 128, 4096, 262143, 262144, 262145, 1048576
	};
	char *bytes = page_end(1048576), *room = page_end(1048576);

	SETTINGS;
	fill(bytes, 1048576, 1);
	begin_hooked();
	for (int times = 0; times < 3; times++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			large_one(bytes + 1048576 - sizes[i], room + 1048576 - sizes[i], sizes[i]);
	check_hooked();
}

static char *hidden;

static void hide(void)
{
	check(!mprotect(hidden, 4096, PROT_NONE));
}

static void want_hidden(size_t there, size_t len)
{
	char more[32];

	snprintf(more, sizeof(more), "'captured':%zu", there);
	want("'type':'data','pid':%d,'tid':%d,'dir':'out','layer':'plain','call':'hooked_write',"
	     "'len':%zu,%s",
	     getpid(), gettid(), len, more);
	want("'type':'loss','tid':%d,'reason':'unreadable','bytes':%zu,'calls':1", gettid(),
	     len - there);
}

/* It is gone when the function returns. */
static void unreadable(void)
{
	char *bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	settings("'per':'tid','tap':5,'stderr':'lost 100 bytes','options':[" ROWS "]");
	check(bytes != MAP_FAILED);
	hidden = bytes + 4096;
	begin_hooked();
	for (int i = 0; i < 10; i++) {
		hooked_inside = hide;
		check(hooked_write(hidden, 100) == 100);
		want_hidden(0, 100);
		check(hooked_write(hidden - 8, 100) == 100);
		want_hidden(8, 100);
		hooked_inside = NULL;
		check(!mprotect(hidden, 4096, PROT_READ | PROT_WRITE));
		three_wanted("readable");
	}
}

/* -- more than there is room for */

#define KINDS 16

static char burst[KINDS][60000];

static void *send_burst(void *arg)
{
	pthread_barrier_wait(&barrier);
	for (size_t i = 0; i < 300; i++)
		check(hooked_write(burst[i % KINDS], 50000 + (long)(i % KINDS)) >= 50000);
	return arg;
}

static void *send_wanted(void *arg)
{
	static uint32_t sums[KINDS];
	static atomic_int first;

	if (!atomic_fetch_add(&first, 1))
		for (size_t i = 0; i < KINDS; i++)
			sums[i] = checksum(burst[i], 50000 + i);
	send_burst(arg);
	for (size_t i = 0; i < 300; i++)
		want("'type':'data','pid':%d,'tid':%d,'dir':'out','layer':'plain',"
		     "'call':'hooked_write','len':%zu,'crc':%u",
		     getpid(), gettid(), 50000 + i % KINDS, sums[i % KINDS]);
	return arg;
}

static void full(void)
{
	pthread_t ids[THREADS];

	SETTINGS;
	for (unsigned int i = 0; i < KINDS; i++)
		fill(burst[i], sizeof(burst[i]), i);
	begin_hooked();
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		check(!pthread_create(&ids[i], NULL, send_wanted, NULL));
	for (int i = 0; i < THREADS; i++)
		check(!pthread_join(ids[i], NULL));
	check_hooked();
}

/* -- libraries */

static void call_late(void *library, bool checked)
{
	struct code code;
	late_hooked_function *late;

	*(void **)&late = dlsym(library, "late_hooked");
	check(late);
	code_note(&code, *(void **)&late);
	for (int i = 0; i < 12; i++) {
		check(late("late", 4) == 4);
		want_plain("out", "late_hooked", "late", 4, "");
	}
	if (checked)
		code_check(&code);
}

/* One in the place of the other: what was hooked there is other code now. */
static void libraries(void)
{
	static const char *const names[] = { "libhooked_late.so", "libhooked_other.so" };
	char path[600], own[512];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);

	settings("'per':'tid','tap':5,'options':['--probe','late_hooked return out c[0] ret']");
	check(len > 0);
	own[len] = '\0';
	*strrchr(own, '/') = '\0';
	begin_talk();
	for (int i = 0; i < 12; i++) {
		snprintf(path, sizeof(path), "%s/%s", own, names[i / 3 % 2]);
		void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

		check(library);
		call_late(library, !i);
		check(!dlclose(library));
		pair_say(&hooked_pair, "in between");
	}
}

static const struct tapped_case cases[] = {
	{ "threads", threads },       { "recursion", recursion }, { "jumps", jumps },
	{ "cancelled", cancelled },   { "forks", forks },         { "vforks", vforks },
	{ "executed", executed },     { "early", early },         { "large", large },
	{ "unreadable", unreadable }, { "full", full },           { "libraries", libraries },
};

int main(int argc, char **argv)
{
	check(argc == 2);
	return run_case(cases, sizeof(cases) / sizeof(cases[0]), argv[1]);
}
