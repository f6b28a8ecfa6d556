/*
 * The agent: makes the program's call and appends what it moved to the ring. Freestanding, no system
 * call of its own, no allocation, no vector registers, and little of the program's stack. What it
 * cannot do it leaves to a traced call, which iotrace sees.
 */
#include "tap/agent/agent.h"

enum {
	NR_READ = 0,
	NR_WRITE = 1,
	NR_CLOSE = 3,
	NR_SIGPROCMASK = 14,
	NR_PREAD64 = 17,
	NR_PWRITE64 = 18,
	NR_READV = 19,
	NR_WRITEV = 20,
	NR_ACCEPT = 43,
	NR_SENDTO = 44,
	NR_RECVFROM = 45,
	NR_SENDMSG = 46,
	NR_RECVMSG = 47,
	NR_SHUTDOWN = 48,
	NR_ACCEPT4 = 288
};

#define AGAIN (-11)

#define SIGNAL_TRAP 5

#define CACHE_LINE 64

/* So much of a read's record is fetched ahead: nobody knows yet what it will bring, often little. */
#define READ_GUESS 256

/* More pieces than this are left to a traced call. */
#define PIECES_MAX 64

/* struct iovec and struct msghdr of 64-bit programs. */
#define PIECE_SIZE     16
#define PIECE_LEN      8
#define MSG_NAME       0
#define MSG_NAMELEN    8
#define MSG_IOV        16
#define MSG_IOVLEN     24
#define MSG_CONTROLLEN 40
#define MSG_FLAGS      48

INLINE int is_accept(uint64_t nr)
{
	return nr == NR_ACCEPT || nr == NR_ACCEPT4;
}

/* How many bytes the call asks for, and where its pieces are. Not 0: leave it to a traced call. */
INLINE int measure(struct ring_frame *frame)
{
	uint64_t word;

	/* The agent makes these where no socket is meant. */
	if (frame->nr == NR_CLOSE || frame->nr == NR_PREAD64 || frame->nr == NR_PWRITE64 ||
	    is_accept(frame->nr))
		return -1;
	frame->iov = 0;
	frame->asked = frame->nr == NR_SHUTDOWN ? 0 : frame->args[2];
	if (frame->nr == NR_READV || frame->nr == NR_WRITEV) {
		frame->iov = frame->args[1];
		frame->count = frame->args[2];
	} else if (frame->nr == NR_SENDMSG || frame->nr == NR_RECVMSG) {
		/* Descriptors and the like may go with it. */
		if (fetch(&word, frame->args[1] + MSG_CONTROLLEN, sizeof(word)) || word ||
		    fetch(&frame->iov, frame->args[1] + MSG_IOV, sizeof(frame->iov)) ||
		    fetch(&frame->count, frame->args[1] + MSG_IOVLEN, sizeof(frame->count)))
			return -1;
	} else {
		return 0;
	}
	if (frame->count > PIECES_MAX || !frame->iov)
		return -1;
	frame->asked = 0;
	for (uint64_t i = 0; i < frame->count; i++) {
		if (fetch(&word, frame->iov + i * PIECE_SIZE + PIECE_LEN, sizeof(word)))
			return -1;
		frame->asked += word;
	}
	return 0;
}

INLINE int is_read(uint64_t nr)
{
	return nr == NR_READ || nr == NR_READV || nr == NR_RECVFROM || nr == NR_RECVMSG;
}

INLINE void fill_head(const struct ring_frame *frame, struct ring_record *record, uint64_t size)
{
	record->size = (uint32_t)size;
	record->nr = (uint16_t)frame->nr;
	record->fd_state = (uint8_t)frame->fd_state;
	record->kind = frame->told ? RING_MORE : RING_CALL;
	record->fd = (int32_t)frame->args[0];
	record->process = CONTROL->process;
	record->thread = frame->thread;
	record->ret = frame->result;
	record->begun = frame->begun;
	record->ended = now();
	record->asked = frame->asked;
	record->sp = (uint64_t)(uintptr_t)frame + FRAME_SIZE + FRAME_RED_ZONE;
	record->g = frame->saved[4];
	record->flags = 0;
	record->msg_flags = 0;
	record->addr_len = 0;
	record->marks = 0;
}

