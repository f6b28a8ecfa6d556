/* Functions that --probe watches, called in all the ways in which breakpoints can go wrong. */
#include "probed.h"

#include "expect.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define ROW(symbol) "'--probe','" symbol " return out c[0] c[1]'"

static void (*inside)(void);

/* The function under probe: what it calls in its middle is the case's matter. */
__attribute__((noinline)) long probed(const void *data, long len)
{
	if (inside)
		inside();
	__asm__ volatile("" ::"r"(data) : "memory");
	return len;
}

static void want_probed(const char *call, const void *data, size_t len)
{
	char hex[256];

	for (size_t i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", ((const uint8_t *)data)[i]);
	want("'type':'data','pid':%d,'tid':%d,'fd':null,'conn':null,'dir':'out','layer':'plain',"
	     "'call':'%s','len':%zu,'hex':'%s'",
	     getpid(), gettid(), call, len, hex);
}

static void call(const char *text)
{
	check(probed(text, (long)strlen(text)) == (long)strlen(text));
}

static void call_wanted(const char *text)
{
	call(text);
	want_probed("probed", text, strlen(text));
}

/* -- many threads at once, on the same breakpoints */

#define THREADS 4
#define CALLS   500

static pthread_barrier_t barrier;

static void *call_often(void *number)
{
	char text[32];

	pthread_barrier_wait(&barrier);
	for (int i = 0; i < CALLS; i++) {
		snprintf(text, sizeof(text), "thread %ld call %d", (long)number, i);
		call_wanted(text);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t ids[THREADS];

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (long i = 0; i < THREADS; i++)
		check(!pthread_create(&ids[i], NULL, call_often, (void *)i));
	for (int i = 0; i < THREADS; i++)
		check(!pthread_join(ids[i], NULL));
}

/* -- left otherwise than by its return */

static jmp_buf out;

static void jump_out(void)
{
	longjmp(out, 1);
}

static __attribute__((noinline)) void deeper(int depth)
{
	volatile char room[4000];

	room[0] = (char)depth;
	if (depth)
		deeper(depth - 1);
	else
		call_wanted("from the deep");
	__asm__ volatile("" ::"r"(room) : "memory");
}

static void jumps(void)
{
	for (volatile int i = 0; i < 100; i++) {
		inside = jump_out;
		if (!setjmp(out))
			call("never returns");
		inside = NULL;
		/* At the same stack pointer, and at others. */
		call_wanted("after a jump");
		deeper(i % 5);
	}
}

/* -- inside itself */

static int levels;

static void again(void)
{
	char text[32];

	if (!levels)
		return;
	levels--;
	snprintf(text, sizeof(text), "level %d", levels);
	call_wanted(text);
}

static void recursion(void)
{
	levels = 20;
	inside = again;
	call_wanted("the first");
}

/* -- in signal handlers, on this stack and on another */

static void on_signal(int sig)
{
	(void)sig;
	inside = NULL;
	call_wanted("in a handler");
}

static void be_signalled(void)
{
	raise(SIGUSR1);
}

static void signals(void)
{
	static char room[65536];
	struct sigaction action = { .sa_handler = on_signal };
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };

	check(!sigaltstack(&stack, NULL));
	for (int i = 0; i < 20; i++) {
		action.sa_flags = i % 2 ? SA_ONSTACK : 0;
		check(!sigaction(SIGUSR1, &action, NULL));
		inside = be_signalled;
		call_wanted("around a handler");
	}
}

/* -- processes */

static pid_t child;

static void do_fork(void)
{
	inside = NULL;
	child = fork();
	check(child >= 0);
}

static void forks(void)
{
	for (int i = 0; i < 10; i++) {
		inside = do_fork;
		/* In both, as both have its return before them. */
		call_wanted("a fork inside");
		call_wanted("after it");
		if (!child)
			_exit(0);
		check(await_end(child) == 0);
	}
}

static void vforks(void)
{
	for (int i = 0; i < 10; i++) {
		child = vfork();
		if (!child) {
			call_wanted("in memory of two");
			execl("/proc/self/exe", "probed", "executed", NULL);
			_exit(99);
		}
		check(await_end(child) == 0);
		call_wanted("when it is gone");
	}
}

static void executed(void)
{
	call_wanted("another program");
}

/* -- libraries */

static char *copied_library(const char *name)
{
	static char path[64];
	char command[1024], own[512];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);

	check(len > 0);
	own[len] = '\0';
	*strrchr(own, '/') = '\0';
	snprintf(path, sizeof(path), "/tmp/probed-%d-%s", getpid(), name);
	snprintf(command, sizeof(command), "cp '%s/libprobed_late.so' %s.new && mv %s.new %s", own,
		 path, path, path);
	check(!system(command));
	return path;
}

