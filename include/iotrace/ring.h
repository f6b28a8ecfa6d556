/*
 * What the agent inside a traced process and iotrace share: a ring of records, a block of control
 * words, and where they are. Protocol version first: an agent is only ever used with the iotrace it
 * was built with, but whoever debugs a process can tell.
 *
 * Everything here lies in the memory of a process that can write anything into it. The reader
 * believes nothing: every length is bounded, every stamp checked.
 */
#ifndef IOTRACE_RING_H
#define IOTRACE_RING_H

#define RING_VERSION 2

/*
 * Fixed addresses, so that neither the agent nor the filters have to look anything up. Below 2 GiB, for
 * short instructions. The text's first page is the one that all filters let pass.
 */
#define RING_TEXT    0x7a700000
#define RING_CONTROL 0x7a710000
#define RING_HEADER  0x7a740000
#define RING_DATA    0x7a800000

#define RING_TEXT_SIZE    0x3000
#define RING_CONTROL_SIZE 0x23000
#define RING_HEADER_SIZE  0x1000
/* Mapped twice, one behind the other, so that no record is ever cut. A power of two. */
#define RING_SIZE 0x800000

/* Longer payloads come in pieces. */
#define RING_PIECE 0x100000

/* So much of what is sent is asked for before the call is made: many threads can be blocked at once. */
#define RING_AHEAD 0x2000

#define RING_ALIGN 16

/* A published record begins with its position (counted in bytes from the beginning) xor this. */
#define RING_STAMP 0x696f7472616365ULL

/* Offsets of struct ring_control, for assembly. */
#define RING_FDS       65536
#define RING_FD_STATES (RING_CONTROL + 0x1000)
#define RING_THREADS   1024
#define RING_NO_THREAD 1 /* no thread's fs base is so small: 0 free, 1 was one */

/* States of a descriptor: what the agent does with it. */
#define RING_FD_UNKNOWN 0 /* a traced call: iotrace looks */
#define RING_FD_OTHER   1 /* made without a stop and without a record */
#define RING_FD_SOCKET  2 /* and above: recorded; the number changes with what the descriptor is */

/* Calls of probed functions that are under way: so many, and so many places are tried for one. */
#define RING_OPEN        1024
#define RING_OPEN_PROBES 8

/* What the entry code saves; offsets of struct ring_frame. */
#define FRAME_MAGIC    0
#define FRAME_STUB     8
#define FRAME_NR       16
#define FRAME_ARGS     24 /* rdi, rsi, rdx, r10, r8, r9 */
#define FRAME_SAVED    72 /* rbx, rbp, r12, r13, r14, r15 */
#define FRAME_STATE    120
#define FRAME_TRACED   124
#define FRAME_RESULT   128
#define FRAME_GEN      136
#define FRAME_CREDIT   144
#define FRAME_POSITION 152
#define FRAME_RESERVED 160
#define FRAME_TOLD     216
#define FRAME_SIZE     232

#define FRAME_MAGIC_VALUE 0x7461706672616d65

/* Below the stack pointer of the program: what a leaf function may use (System V ABI, 3.2.2). */
#define FRAME_RED_ZONE 128

/* What a thread waits for whose call iotrace is to see (tap_wait): the first argument. */
#define WAIT_ROOM -1 /* in the ring */
#define WAIT_TELL -2 /* that what is in its frame was told */

/* States of a call in the agent. */
#define FRAME_BEFORE    0 /* nothing has happened: it can be begun anew */
#define FRAME_CALLING   1 /* at or in the system call */
#define FRAME_DONE      2 /* the result is there; the record is not, or not all of it */
#define FRAME_PUBLISHED 3

/* A stub: one per patched site. The agent is entered with its address in rcx. */
#define STUB_UNTRUSTED \
	13              /* where a call begins that is to be traced: of attached processes a trap */
#define STUB_SYSCALL 14 /* where it is made */
#define STUB_RET     24 /* where the address behind the site's instruction stands */
#define STUB_SIZE    40

/*
 * At a probed function's entry and returns a jump leads to a stub as well, a larger one: what is saved
 * there, offsets of struct ring_hook_frame, and in the stub.
 */
#define HOOK_FRAME_SIZE  256
#define HOOK_FRAME_MAGIC 0x686f6f6b65646672
#define HOOK_RCX         232
#define HOOK_R11         240