INLINE void fill_addr(struct ring_record *record, uint64_t addr, uint64_t len)
{
	if (!addr || len < 2 || len > sizeof(record->addr))
		return;
	if (!fetch(record->addr, addr, len))
		record->addr_len = (uint16_t)len;
}

INLINE void fill_msg_addr(const struct ring_frame *frame, struct ring_record *record)
{
	uint64_t name, len;

	if (!fetch(&name, frame->args[1] + MSG_NAME, sizeof(name)) &&
	    !fetch(&len, frame->args[1] + MSG_NAMELEN, sizeof(len)))
		fill_addr(record, name, (uint32_t)len);
}

/* Flags and addresses; what the kernel has written is there only when it did not fail. */
INLINE void fill_rest(const struct ring_frame *frame, struct ring_record *record)
{
	uint32_t word;

	if (frame->nr == NR_SENDTO) {
		record->flags = (uint32_t)frame->args[3];
		fill_addr(record, frame->args[4], frame->args[5]);
	} else if (frame->nr == NR_RECVFROM) {
		record->flags = (uint32_t)frame->args[3];
		if (frame->args[4] && frame->result >= 0 &&
		    !fetch(&word, frame->args[5], sizeof(word)))
			fill_addr(record, frame->args[4], word);
	} else if (frame->nr == NR_SENDMSG || frame->nr == NR_RECVMSG) {
		record->flags = (uint32_t)frame->args[2];
		if (frame->nr == NR_RECVMSG && frame->result >= 0 &&
		    !fetch(&word, frame->args[1] + MSG_FLAGS, sizeof(word)))
			record->msg_flags = word;
		if (frame->nr == NR_SENDMSG || frame->result >= 0)
			fill_msg_addr(frame, record);
	} else if (frame->nr == NR_SHUTDOWN) {
		record->flags = (uint32_t)frame->args[1];
	}
}

/* Copies bytes [skip, skip + len) of the pieces; returns how many were not there. */
INLINE uint64_t copy_pieces(const struct ring_frame *frame, uint8_t *to, uint64_t skip,
			    uint64_t len)
{
	uint64_t base, size, left;

	for (uint64_t i = 0; i < frame->count && len; i++) {
		if (fetch(&base, frame->iov + i * PIECE_SIZE, sizeof(base)) ||
		    fetch(&size, frame->iov + i * PIECE_SIZE + PIECE_LEN, sizeof(size)))
			return len;
		if (skip >= size) {
			skip -= size;
			continue;
		}
		size = min(size - skip, len);
		left = tap_copy(to, (const void *)(uintptr_t)(base + skip), size);
		skip = 0;
		len -= size - left;
		if (left)
			return len;
		to += size;
	}
	return len;
}

INLINE uint64_t copy_payload(const struct ring_frame *frame, uint8_t *to, uint64_t len)
{
	if (frame->iov)
		return copy_pieces(frame, to, frame->written, len);
	return tap_copy(to, (const void *)(uintptr_t)(frame->args[1] + frame->written), len);
}

/* One record of at most a piece, of `rest` bytes that are still to be told. */
INLINE void append(struct ring_frame *frame, uint64_t rest)
{
	uint64_t len = min(rest, RING_PIECE), missing;
	uint64_t size = sizeof(struct ring_record) + padded(len);
	struct ring_record *record =
		(struct ring_record *)(DATA + (tap_reserve(frame, size) & (RING_SIZE - 1)));

	fill_head(frame, record, size);
	fill_rest(frame, record);
	missing = len ? copy_payload(frame, (uint8_t *)(record + 1), len) : 0;
	record->payload = (uint32_t)(len - missing);
	record->marks = (uint16_t)((missing ? RING_CUT : 0) | (rest > len ? RING_CONTINUES : 0));
	publish(frame, record, len);
}

/* More room, when the call is over. Not 0: nobody empties the ring any more. */
INLINE int need_credit(struct ring_frame *frame, uint64_t payload)
{
	if (frame->credit >= sizeof(struct ring_record) + padded(payload))
		return 0;
	tap_give(frame);
	while (take_credit(frame, payload))
		if (tap_wait())
			return -1;
	return 0;
}

