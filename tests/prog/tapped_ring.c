/*
 * The agent's ring and what it copies from: full, larger than it, written over by the program; buffers
 * that go away, descriptors that become others, threads that come and go.
 */
#include "tapped.h"

#include "iotrace/ring.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>

static struct pair pair, other;
static atomic_int blocked, handled;

/* Reads so much from end 1, in pieces that are wanted. */
static void read_all(const struct pair *from, size_t len, size_t piece)
{
	char *got = malloc(piece);

	check(got);
	while (len) {
		ssize_t n = read(from->fds[1], got, piece < len ? piece : len);

		check(n > 0);
		want_data(&from->conns[1], from->fds[1], "read", got, (size_t)n, "");
		len -= (size_t)n;
	}
	free(got);
}

/* -- full: iotrace does not come up with the program, and a handler's calls want room as well */

#define LARGE  (60U << 10)
#define ROUNDS 250

static size_t talked;

static void *reads_much(void *arg)
{
	static char got[1U << 20];

	for (size_t at = 0; at < (size_t)LARGE * ROUNDS;) {
		ssize_t n = read(pair.fds[1], got, sizeof(got));

		check(n > 0);
		at += (size_t)n;
		atomic_store(&blocked, 1);
	}
	return arg;
}

/* Above a call of the main program's, wherever that is. */
static void talks_in_handler(int sig)
{
	static char data[LARGE / 4], got[LARGE / 4];

	(void)sig;
	check(write(other.fds[0], data, sizeof(data)) == sizeof(data));
	for (size_t at = 0; at < sizeof(data);) {
		ssize_t n = read(other.fds[1], got, sizeof(got) - at);

		check(n > 0);
		at += (size_t)n;
	}
	talked += sizeof(data);
	atomic_fetch_add(&handled, 1);
}

/* Nothing but calls, so that they come faster than they can be told. */
static void full(void)
{
	struct sigaction action = { .sa_handler = talks_in_handler, .sa_flags = SA_RESTART };
	/* Not before the ring is full: who is stopped for a signal does not fill it. */
	struct itimerval often = { { .tv_usec = 2000 }, { .tv_usec = 300000 } };
	static char data[LARGE];
	pthread_t thread;

	/* What is behind the ring takes little, and nothing at first. */
	settings("'types':[],'tap':100,'options':['--queue','1M','-o','|sleep 1; cat >/dev/null']");
	pair_open(&pair, "0", "1");
	pair_open(&other, "handler 0", "handler 1");
	fill(data, sizeof(data), 11);
	check(!sigaction(SIGALRM, &action, NULL));
	check(!pthread_create(&thread, NULL, reads_much, NULL));
	check(!setitimer(ITIMER_REAL, &often, NULL));
	for (size_t at = 0; at < (size_t)LARGE * ROUNDS;) {
		/* At first both threads must become known. */
		bool begins = at < LARGE;
		size_t left = (size_t)LARGE * ROUNDS - at;
		ssize_t n = write(pair.fds[0], data, begins ? 1000 : left < LARGE ? left : LARGE);

		check(n > 0);
		at += (size_t)n;
		while (begins && !atomic_exchange(&blocked, 0))
			sched_yield();
	}
	while (atomic_load(&handled) < 5)
		sched_yield();
	often = (struct itimerval){ 0 };
	check(!setitimer(ITIMER_REAL, &often, NULL));
	while (pthread_join(thread, NULL))
		continue;
	same("all is written");
	want("'type':'end','bytes':{'wire':{'out':%zu,'in':%zu}},'loss':{'calls':0,'bytes':0}",
	     (size_t)LARGE * ROUNDS + talked, (size_t)LARGE * ROUNDS + talked);
}

/* -- starved: threads that are blocked in writes have room in the ring, and wait for who needs the rest */

/* More than the agent knows: all that it does know have room. */
#define WRITERS (2 * RING_THREADS)
#define SHORT   8192
#define LONG    (1U << 20)

static struct pair first;
static atomic_int begun;

static void *writes_short(void *arg)
{
	static char data[SHORT];

	/* It becomes known with the first, and is stopped at no more. */
	check(write(first.fds[0], data, 1) == 1);
	atomic_fetch_add(&begun, 1);
	check(write(other.fds[0], data, sizeof(data)) == sizeof(data));
	return arg;
}

static void *writes_long(void *arg)
{
	static char data[LONG];

	check(write(pair.fds[0], data, sizeof(data)) == sizeof(data));
	return arg;
}

