#include "code/callsite.h"

#include "base/own.h"
#include "code/insn.h"

#include <string.h>

#define LENGTH 2

/* Of .eh_frame_hdr: a table of pairs of 32 bits, relative to its own beginning (DWARF's encodings). */
#define VERSION        1
#define COUNT_UDATA4   0x03
#define TABLE_DATAREL4 0x3b
#define TABLE_AT       12
#define PAIRS_MAX      4000000U

/* Of an entry of .eh_frame: its function, relative to where that is written. */
#define ENTRY_BEGIN 8

/* Functions longer than that are not looked into. */
#define FUNCTION_MAX (1U << 20)

/* Bytes in front of an instruction from which the disassembly of it is begun, where no table tells. */
#define STARTS_FROM 8
#define STARTS_TO   48

/* Numbers of calls are below. */
#define NUMBERS 1024

struct pair {
	int32_t begin, entry;
};

struct frames {
	uint64_t at;
	struct pair *pairs; /* NULL: there is no table that we can read */
	size_t count;
};

static void read_frames(const struct callsite_code *code, struct frames *frames)
{
	uint8_t head[TABLE_AT];
	uint32_t count;

	*frames = (struct frames){ .at = code->frames };
	if (!code->frames || !code->peek(code->ctx, code->frames, head, sizeof(head)) ||
	    head[0] != VERSION || head[2] != COUNT_UDATA4 || head[3] != TABLE_DATAREL4)
		return;
	memcpy(&count, head + 8, sizeof(count));
	if (!count || count > PAIRS_MAX)
		return;
	frames->pairs = own_alloc(count * sizeof(*frames->pairs));
	frames->count = count;
	if (code->peek(code->ctx, frames->at + TABLE_AT, frames->pairs,
		       count * sizeof(*frames->pairs)))
		return;
	free(frames->pairs);
	frames->pairs = NULL;
}

static uint64_t begin_of(const struct frames *frames, size_t i)
{
	return frames->at + (uint64_t)(int64_t)frames->pairs[i].begin;
}

