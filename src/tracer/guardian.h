/*
 * The guardian's process, and what it shares with the tracer (guard.c). It learns of the tracer's end as the
 * first thing that the end is: the kernel gives the robust mutexes of a thread back before it gives up the
 * thread's memory and files (exit_mm_release of kernel/fork.c), and lets go of its tracees last (exit_notify).
 */
#ifndef TRACER_GUARDIAN_H
#define TRACER_GUARDIAN_H

#include "tracer/rescue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define GUARDIAN_NAME      "iotrace-guard"
#define GUARDIAN_SLOTS     65536U
#define GUARDIAN_PROCESSES 65536U /* that live */

/* What is planted. A slot is free if its pid is 0. */
struct planted {
	_Atomic int32_t pid;
	uint8_t now; /* what stands there if it is ours */
	uint8_t orig[2];
	uint8_t len;
	uint64_t addr;
};

/* /proc/PID/mem, open in the guardian. */
struct guardian_memory {
	_Atomic int32_t pid;
	_Atomic int fd;
};

struct guardian_shared {
	pthread_mutex_t alive; /* robust; held by the tracing thread for as long as it traces */
	struct rescue rescue;
	_Atomic uint32_t top; /* slots from here on were never used */
	struct planted slots[GUARDIAN_SLOTS];
	/* The guardian's own. */
	_Atomic uint32_t count;
	struct guardian_memory memories[GUARDIAN_PROCESSES];
};

/*
 * Starts it, with the calling thread as the one that traces. *ret_shared is to be given to guardian_stop, by the
 * same thread; *ret_socket takes the memory of processes: their ids, of 4 bytes, each with a descriptor of
 * /proc/PID/mem. 0 or -errno.
 */
int guardian_start(struct guardian_shared **ret_shared, int *ret_socket);

/* What is still planted is put back, and it ends. */
void guardian_stop(struct guardian_shared *shared, int socket);

#endif