/* All of a call's bytes. */
INLINE void append_all(struct ring_frame *frame)
{
	uint64_t moved = frame->result > 0 ? (uint64_t)frame->result : 0;

	/* With MSG_TRUNC the result can exceed the buffer. */
	moved = min(moved, frame->asked);
	if (CONTROL->max_bytes)
		moved = min(moved, CONTROL->max_bytes);
	do {
		if (need_credit(frame, min(moved - frame->written, RING_PIECE)))
			return;
		append(frame, moved - frame->written);
	} while (frame->written < moved);
}

/*
 * The record's place comes into the cache while the kernel works: the last to read it was iotrace, on
 * another core. A guess, as other threads take places, too.
 */
INLINE void fetch_place(const struct ring_frame *frame)
{
	uint64_t head = atomic_load_explicit(&HEADER->head, memory_order_relaxed);
	const uint8_t *place = DATA + (head & (RING_SIZE - 1));
	const uint8_t *end = place + sizeof(struct ring_record) +
			     min(frame->asked, is_read(frame->nr) ? READ_GUESS : RING_AHEAD);

	for (; place < end; place += CACHE_LINE)
		__asm__ volatile("prefetchw %0" : : "m"(*place));
}

/*
 * Who sends waits for room before the call is made. Who reads does so behind it: many threads can be
 * blocked in reads at once, and most reads that find nothing would take room and give it back.
 */
INLINE int is_ready(struct ring_frame *frame)
{
	return is_known(frame->thread) && !measure(frame) &&
	       (is_read(frame->nr) || !take_credit(frame, min(frame->asked, RING_AHEAD)));
}

/*
 * With SIGTRAP left out: a breakpoint in a thread that blocks it would end the program if iotrace were killed
 * (tracer/catcher.h). Who is stopped in between is given its own argument back: it is in iov (pull.c).
 */
INLINE void make_mask(struct ring_frame *frame)
{
	if (!fetch(&frame->count, frame->args[1], sizeof(frame->count))) {
		frame->count &= ~(1UL << (SIGNAL_TRAP - 1));
		frame->iov = frame->args[1];
		atomic_signal_fence(memory_order_seq_cst);
		frame->args[1] = (uint64_t)(uintptr_t)&frame->count;
	}
	tap_syscall(frame);
	if (frame->args[1] == (uint64_t)(uintptr_t)&frame->count)
		frame->args[1] = frame->iov;
	frame->state = FRAME_PUBLISHED;
}

/* A message on what is no socket, or none that is wanted: it is seen if something can come with it. */
INLINE void make_untold(struct ring_frame *frame)
{
	if (measure(frame)) {
		frame->traced = 1;
		return;
	}
	tap_syscall(frame);
	frame->state = FRAME_PUBLISHED;
}

/*
 * A call that finds nothing is no event. Of the others iotrace has to know before the program does, as it
 * tells what the new descriptor is. Its number can be that of a file that was closed without a stop.
 */
INLINE void accept_one(struct ring_frame *frame)
{
	frame->asked = 0;
	frame->iov = 0;
	frame->begun = now();
	tap_syscall(frame);
	if (frame->result >= 0) {
		if (frame->result < RING_FDS)
			CONTROL->fd_state[frame->result] = RING_FD_UNKNOWN;
		tap_tell();
	}
	frame->state = FRAME_PUBLISHED;
}

int64_t tap_record(struct ring_frame *frame)
{
	frame->written = 0;
	frame->told = 0;
	frame->thread = thread_key();
	if (frame->nr == NR_SIGPROCMASK) {
		make_mask(frame);
		return frame->result;
	}
	if (frame->fd_state == RING_FD_OTHER) {
		make_untold(frame);
		return frame->traced ? (int64_t)frame->nr : frame->result;
	}
	if (is_accept(frame->nr) && is_known(frame->thread)) {
		accept_one(frame);
		return frame->result;
	}
	if (!is_ready(frame)) {
		frame->traced = 1;
		return (int64_t)frame->nr;
	}
	fetch_place(frame);
	frame->begun = now();
	tap_syscall(frame);
	if (frame->result == AGAIN && !CONTROL->errors)
		atomic_fetch_add_explicit(&HEADER->again, 1, memory_order_relaxed);
	else
		append_all(frame);
	frame->state = FRAME_PUBLISHED;
	tap_give(frame);
	return frame->result;
}
