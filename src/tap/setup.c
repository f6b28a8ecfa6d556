/*
 * Puts the agent into a process: its text, its control block, and a ring that is shared with us. All by
 * calls that the stopped task makes for us; the text is written from outside, and is never writable
 * inside.
 */
#include "base/own.h"
#include "base/proc.h"
#include "tap/agent_blob.h"
#include "tap/state.h"
#include "tracer/inject.h"
#include "tracer/space_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMFD_NAME "iotrace-ring"

/* A call of the session; its own failure is an error, too. */
static int make(struct inject *in, const char *name, const uint64_t args[6], int64_t *ret_result)
{
	int result = inject_call(in, abi_nr(in->abi, name), args, ret_result);

	if (result)
		return result;
	return *ret_result < 0 && *ret_result > -4096 ? (int)*ret_result : 0;
}

static int map_at(struct inject *in, uint64_t at, uint64_t size, int prot, int flags, int fd,
		  uint64_t offset)
{
	const uint64_t args[6] = { at,
				   size,
				   (uint64_t)prot,
				   (uint64_t)(flags | MAP_FIXED_NOREPLACE),
				   (uint64_t)(int64_t)fd,
				   offset };
	int64_t got;
	int result = make(in, "mmap", args, &got);

	if (result)
		return result;
	/* A kernel before 4.17 takes the address for a hint. */
	return (uint64_t)got == at ? 0 : -EEXIST;
}

static int map_private(struct inject *in, struct proc *proc)
{
	static const char name[] = MEMFD_NAME;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	int result;

	result = map_at(in, RING_TEXT, RING_TEXT_SIZE, PROT_READ | PROT_EXEC, flags, -1, 0);
	if (!result)
		result = map_at(in, RING_CONTROL, RING_CONTROL_SIZE, PROT_READ | PROT_WRITE, flags,
				-1, 0);
	if (!result)
		result = space_poke(proc, RING_TEXT, agent_blob, agent_blob_size());
	/* The name that the memory gets, where the process can read it. */
	if (!result)
		result = space_poke(proc, RING_TEXT + RING_TEXT_SIZE - sizeof(name), name,
				    sizeof(name));
	return result;
}

/* Our own view of what is behind the process's descriptor, of its full size. */
static int open_memory(pid_t pid, int fd)
{
	char path[64];
	int own auto_close = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	own = open(path, O_RDWR | O_CLOEXEC);
	if (own < 0 || ftruncate(own, RING_HEADER_SIZE + RING_SIZE))
		return -errno;
	return take_fd(&own);
}

static int map_ours(struct ring *ring, int fd)
{
	uint8_t *data;

	ring->header = mmap(NULL, RING_HEADER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	data = mmap(NULL, 2 * RING_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring->header == MAP_FAILED || data == MAP_FAILED)
		return -ENOMEM;
	for (int i = 0; i < 2; i++)
		if (mmap(data + (size_t)i * RING_SIZE, RING_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, RING_HEADER_SIZE) == MAP_FAILED)
			return -ENOMEM;
	ring->data = data;
	ring->header->version = RING_VERSION;
	ring->header->size = RING_SIZE;
	atomic_store(&ring->header->credit, RING_SIZE);
	return 0;
}

static int map_theirs(struct inject *in, int fd)
{
	const int prot = PROT_READ | PROT_WRITE;
	int result = map_at(in, RING_HEADER, RING_HEADER_SIZE, prot, MAP_SHARED, fd, 0);

	for (uint64_t i = 0; !result && i < 2; i++)
		result = map_at(in, RING_DATA + i * RING_SIZE, RING_SIZE, prot, MAP_SHARED, fd,
				RING_HEADER_SIZE);
	return result;
}

static int map_shared(struct inject *in, struct task *task, struct ring *ring)
{
	const uint64_t args[6] = { RING_TEXT + RING_TEXT_SIZE - sizeof(MEMFD_NAME), MFD_CLOEXEC };
	uint64_t close_args[6] = { 0 };
	int64_t fd, ignored;
	int own auto_close = -1;
	int result = make(in, "memfd_create", args, &fd);

	if (result)
		return result;
	own = open_memory(task->proc->pid, (int)fd);
	result = own < 0 ? own : map_ours(ring, own);
	if (!result)
		result = map_theirs(in, (int)fd);
	close_args[0] = (uint64_t)fd;
	make(in, "close", close_args, &ignored);
	return result;
}

static int write_control(const struct tap *tap, struct tapped *tapped)
{
	struct ring_control control = {
		.version = RING_VERSION,
		.process = tapped->number,
		.errors = tap->options.errors,
		.max_bytes = tap->options.max_bytes,
	};

	return space_poke(tapped->proc, RING_CONTROL, &control,
			  offsetof(struct ring_control, fd_state));
}

static void ring_free(struct ring *ring)
{
	if (ring->header && ring->header != MAP_FAILED)
		munmap(ring->header, RING_HEADER_SIZE);
	if (ring->data)
		munmap(ring->data, 2 * RING_SIZE);
	free(ring);
}

void setup_ring_put(struct tap *tap, struct ring *ring)
{
	struct ring **link = &tap->rings;

	if (--ring->refs)
		return;
	drain_ring(tap, ring, true);
	pthread_mutex_lock(&tap->lock);
	while (*link != ring)
		link = &(*link)->next;
	*link = ring->next;
	pthread_mutex_unlock(&tap->lock);
	ring_free(ring);
}

/*
 * The processor keeps a second stack of return addresses (Documentation/arch/x86/shstk.rst, Linux 6.6): a
 * thread that is moved out of the agent would come back to another than it has there.
 */
static bool has_shadow_stack(pid_t pid)
{
	char status[4096], *line;

	if (proc_read(pid, "status", status, sizeof(status)) <= 0)
		return false;
	line = strstr(status, "\nx86_Thread_features:");
	if (!line)
		return false;
	line[1 + strcspn(line + 1, "\n")] = '\0';
	return strstr(line, "shstk");
}

int setup_process(struct tap *tap, struct tapped *tapped, struct task *task)
{
	struct ring *ring;
	struct inject in;
	int result, ended;

	if (has_shadow_stack(task->proc->pid))
		return -EOPNOTSUPP;
	ring = own_zalloc(sizeof(*ring));
	result = inject_begin(&in, tap->tracer, task);

	if (!result)
		result = map_private(&in, task->proc);
	if (!result)
		result = map_shared(&in, task, ring);
	ended = inject_end(&in);
	if (!result)
		result = ended ? ended : write_control(tap, tapped);
	if (result) {
		ring_free(ring);
		return result;
	}
	ring->refs = 1;
	pthread_mutex_lock(&tap->lock);
	ring->next = tap->rings;
	tap->rings = ring;
	pthread_mutex_unlock(&tap->lock);
	tapped->ring = ring;
	tapped->ready = true;
	return 0;
}