static void starved(void)
{
	static pthread_t threads[WRITERS], writer;
	static char got[LONG];
	const size_t all = 3 + LONG + (SHORT + 1) * (size_t)WRITERS;
	pthread_attr_t attr;

	settings("'types':[],'tap':50");
	pair_open(&pair, "0", "1");
	pair_open(&other, "other 0", "other 1");
	pair_open(&first, "first 0", "first 1");
	/* This thread, these ends and recv are known before the others come. */
	for (int i = 0; i < 3; i++) {
		check(write(pair.fds[0], "x", 1) == 1);
		check(recv(pair.fds[1], got, 1, MSG_WAITALL) == 1);
	}
	check(!pthread_attr_init(&attr) && !pthread_attr_setstacksize(&attr, 64 << 10));
	for (size_t i = 0; i < WRITERS; i++)
		check(!pthread_create(&threads[i], &attr, writes_short, NULL));
	while (atomic_load(&begun) < WRITERS)
		sched_yield();
	check(recv(first.fds[1], got, WRITERS, MSG_WAITALL) == WRITERS);
	check(!pthread_create(&writer, &attr, writes_long, NULL));
	/* More at once than there is room for; only then come the others' bytes. */
	check(recv(pair.fds[1], got, LONG, MSG_WAITALL) == LONG);
	for (size_t at = 0; at < (size_t)SHORT * WRITERS;) {
		ssize_t n = read(other.fds[1], got, sizeof(got));

		check(n > 0);
		at += (size_t)n;
	}
	for (size_t i = 0; i < WRITERS; i++)
		check(!pthread_join(threads[i], NULL));
	check(!pthread_join(writer, NULL));
	same("all is read");
	want("'type':'end','bytes':{'wire':{'out':%zu,'in':%zu}},'loss':{'calls':0,'bytes':0}", all,
	     all);
}

/* -- larger than the ring, in one buffer and in pieces that end anywhere */

#define HUGE_SIZE (10U << 20)

static void *reads_huge(void *arg)
{
	read_all(&pair, HUGE_SIZE, 9U << 20);
	read_all(&pair, HUGE_SIZE, 123457);
	return arg;
}

static void huge(void)
{
	char *data = malloc(HUGE_SIZE);
	struct iovec pieces[40];
	pthread_t thread;
	size_t at = 0;

	settings("'per':'tid','tap':20");
	check(data);
	fill(data, HUGE_SIZE, 12);
	pair_open(&pair, "0", "1");
	pair_talk(&pair, 3);
	check(!pthread_create(&thread, NULL, reads_huge, NULL));
	check(write(pair.fds[0], data, HUGE_SIZE) == HUGE_SIZE);
	want_data(&pair.conns[0], pair.fds[0], "write", data, HUGE_SIZE, "");
	for (size_t i = 0; i < 40; i++) {
		size_t len = i == 39 ? HUGE_SIZE - at : i % 3 ? i * 1000 + 1 : 1300000 * (i % 2);

		pieces[i] = (struct iovec){ data + at, len };
		at += len;
	}
	check(writev(pair.fds[0], pieces, 40) == HUGE_SIZE);
	want_data(&pair.conns[0], pair.fds[0], "writev", data, HUGE_SIZE, "");
	check(!pthread_join(thread, NULL));
	free(data);
}

/* -- a buffer that another thread takes away while the call moves it */

#define TAKEN (4U << 20)

static void *takes_away(void *data)
{
	int waiting = 0, before = -1;

	while (!atomic_load(&blocked))
		sched_yield();
	/* What has been sent is not needed any more: it is when nothing moves. */
	while (waiting != before || !waiting) {
		before = waiting;
		await_blocked(atomic_load(&blocked));
		check(!ioctl(pair.fds[1], FIONREAD, &waiting));
	}
	check(!munmap(data, 65536));
	/* All the rest goes. */
	for (size_t left = TAKEN; left;) {
		char got[65536];
		ssize_t n = read(pair.fds[1], got, sizeof(got));

		check(n > 0);
		left -= (size_t)n;
	}
	return NULL;
}

static void count_fault(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled, 1);
}