/* The function that holds addr, all of it inside of the code. */
static bool find_function(const struct callsite_code *code, const struct frames *frames,
			  uint64_t addr, uint64_t *ret_begin, uint64_t *ret_end)
{
	size_t low = 0, high = frames->count, middle;
	uint64_t entry;
	uint32_t words[2];

	/* The last that begins at addr or in front of it. */
	while (low < high) {
		middle = low + (high - low) / 2;
		if (begin_of(frames, middle) <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	entry = frames->at + (uint64_t)(int64_t)frames->pairs[low - 1].entry;
	if (!code->peek(code->ctx, entry + ENTRY_BEGIN, words, sizeof(words)))
		return false;
	*ret_begin = begin_of(frames, low - 1);
	*ret_end = *ret_begin + words[1];
	return entry + ENTRY_BEGIN + (uint64_t)(int64_t)(int32_t)words[0] == *ret_begin &&
	       words[1] <= FUNCTION_MAX && addr < *ret_end && *ret_begin >= code->addr &&
	       *ret_end <= code->addr + code->len;
}

/* A function that is read up to a system call instruction. */
struct reading {
	const uint8_t *bytes;
	uint64_t addr, site;
	uint8_t *targets; /* of its branches: a byte for each byte of it */
	size_t len;
	int nr;    /* what is in eax for certain, else -1 */
	bool dead; /* nothing comes here from the instruction in front */
	bool found;
};

static bool note_target(void *ctx, size_t offset, const struct insn *insn)
{
	struct reading *reading = ctx;

	(void)offset;
	if ((insn->kind == INSN_JUMP || insn->kind == INSN_BRANCH) &&
	    insn->target - reading->addr < reading->len)
		reading->targets[insn->target - reading->addr] = 1;
	return true;
}

#define MOV_EAX 0xb8 /* and 32 bits */

static bool follow(void *ctx, size_t offset, const struct insn *insn)
{
	struct reading *reading = ctx;
	const uint8_t *at = reading->bytes + offset;

	if (reading->targets[offset] || reading->dead)
		reading->nr = -1;
	reading->dead = false;
	if (reading->addr + offset >= reading->site) {
		reading->found = reading->addr + offset == reading->site;
		return false;
	}
	if (*at == MOV_EAX && insn->len == 5)
		memcpy(&reading->nr, at + 1, sizeof(reading->nr));
	else if (insn->effect == EFFECT_ZERO && !insn->target_reg)
		reading->nr = 0;
	else if (insn->writes & 1 || insn->kind == INSN_CALL)
		reading->nr = -1;
	reading->dead =
		insn->kind == INSN_JUMP || insn->kind == INSN_RET || insn->kind == INSN_STOP;
	return true;
}

/* By its function's instructions, from the first one on. */
static bool is_in_function(const struct callsite_code *code, uint64_t begin, uint64_t end,
			   struct callsite *site)
{
	struct reading reading = { .site = site->addr, .nr = -1 };
	uint8_t *targets auto_free = NULL;

	reading.bytes = code->bytes + (begin - code->addr);
	reading.addr = begin;
	reading.len = (size_t)(end - begin);
	reading.targets = targets = own_zalloc(reading.len);
	insn_each(reading.bytes, reading.len, begin, note_target, &reading);
	insn_each(reading.bytes, reading.len, begin, follow, &reading);
	site->nr = reading.nr;
	return reading.found;
}

/* From `start` on, instruction by instruction: is one of them the site? */
static bool leads_to(const struct callsite_code *code, uint64_t start, uint64_t site)
{
	struct insn insn;

	while (start < site) {
		insn = insn_decode(code->bytes + (start - code->addr),
				   code->len - (size_t)(start - code->addr), start);
		if (insn.kind == INSN_BAD || !insn.len)
			return false;
		start += insn.len;
	}
	return start == site;
}

/* What comes behind a call: a look at its result, or the end of the function. */
struct sequel {
	uint8_t len, bytes[10];
};

static const struct sequel sequels[] = {
	{ 2, { 0x48, 0x3d } },       /* cmp $…, %rax */
	{ 3, { 0x48, 0x85, 0xc0 } }, /* test %rax, %rax */
	{ 3, { 0x48, 0x83, 0xf8 } }, /* cmp $…, %rax */
	{ 2, { 0x85, 0xc0 } },       /* test %eax, %eax */
	{ 2, { 0x83, 0xf8 } },       /* cmp $…, %eax */
	{ 3, { 0x48, 0x89, 0xc7 } }, /* mov %rax, %rdi */
	{ 3, { 0x89, 0x44, 0x24 } }, /* mov %eax, …(%rsp) */
	{ 4, { 0x48, 0x89, 0x44, 0x24 } },
	{ 1, { 0xc3 } }, /* ret */
	{ 0 },
}, certain[] = {
	/* So long that data does not look so. */
	{ 6, { 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff } }, /* cmp $-4096, %rax */
	{ 6, { 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff } }, /* cmp $-4095, %rax */
	/* mov %rax, 40(%rsp); mov %rdx, 48(%rsp): Go's RawSyscallNoError */
	{ 10, { 0x48, 0x89, 0x44, 0x24, 0x28, 0x48, 0x89, 0x54, 0x24, 0x30 } },
	{ 0 },
};

static bool has_sequel(const struct callsite_code *code, const struct callsite *site,
		       const struct sequel *list)
{
	const size_t offset = (size_t)(site->addr - code->addr) + LENGTH;

	for (; list->len; list++)
		if (list->len <= code->len - offset &&
		    !memcmp(code->bytes + offset, list->bytes, list->len))
			return true;
	return false;
}

/*
 * Without a table: read from wherever one likes, code soon comes to the same instructions. Half of the
 * beginnings have to come to this one, and it has a number, or what comes behind a call.
 */
static bool is_agreed(const struct callsite_code *code, struct callsite *site)
{
	static const uint8_t mov_rax[] = { 0x48, 0xc7, 0xc0 }; /* and 32 bits */
	const uint64_t offset = site->addr - code->addr;
	const uint8_t *at = code->bytes + offset;
	unsigned int agreed = 0, starts = 0;

	for (uint64_t back = STARTS_FROM; back <= STARTS_TO && back <= offset; back++) {
		starts++;
		agreed += leads_to(code, site->addr - back, site->addr);
	}
	site->nr = -1;
	if ((offset >= 5 && at[-5] == MOV_EAX) ||
	    (offset >= sizeof(mov_rax) + 4 &&
	     !memcmp(at - 4 - sizeof(mov_rax), mov_rax, sizeof(mov_rax))))
		memcpy(&site->nr, at - 4, sizeof(site->nr));
	if (site->nr >= NUMBERS)
		site->nr = -1;
	return starts && agreed * 2 >= starts && (site->nr >= 0 || has_sequel(code, site, sequels));
}

static bool is_site(const struct callsite_code *code, const struct frames *frames,
		    struct callsite *site)
{
	uint64_t begin, end;

	if (!frames->pairs)
		return is_agreed(code, site);
	if (find_function(code, frames, site->addr, &begin, &end))
		return is_in_function(code, begin, end, site);
	/* glibc's clone leaves its function's range before the call; data between functions has no number. */
	if (!is_agreed(code, site))
		return false;
	if (site->nr >= 0 || has_sequel(code, site, certain))
		return true;
	site->maybe = true;
	return !site->narrow;
}

/* The next two bytes that look like one. */
static const uint8_t *find_next(const uint8_t *at, const uint8_t *end)
{
	static const uint8_t call[LENGTH] = { 0x0f, 0x05 }, narrow[LENGTH] = { 0xcd, 0x80 };
	const uint8_t *first = memmem(at, (size_t)(end - at), call, LENGTH);
	const uint8_t *other =
		memmem(at, first ? (size_t)(first - at) : (size_t)(end - at), narrow, LENGTH);

	return other ? other : first;
}

bool callsite_each(const struct callsite_code *code,
		   bool (*each)(void *ctx, const struct callsite *site), void *ctx)
{
	const uint8_t *end = code->bytes + code->len, *at = code->bytes;
	struct frames frames;
	bool go_on = true;

	read_frames(code, &frames);
	while (go_on && (at = find_next(at, end))) {
		struct callsite site = { .addr = code->addr + (uint64_t)(at - code->bytes),
					 .narrow = *at == 0xcd };

		if (is_site(code, &frames, &site))
			go_on = each(ctx, &site);
		at++;
	}
	free(frames.pairs);
	return go_on;
}
