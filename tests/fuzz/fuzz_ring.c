/*
 * A ring as the program may leave it: records with any contents, at any place, any head, holes. The input
 * is a list of steps, each a byte that says what, and what it needs.
 */
#include "fuzz.h"
#include "iotrace/ring.h"
#include "tap/state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NUMBER 7
#define THREAD 0x7f1234567740UL

enum step {
	PUBLISH, /* a record with a valid stamp and process, else as given */
	FORGE,   /* 128 bytes as given, at the head */
	HOLE,    /* so many bytes reserved and not filled */
	DRAIN,
	DRAIN_PROCESS,
	SET_HEAD,
	SET_CREDIT,
	FILL_HOLE, /* a place and a size as in a frame */
	END,
	STEPS
};

struct input {
	const uint8_t *data;
	size_t left;
};

static volatile uint8_t sink;

/* The only probed function that there is. */
static const int numbered;

static void take(struct input *input, void *to, size_t len)
{
	size_t there = len < input->left ? len : input->left;

	memset(to, 0, len);
	memcpy(to, input->data, there);
	input->data += there;
	input->left -= there;
}

static uint64_t take_number(struct input *input)
{
	uint64_t number;

	take(input, &number, sizeof(number));
	return number;
}

/* All of it is there to be read, and it is no more than was asked for. */
static void on_call(void *ctx, struct task *task, const struct tap_call *call)
{
	(void)ctx;
	(void)task;
	for (size_t i = 0; i < call->record.payload; i++)
		sink ^= call->payload[i];
	if (!call->row || call->record.ret > 0x7ffff000 || call->record.ret < -4095 ||
	    call->record.addr_len > sizeof(call->record.addr))
		abort();
}

static void on_accepted(void *ctx, struct task *task, const struct sys_row *row,
			const uint64_t args[6], int fd)
{
	(void)ctx;
	(void)task;
	(void)row;
	(void)args;
	(void)fd;
	/* No record says so. */
	abort();
}

static void on_lost(void *ctx, uint64_t bytes, uint64_t calls)
{
	(void)ctx;
	(void)bytes;
	(void)calls;
}

static void on_entered(void *ctx, struct task *task, const struct tap_hooked *call)
{
	(void)ctx;
	(void)task;
	for (size_t i = 0; i < HOOK_WORDS; i++)
		sink ^= (uint8_t)call->words[i];
	if (call->arg != &numbered)
		abort();
}

static void on_left(void *ctx, struct task *task, const struct tap_hooked *call)
{
	(void)ctx;
	(void)task;
	for (size_t i = 0; i < call->there; i++)
		sink ^= call->payload[i];
	if (call->arg != &numbered)
		abort();
}

static const struct tap_ops ops = { on_call, on_accepted, on_entered, on_left, on_lost };

static void map_ring(struct ring *ring)
{
	static int fd = -1;
	uint8_t *data = MAP_FAILED;

	if (fd < 0)
		fd = memfd_create("ring", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || ftruncate(fd, RING_HEADER_SIZE + RING_SIZE))
		abort();
	ring->header = mmap(NULL, RING_HEADER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	data = mmap(NULL, 2 * RING_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < 2; i++)
		if (mmap(data + i * RING_SIZE, RING_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, RING_HEADER_SIZE) == MAP_FAILED)
			abort();
	ring->data = data;
}

static void publish(struct ring *ring, struct input *input, bool valid)
{
	uint64_t head = atomic_load(&ring->header->head), place = head & (RING_SIZE - 16);
	struct ring_record *record = (struct ring_record *)(void *)(ring->data + place);
	uint16_t size;

	take(input, record, sizeof(*record));
	if (!valid)
		return;
	take(input, &size, sizeof(size));
	record->process = NUMBER;
	record->thread = THREAD + (record->thread & 1);
	record->stamp = head ^ RING_STAMP;
	if (size & 1)
		record->size = size & ~15U;
	if (size & 2)
		record->payload = record->size - (uint32_t)sizeof(*record);
	atomic_fetch_add(&ring->header->head, record->size % (RING_SIZE + 1) & ~15UL);
}

static void step(struct tap *tap, struct tapped *tapped, struct input *input)
{
	struct ring_header *header = tapped->ring->header;
	uint64_t number;
	uint8_t what;

	take(input, &what, sizeof(what));
	switch ((enum step)(what % STEPS)) {
	case PUBLISH:
	case FORGE:
		publish(tapped->ring, input, what % STEPS == PUBLISH);
		break;
	case HOLE:
		atomic_fetch_add(&header->head, take_number(input) % RING_SIZE & ~15UL);
		break;
	case SET_HEAD:
		atomic_store(&header->head, take_number(input));
		break;
	case SET_CREDIT:
		atomic_store(&header->credit, (int64_t)take_number(input));
		break;
	case FILL_HOLE:
		number = take_number(input);
		drain_fill_hole(tapped->ring, number, take_number(input));
		break;
	case DRAIN_PROCESS:
		drain_process(tap, tapped);
		break;
	case DRAIN:
	case END:
	case STEPS:
		drain_ring(tap, tapped->ring, what % STEPS == END);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct tapped tapped = { .number = NUMBER, .ready = true };
	const void *functions[] = { &numbered };
	struct tap tap = { .ops = &ops,
			   .ns_per_tick = 1,
			   .abi = abi_native,
			   .functions = functions,
			   .function_count = 1 };
	struct ring ring = { .refs = 1 };
	struct task *task = calloc(1, 4096);
	size_t steps = 0;

	map_ring(&ring);
	tapped.ring = &ring;
	tap.base_tsc = tap_ticks() - 1000;
	map_put(&tap.numbers, NUMBER, &tapped);
	map_put(&tapped.threads, THREAD, task);
	map_put(&tapped.numbers, 1, &tapped);
	while (input.left && steps++ < 1000)
		step(&tap, &tapped, &input);
	drain_ring(&tap, &ring, true);
	/* The end is always reached. */
	if (ring.tail != atomic_load(&ring.header->head) || ring.tail % RING_ALIGN)
		abort();
	record_done(&tapped);
	map_done(&tapped.threads);
	map_done(&tapped.numbers);
	map_done(&tap.numbers);
	munmap(ring.header, RING_HEADER_SIZE);
	munmap(ring.data, 2 * RING_SIZE);
	free(task);
	return 0;
}
