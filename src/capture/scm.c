/* Descriptors that arrive with a message: struct cmsghdr of cmsg(3), in 32- and 64-bit layout. */
#include "base/own.h"
#include "capture/state.h"
#include "tracer/mem.h"

#include <string.h>
#include <sys/socket.h>

/* More control data than any kernel hands out: SCM_MAX_FD is 253, and a few other messages. */
#define CONTROL_MAX (64U << 10)

static void take_descriptor(struct capture *capture, struct task *task, int fd)
{
	struct cproc *cproc = cproc_of(task);
	struct sock_info nothing = { 0 };

	/* A process that is wide finds it at its first use. */
	descriptor_released(capture, task, fd, fdtable_forget(cproc->fds, fd));
	if (!task->proc->wide && descriptor_made(capture, task, fd, &nothing))
		table_widen(capture, task);
}

static void take_rights(struct capture *capture, struct task *task, const uint8_t *data, size_t len)
{
	int fd;

	for (size_t at = 0; at + sizeof(fd) <= len; at += sizeof(fd)) {
		memcpy(&fd, data + at, sizeof(fd));
		take_descriptor(capture, task, fd);
	}
}

static uint64_t read_len(const uint8_t *at, unsigned int word)
{
	uint64_t wide = 0;
	uint32_t narrow;

	if (word == 8) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

void scm_receive(struct capture *capture, struct task *task)
{
	const unsigned int word = task->call.abi->word;
	const size_t head = word + 8;
	struct gather_msg msg;
	uint8_t *control auto_free = NULL;
	size_t size;
	int32_t level, type;

	if (gather_msghdr(&msg, task, task->call.args[task->call.row->data]) || !msg.controllen)
		return;
	size = msg.controllen < CONTROL_MAX ? msg.controllen : CONTROL_MAX;
	control = own_alloc(size);
	if (mem_read_all(task->tid, msg.control, control, size))
		return;
	for (size_t at = 0; at + head <= size;) {
		uint64_t len = read_len(control + at, word);

		if (len < head || len > size - at)
			break;
		memcpy(&level, control + at + word, sizeof(level));
		memcpy(&type, control + at + word + 4, sizeof(type));
		if (level == SOL_SOCKET && type == SCM_RIGHTS)
			take_rights(capture, task, control + at + head, len - head);
		at += (len + word - 1) & ~(uint64_t)(word - 1);
	}
}
