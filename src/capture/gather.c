#include "capture/gather.h"

#include "base/addr.h"
#include "base/own.h"
#include "tracer/mem.h"

#include <errno.h>
#include <string.h>

/* MAX_RW_COUNT of the kernel: no call moves more. */
#define TOTAL_MAX 0x7ffff000ULL

struct iovec32 {
	uint32_t base, len;
};

struct msghdr32 {
	uint32_t name, namelen, iov, iovlen, control, controllen, flags;
};

struct msghdr64 {
	uint64_t name;
	uint32_t namelen, pad;
	uint64_t iov, iovlen, control, controllen;
	uint32_t flags, pad2;
};

static void set_one(struct gather *gather, uint64_t at, uint64_t len)
{
	gather->one = (struct iovec){ (void *)(uintptr_t)at, len < TOTAL_MAX ? len : TOTAL_MAX };
	gather->pieces = &gather->one;
	gather->count = 1;
	gather->total = gather->one.iov_len;
}

static int read_pieces(struct iovec *pieces, const struct task *task, uint64_t iov, size_t count)
{
	struct iovec32 *narrow = (struct iovec32 *)pieces;
	int result;

	if (task->call.abi->word == 8)
		return mem_read_all(task->tid, iov, pieces, count * sizeof(*pieces));
	result = mem_read_all(task->tid, iov, narrow, count * sizeof(*narrow));
	/* In place, from the end, as the wide form takes twice the room. */
	for (size_t i = count; !result && i-- > 0;) {
		struct iovec32 piece;

		memcpy(&piece, &narrow[i], sizeof(piece));
		pieces[i] = (struct iovec){ (void *)(uintptr_t)piece.base, piece.len };
	}
	return result;
}

int gather_iov(struct gather *gather, const struct task *task, uint64_t iov, uint64_t count)
{
	int result;

	*gather = (struct gather){ 0 };
	if (count > GATHER_PIECES)
		return -EINVAL;
	if (!count)
		return 0;
	gather->pieces = own_alloc(count * sizeof(*gather->pieces));
	gather->count = count;
	result = read_pieces(gather->pieces, task, iov, count);
	for (size_t i = 0; !result && i < count; i++) {
		if (gather->pieces[i].iov_len > TOTAL_MAX - gather->total)
			gather->pieces[i].iov_len = TOTAL_MAX - gather->total;
		gather->total += gather->pieces[i].iov_len;
	}
	if (result) {
		gather->count = 0;
		gather->unreadable = true;
	}
	return result;
}

int gather_msghdr(struct gather_msg *ret_msg, const struct task *task, uint64_t at)
{
	struct msghdr64 wide;
	struct msghdr32 narrow;
	int result;

	if (task->call.abi->word == 8) {
		result = mem_read_all(task->tid, at, &wide, sizeof(wide));
		if (!result)
			*ret_msg = (struct gather_msg){ .name = wide.name,
							.namelen = wide.namelen,
							.iov = wide.iov,
							.iovlen = wide.iovlen,
							.control = wide.control,
							.controllen = wide.controllen,
							.flags = wide.flags };
		return result;
	}
	result = mem_read_all(task->tid, at, &narrow, sizeof(narrow));
	if (!result)
		*ret_msg = (struct gather_msg){ .name = narrow.name,
						.namelen = narrow.namelen,
						.iov = narrow.iov,
						.iovlen = narrow.iovlen,
						.control = narrow.control,
						.controllen = narrow.controllen,
						.flags = narrow.flags };
	return result;
}

int gather_call(struct gather *gather, const struct task *task)
{
	const struct sys_row *row = task->call.row;
	const uint64_t *args = task->call.args;
	struct gather_msg msg;
	int result;

	*gather = (struct gather){ 0 };
	switch (row->shape) {
	case SHAPE_BUF:
		set_one(gather, args[row->data], args[row->len]);
		return 0;
	case SHAPE_IOV:
		return gather_iov(gather, task, args[row->data], args[row->len]);
	case SHAPE_MSG:
		result = gather_msghdr(&msg, task, args[row->data]);
		return result ? result : gather_iov(gather, task, msg.iov, msg.iovlen);
	case SHAPE_MMSG:
	case SHAPE_NONE:
		break;
	}
	return -EINVAL;
}

size_t gather_mmsg_size(const struct task *task)
{
	return task->call.abi->word == 8 ? sizeof(struct msghdr64) + 8
					 : sizeof(struct msghdr32) + 4;
}

size_t gather_mmsg_len_offset(const struct task *task)
{
	return task->call.abi->word == 8 ? sizeof(struct msghdr64) : sizeof(struct msghdr32);
}

void gather_done(struct gather *gather)
{
	if (gather->pieces != &gather->one)
		free(gather->pieces);
	*gather = (struct gather){ 0 };
}

ssize_t gather_copy(const struct gather *gather, const struct task *task, void *data, size_t len)
{
	if (!len || !gather->count)
		return 0;
	return mem_gather(task->tid, gather->pieces, gather->count, data, len);
}

void gather_addr(struct addr *ret_addr, const struct task *task, uint64_t at, uint64_t len)
{
	struct sockaddr_storage ss;

	memset(ret_addr, 0, sizeof(*ret_addr));
	if (!at || len > sizeof(ss) || mem_read_all(task->tid, at, &ss, len))
		return;
	addr_from_bytes(ret_addr, &ss, len);
}

void gather_addr_at(struct addr *ret_addr, const struct task *task, uint64_t at, uint64_t len_at)
{
	uint32_t len;

	memset(ret_addr, 0, sizeof(*ret_addr));
	if (at && len_at && !mem_read_all(task->tid, len_at, &len, sizeof(len)))
		gather_addr(ret_addr, task, at, len);
}
