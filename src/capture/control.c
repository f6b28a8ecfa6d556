/* Control data: struct cmsghdr of cmsg(3), in the layouts of 32- and 64-bit programs. */
#include "abi/levels.h"
#include "base/own.h"
#include "capture/message.h"
#include "tracer/mem.h"

#include <linux/tls.h>
#include <string.h>
#include <sys/socket.h>

/* More than any kernel hands out: descriptors, credentials, time stamps, packet information. */
#define CONTROL_MAX (64U << 10)

static uint64_t read_len(const uint8_t *at, unsigned int word)
{
	uint64_t wide;
	uint32_t narrow;

	if (word == 8) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

static void add_fds(struct control *control, const uint8_t *data, size_t len)
{
	size_t count = len / sizeof(int32_t);

	if (count > CONTROL_FDS - control->fd_count)
		count = CONTROL_FDS - control->fd_count;
	if (!count)
		return;
	control->fds =
		own_realloc(control->fds, (control->fd_count + count) * sizeof(*control->fds));
	memcpy(control->fds + control->fd_count, data, count * sizeof(*control->fds));
	control->fd_count += (uint32_t)count;
}

static void read_message(struct control *control, int32_t level, int32_t type, const uint8_t *data,
			 size_t len)
{
	int32_t cred[3]; /* struct ucred: pid, uid, gid */

	if (level == SOL_TLS && (type == TLS_SET_RECORD_TYPE || type == TLS_GET_RECORD_TYPE) && len)
		control->record = data[0];
	if (level != SOL_SOCKET)
		return;
	if (type == SCM_RIGHTS) {
		add_fds(control, data, len);
	} else if (type == SCM_CREDENTIALS && len >= sizeof(cred)) {
		memcpy(cred, data, sizeof(cred));
		control->has_cred = true;
		control->cred =
			(struct event_cred){ cred[0], (uint32_t)cred[1], (uint32_t)cred[2] };
	}
}

void control_read(struct control *ret_control, const struct task *task, uint64_t at, uint64_t len)
{
	const unsigned int word = task->call.abi->word;
	const size_t head = word + 8, size = len < CONTROL_MAX ? len : CONTROL_MAX;
	uint8_t *control auto_free = NULL;
	int32_t level, type;

	if (!at || size < head)
		return;
	control = own_alloc(size);
	if (mem_read_all(task->tid, at, control, size))
		return;
	for (size_t pos = 0; pos + head <= size;) {
		uint64_t used = read_len(control + pos, word);

		if (used < head || used > size - pos)
			break;
		memcpy(&level, control + pos + word, sizeof(level));
		memcpy(&type, control + pos + word + 4, sizeof(type));
		read_message(ret_control, level, type, control + pos + head, used - head);
		pos += (used + word - 1) & ~(uint64_t)(word - 1);
	}
}

void control_done(struct control *control)
{
	free(control->fds);
	*control = (struct control){ 0 };
}