#define HOOK_LOWER  15 /* where the stack pointer is lowered; before that, what comes behind it */
#define HOOK_CALL   20 /* of the agent */
#define HOOK_BACK   26 /* where it returns to */
#define HOOK_RAISED 34 /* the stack pointer is the program's again; carry: it is to be traced */
#define HOOK_BEFORE 36 /* the program's instruction, if it is to come behind the agent */
#define HOOK_NEXT   51 /* the jump to what is behind it in the program */
#define HOOK_TRACED 62 /* a trap, as it stood in the program */
#define HOOK_DATA   64 /* struct ring_hook */
#define HOOK_SIZE   104

/* Longer plaintext is left to the tracer: one stop is little beside that. */
#define HOOK_PAYLOAD_MAX 0x40000

/* Where in struct ring_header the head and the credit are, and in struct ring_control what disables. */
#define RING_HEAD     64
#define RING_CREDIT   192
#define RING_DISABLED 12
#define RING_NUMBERS  64

/* System calls have smaller numbers. */
#define RING_NUMBER_MAX 512

#ifndef __ASSEMBLER__
#include <stdatomic.h>
#include <stdint.h>

/* Shared by all processes that have a ring from one exec, and iotrace. */
struct ring_header {
	uint32_t version;
	uint32_t size;
	/* Positions. head: reserved by the agent's threads (fetch-add); tail: what was consumed. */
	_Alignas(64) _Atomic uint64_t head;
	_Alignas(64) _Atomic uint64_t tail;
	/*
	 * Free bytes that nobody has asked for. Taken before a call that sends (and where that is not enough,
	 * after it) and after one that reads; given back after its record by the agent (what it did not need)
	 * and by iotrace (what it has consumed).
	 */
	_Alignas(64) _Atomic int64_t credit;
	/* Calls that ended with EAGAIN and have no record. */
	_Alignas(64) _Atomic uint64_t again;
};

enum ring_kind {
	RING_SKIP, /* nothing: a reservation that came to nothing */
	RING_CALL,
	RING_MORE, /* more payload of the call before, of the same thread */
	RING_ENTER, /* a probed function was called: nr is its number, the payload HOOK_WORDS words */
	RING_LEAVE, /* … and has returned: the payload is its plaintext, `asked` bytes long */
};

/* C: the six arguments in registers. Go: four, and the bounds of the goroutine's stack. */
#define HOOK_WORDS 6
#define HOOK_LOW   4
#define HOOK_HIGH  5

/* Marks of a record. */
#define RING_CUT       1 /* the buffer could not be read to the end */
#define RING_CONTINUES 2 /* a record with more of the payload follows */

/* Fixed widths, little endian, no padding: 128 bytes, then the payload. */
struct ring_record {
	uint64_t stamp; /* written last, with release */
	uint32_t size;  /* of all, a multiple of RING_ALIGN */
	uint16_t nr;
	uint8_t fd_state; /* the descriptor's, at the call's entry */
	uint8_t kind;     /* enum ring_kind */
	int32_t fd;
	uint32_t process; /* ring_control.process */
	uint64_t thread;  /* fs base */
	int64_t ret;
	uint64_t begun, ended; /* time stamp counter */
	uint64_t asked;        /* bytes */
	uint64_t sp, g;        /* stack pointer and r14 (Go's goroutine) at the site */
	uint32_t flags;        /* MSG_ flags of the call */
	uint32_t msg_flags;    /* … that the kernel wrote back */
	uint32_t payload;      /* bytes behind this */
	uint16_t addr_len;
	uint16_t marks; /* RING_CUT, RING_CONTINUES */
	uint8_t addr[32];
};

_Static_assert(sizeof(struct ring_record) == 128, "the record's layout is a contract");

/* A call of a probed function that is under way. */
struct ring_open {
	/* 0: free. C: the stack pointer at the entry. Go: the goroutine, plus 1 in what reads. */
	uint64_t key;
	uint64_t number; /* of the function */
	uint64_t buffer; /* its arguments, as the row says */
	uint64_t length;
	uint64_t low, high; /* Go: bounds of its stack, which can move */
	uint64_t begun;
	uint64_t unused;
};

_Static_assert(sizeof(struct ring_open) == 64, "one line of the cache each");

/* Private to a process; a forked child has its own copy. Written by iotrace alone, but for `open`. */
struct ring_control {
	uint32_t version;
	uint32_t process;   /* which of the ring's processes this is */
	uint32_t errors;    /* EAGAIN is to be recorded, too */
	uint32_t disabled;  /* not 0: all calls are to be traced */
	uint64_t max_bytes; /* to be kept of one call */
	/* Attached processes, which have no filter: a bit for each number that is to be seen. */
	_Alignas(64) uint64_t numbers[RING_NUMBER_MAX / 64];
	_Alignas(0x1000) uint8_t fd_state[RING_FDS];
	/* fs bases of the threads that iotrace knows, by ring_thread_slot; else up to RING_NO_THREAD. */
	uint64_t threads[RING_THREADS];
	_Alignas(0x1000) struct ring_open open[RING_OPEN];
};