static void call_late(void *library)
{
	long (*late)(const void *data, long len) = (late_function *)dlsym(library, "late_probed");

	check(late && late("late", 4) == 4);
	want_probed("late_probed", "late", 4);
}

static void libraries(void)
{
	char *path = copied_library("one");
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	check(library);
	call_late(library);
	/* Another file under its name: the loaded one is as it was. */
	copied_library("one");
	call_late(library);
	check(!dlclose(library));
	/* Where the first has been, perhaps. */
	for (int i = 0; i < 5; i++) {
		library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		check(library);
		call_late(library);
		check(!dlclose(library));
	}
	unlink(path);
}

/* -- code that is mapped twice, in part */

/* So that there are pages without what is probed. */
__attribute__((used, aligned(4096))) static void far_off(void)
{
}

static void parts(void)
{
	char line[512];
	unsigned long from = 0, to = 0, offset;
	FILE *maps = fopen("/proc/self/maps", "re");
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint8_t *room;
	size_t page;

	check(maps && file >= 0);
	do
		check(fgets(line, sizeof(line), maps));
	while (sscanf(line, "%lx-%lx r-xp %lx", &from, &to, &offset) != 3 ||
	       (uintptr_t)probed - from >= to - from);
	fclose(maps);
	page = ((uintptr_t)far_off - from) & ~0xfffUL;
	check(page < to - from && page != (((uintptr_t)probed - from) & ~0xfffUL));
	room = mmap(NULL, to - from, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(room != MAP_FAILED);
	memset(room, 0x55, to - from);
	check(mmap(room + page, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file,
		   (off_t)(offset + page)) == room + page);
	call_wanted("where it was");
	for (size_t i = 0; i < to - from; i++)
		check(i - page < 4096 || room[i] == 0x55);
	close(file);
}

/* -- the program's own use of the signal */

static volatile sig_atomic_t traps;
static volatile uintptr_t trapped_at;

static void on_trap(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	traps++;
	trapped_at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
}

static void traps_handled(void)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO }, now;
	uintptr_t here;

	check(!sigaction(SIGTRAP, &action, NULL));
	for (int i = 0; i < 10; i++) {
		call_wanted("quiet");
		check(traps == 2 * i);
		raise(SIGTRAP);
		check(traps == 2 * i + 1);
		__asm__ volatile("int3\n\tleaq 0(%%rip), %0\n1:" : "=r"(here)::"memory");
		check(traps == 2 * i + 2);
		/* Behind the trap, which is before the lea. */
		check(trapped_at + 7 == here);
	}
	check(!sigaction(SIGTRAP, NULL, &now) && now.sa_sigaction == on_trap);
	same("%d traps", (int)traps);
}

static void traps_ignored(void)
{
	signal(SIGTRAP, SIG_IGN);
	for (int i = 0; i < 10; i++)
		call_wanted("ignored");
}

static void traps_blocked(void)
{
	sigset_t set;

	sigfillset(&set);
	check(!sigprocmask(SIG_BLOCK, &set, NULL));
	for (int i = 0; i < 10; i++)
		call_wanted("blocked");
}

static const struct {
	const char *name;
	void (*run)(void);
	const char *rows;
} cases[] = {
	{ "threads", threads, ROW("probed") },
	{ "jumps", jumps, ROW("probed") },
	{ "recursion", recursion, ROW("probed") },
	{ "signals", signals, ROW("probed") },
	{ "forks", forks, ROW("probed") },
	{ "vforks", vforks, ROW("probed") },
	{ "executed", executed, NULL },
	{ "libraries", libraries, ROW("late_probed") },
	{ "parts", parts, ROW("probed") },
	{ "handled", traps_handled, ROW("probed") },
	{ "ignored", traps_ignored, ROW("probed") },
	{ "blocked", traps_blocked, ROW("probed") },
};

int main(int argc, char **argv)
{
	check(argc == 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name))
			continue;
		if (cases[i].rows)
			settings("'per':'tid','options':[%s]", cases[i].rows);
		cases[i].run();
	}
	return 0;
}