static void unmapped(void)
{
	struct sigaction action = { .sa_handler = count_fault, .sa_flags = SA_RESETHAND };
	pthread_t thread;
	char *data = mmap(NULL, TAKEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	settings("'types':[],'may_lose':true,'tap':5,'stderr':'lost 4194304 bytes in 1 call'");
	check(data != MAP_FAILED);
	fill(data, TAKEN, 13);
	check(!sigaction(SIGSEGV, &action, NULL));
	pair_open(&pair, "0", "1");
	check(!pthread_create(&thread, NULL, takes_away, data));
	/* By the site that programs with threads use. */
	for (int i = 0; i < 4; i++) {
		check(write(pair.fds[0], "tap", 3) == 3);
		check(read(pair.fds[1], data, 3) == 3);
	}
	atomic_store(&blocked, gettid());
	same("%zd sent", write(pair.fds[0], data, TAKEN));
	check(!pthread_join(thread, NULL));
	same("%d faults", atomic_load(&handled));
	/* All is counted, and what was gone is told as lost. */
	want("'type':'end','bytes':{'wire':{'out':%u,'in':%u}},'loss':{'calls>=':1,'bytes>=':"
	     "65536}",
	     TAKEN + 12, TAKEN + 12);
}

/* -- what the program writes over the ring is its own, and iotrace goes on */

static bool is_there(uintptr_t addr)
{
	return !msync((void *)addr, 4096, MS_ASYNC);
}

/* A record as good as any, but for what it says. */
static void forge(uint64_t position, uint32_t size, uint64_t ret, uint64_t asked, uint32_t payload,
		  uint16_t marks)
{
	struct ring_record *record =
		(struct ring_record *)(RING_DATA + (position & (RING_SIZE - 1)));

	*record = (struct ring_record){
		.size = size,
		.nr = 1,
		.fd_state = RING_FD_SOCKET,
		.kind = RING_CALL,
		.fd = pair.fds[0],
		.process = ((struct ring_control *)RING_CONTROL)->process,
		.thread = (uint64_t)__builtin_thread_pointer(),
		.ret = (int64_t)ret,
		.asked = asked,
		.payload = payload,
		.addr_len = 28,
		.marks = marks,
	};
	__atomic_store_n(&record->stamp, position ^ RING_STAMP, __ATOMIC_RELEASE);
}

static void forge_next(uint32_t size, uint64_t ret, uint64_t asked, uint32_t payload,
		       uint16_t marks)
{
	struct ring_header *header = (struct ring_header *)RING_HEADER;
	/* At least what the reader must look at. */
	uint64_t room = size < 256 ? 256 : size;

	forge(atomic_fetch_add(&header->head, room), size, ret, asked, payload, marks);
}

/* Ends with a call that is stopped at, before which the ring is read. */
static void talk_quietly(int times)
{
	char got[100];

	for (int i = 0; i < times; i++) {
		check(write(pair.fds[0], "over and over", 13) == 13);
		check(read(pair.fds[1], got, sizeof(got)) == 13);
	}
	check(!close(socket(AF_INET, SOCK_DGRAM, 0)));
}

static void scribbled(void)
{
	struct ring_header *header = (struct ring_header *)RING_HEADER;

	settings("'types':[],'may_lose':true,'tap':40,'stderr':'overwritten'");
	want("'type':'end','loss':{'calls>=':1}");
	pair_open(&pair, "0", "1");
	talk_quietly(10);
	/* Alone, there is no ring. */
	if (!is_there(RING_DATA)) {
		same("talked");
		return;
	}
	forge_next(128, 1ULL << 62, 1ULL << 62, 0, 0);
	talk_quietly(10);
	/* More payload than the record, or the ring, has. */
	forge_next(256, 1U << 30, 1U << 30, 1U << 30, 0);
	talk_quietly(10);
	forge_next(256, 1U << 30, 1U << 30, 0xfffffff0U, RING_CONTINUES);
	talk_quietly(10);
	forge_next(0xfffffff0U, 100, 100, 100, 0);
	talk_quietly(10);
	forge_next(0, 100, 100, 0, 0);
	talk_quietly(10);
	forge_next(144, (uint64_t)-5, ~0ULL, 16, RING_CUT);
	forge_next(128 + (1U << 20), 1ULL << 40, 1ULL << 41, 1U << 20, RING_CONTINUES);
	talk_quietly(10);
	forge_next(128, 100, 100, 0, 0xffff);
	for (uint64_t i = 0; i < 100; i++)
		forge(atomic_load(&header->head) + i * 16, 0xfffffff0U, 1, 1, 0xfffffff0U, 0);
	talk_quietly(10);
	for (int i = 0; i < 50; i++) {
		memset((void *)RING_DATA, 0xff, RING_SIZE);
		talk_quietly(1);
		fill((void *)RING_DATA, 1U << 20, (unsigned int)i);
		talk_quietly(2);
	}
	atomic_fetch_add(&header->head, 5ULL << 40);
	talk_quietly(10);
	atomic_store(&header->credit, INT64_MAX / 2);
	talk_quietly(10);
	atomic_store(&header->credit, INT64_MIN / 2);
	atomic_store(&header->tail, 12345);
	talk_quietly(10);
	memset(header, 0x55, RING_HEADER_SIZE);
	talk_quietly(10);
	memset(header, 0, RING_HEADER_SIZE);
	talk_quietly(10);
	same("talked");
}

int main(int argc, char **argv)
{
	static const struct tapped_case cases[] = {
		{ "full", full },         { "starved", starved },     { "huge", huge },
		{ "unmapped", unmapped }, { "scribbled", scribbled },
	};

	check(argc == 2);
	return run_case(cases, sizeof(cases) / sizeof(cases[0]), argv[1]);
}