#define RING_THREAD_PROBES 8

static inline uint32_t ring_thread_slot(uint64_t thread)
{
	return (uint32_t)((thread >> 6) * 0x9e3779b97f4a7c15ULL >> 54);
}

static inline uint32_t ring_open_slot(uint64_t key)
{
	return (uint32_t)((key >> 3) * 0x9e3779b97f4a7c15ULL >> 54);
}

/* When a result says that there are bytes: enum success of probe/row.h. */
enum hook_success { HOOK_IF_POSITIVE, HOOK_IF_ONE, HOOK_IF_NONZERO, HOOK_ALWAYS };

/* The length is the result, not an argument. */
#define HOOK_RESULT 255

/* At the end of a stub: what the agent does there. */
struct ring_hook {
	uint64_t entry;  /* the agent's */
	uint64_t next;   /* the code behind the program's instruction */
	uint64_t site;   /* that instruction */
	uint32_t number; /* of the function */
	int32_t below;   /* bytes from the stack pointer there up to the return address */
	uint8_t leaves;  /* a return, not the entry */
	uint8_t after;   /* the instruction comes before the agent */
	uint8_t go;
	uint8_t inward;  /* it reads */
	uint8_t success; /* enum hook_success */
	uint8_t narrow;  /* results are of 32 bits */
	uint8_t buffer;  /* number of the argument */
	uint8_t length;  /* … that points to the length; or HOOK_RESULT */
};

_Static_assert(sizeof(struct ring_hook) == HOOK_SIZE - HOOK_DATA, "the hook's size");

/* On the program's stack while one of its threads is in the agent; found by its magic. */
struct ring_frame {
	uint64_t magic; /* FRAME_MAGIC_VALUE xor its own address */
	uint64_t stub;
	uint64_t nr;
	uint64_t args[6];
	uint64_t saved[6];
	uint32_t state;
	uint32_t traced; /* give up: make the call where it is traced */
	int64_t result;
	uint64_t fd_state;
	uint64_t credit;   /* taken and not used yet */
	uint64_t position; /* of the record that is being written; -1: not known yet */
	uint64_t reserved; /* its size; 0: none is */
	uint64_t begun;
	uint64_t asked;
	uint64_t iov, count; /* pieces; iov 0: the buffer is argument 1 */
	uint64_t written;    /* bytes of the payload that are published */
	uint64_t target;     /* … and that are when the record at `position` is, too */
	uint64_t told;       /* a record of the call is published */
	uint64_t thread;
};

/* The same in a probed function: `stub` is where the agent returns to, `result` what was in rax. */
struct ring_hook_frame {
	struct ring_frame call;
	uint64_t rcx, r11;
	uint64_t open; /* address of its struct ring_open; 0: it has none */
};

_Static_assert(sizeof(struct ring_hook_frame) == HOOK_FRAME_SIZE,
	       "the frame's layout is a contract");
_Static_assert(__builtin_offsetof(struct ring_hook_frame, rcx) == HOOK_RCX, "rcx");
_Static_assert(__builtin_offsetof(struct ring_hook_frame, r11) == HOOK_R11, "r11");
_Static_assert(sizeof(struct ring_frame) == FRAME_SIZE, "the frame's layout is a contract");
_Static_assert(__builtin_offsetof(struct ring_frame, position) == FRAME_POSITION, "position");
_Static_assert(__builtin_offsetof(struct ring_frame, reserved) == FRAME_RESERVED, "reserved");
_Static_assert(__builtin_offsetof(struct ring_frame, told) == FRAME_TOLD, "told");
_Static_assert(__builtin_offsetof(struct ring_frame, credit) == FRAME_CREDIT, "credit");
_Static_assert(__builtin_offsetof(struct ring_header, head) == RING_HEAD, "head");
_Static_assert(__builtin_offsetof(struct ring_header, credit) == RING_CREDIT, "credit");
_Static_assert(__builtin_offsetof(struct ring_control, disabled) == RING_DISABLED, "disabled");
_Static_assert(__builtin_offsetof(struct ring_control, numbers) == RING_NUMBERS, "numbers");
_Static_assert(__builtin_offsetof(struct ring_frame, fd_state) == FRAME_GEN, "fd_state");
_Static_assert(__builtin_offsetof(struct ring_control, fd_state) == RING_FD_STATES - RING_CONTROL,
	       "fd_state");
_Static_assert(sizeof(struct ring_control) <= RING_CONTROL_SIZE, "the control block's size");
#endif

#endif
