#include "code/gotab.h"

#include "base/own.h"

#include <string.h>

/* First word of the table, by the Go version that brought it. */
#define MAGIC_1_2  0xfffffffbU
#define MAGIC_1_16 0xfffffffaU
#define MAGIC_1_18 0xfffffff0U
#define MAGIC_1_20 0xfffffff1U

#define POINTER 8

/* More than the table of any program known (a few tens of MB), to bound a hostile file. */
#define TABLE_MAX (512UL << 20)

struct gotab {
	struct elf *elf;
	uint8_t *data;
	size_t len;
	uint64_t addr;
	uint32_t magic;
	uint64_t text; /* what the entries are relative to; 0: they are addresses */
	uint64_t functions;
	size_t names, table; /* offsets in data */
	size_t func_base;    /* what the second word of an entry is relative to */
};

static bool get(const struct gotab *gotab, uint64_t at, void *to, size_t len)
{
	if (at > gotab->len || len > gotab->len - at)
		return false;
	memcpy(to, gotab->data + at, len);
	return true;
}

static uint64_t word_at(const struct gotab *gotab, uint64_t at)
{
	uint64_t word = 0;

	get(gotab, at, &word, sizeof(word));
	return word;
}

static uint32_t half_at(const struct gotab *gotab, uint64_t at)
{
	uint32_t half = 0;

	get(gotab, at, &half, sizeof(half));
	return half;
}

static bool is_offset_form(const struct gotab *gotab)
{
	return gotab->magic == MAGIC_1_18 || gotab->magic == MAGIC_1_20;
}

/* magic, two zero bytes, instruction quantum (1 or 4), pointer size. */
static bool is_header(const uint8_t *p)
{
	uint32_t magic;

	memcpy(&magic, p, sizeof(magic));
	return (magic == MAGIC_1_2 || magic == MAGIC_1_16 || magic == MAGIC_1_18 ||
		magic == MAGIC_1_20) &&
	       !p[4] && !p[5] && (p[6] == 1 || p[6] == 4) && p[7] == POINTER;
}

static bool load(struct gotab *gotab, uint64_t addr, uint64_t size)
{
	if (size < 64 || size > TABLE_MAX)
		return false;
	free(gotab->data);
	gotab->data = own_alloc((size_t)size);
	gotab->len = elf_read(gotab->elf, addr, gotab->data, (size_t)size);
	gotab->addr = addr;
	return gotab->len >= 64 && is_header(gotab->data);
}

static bool load_section(struct gotab *gotab)
{
	static const char *const names[] = { ".gopclntab", ".data.rel.ro.gopclntab" };
	struct elf_range range;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (elf_section(gotab->elf, names[i], &range) &&
		    load(gotab, range.addr, range.size))
			return true;
	return false;
}

/* Inside a segment's bytes from `from` on; the table is aligned. */
static bool scan_segment(struct gotab *gotab, const struct elf_segment *segment)
{
	const size_t window = 1U << 20;
	uint8_t *bytes auto_free = own_alloc(window);
	size_t n;

	for (uint64_t at = 0; at < segment->file_size; at += n & ~(size_t)15) {
		n = elf_read(gotab->elf, segment->addr + at, bytes, window);
		if (n < 64)
			return false;
		for (size_t i = 0; i + 16 <= n; i += 16)
			if (is_header(bytes + i) && load(gotab, segment->addr + at + i,
							 segment->file_size - at - i < TABLE_MAX
								 ? segment->file_size - at - i
								 : TABLE_MAX))
				return true;
	}
	return false;
}

/* Without section headers, or inside another section (external linking). */
static bool load_by_scan(struct gotab *gotab)
{
	struct elf_segment segment;
	struct elf_range unused;

	/* Only a Go program is worth reading through: it has its build id, its symbols or no sections. */
	if (!elf_section(gotab->elf, ".note.go.buildid", &unused) &&
	    !elf_section(gotab->elf, ".go.buildinfo", &unused) &&
	    !elf_symbol(gotab->elf, "runtime.text", &unused) &&
	    elf_section(gotab->elf, ".text", &unused))
		return false;
	for (size_t i = 0; elf_segment(gotab->elf, i, &segment); i++)
		if (!segment.executable && scan_segment(gotab, &segment))
			return true;
	return false;
}

/* The pointer-sized words behind the header: see the table of layouts in debug/gosym. */
static bool parse_header(struct gotab *gotab)
{
	unsigned int skip;

	gotab->magic = half_at(gotab, 0);
	gotab->functions = word_at(gotab, 8);
	if (gotab->magic == MAGIC_1_2) {
		gotab->table = 16;
		return gotab->functions < gotab->len / 16;
	}
	skip = is_offset_form(gotab) ? 1 : 0;
	gotab->names = (size_t)word_at(gotab, 8 + (2 + skip) * POINTER);
	gotab->table = (size_t)word_at(gotab, 8 + (6 + skip) * POINTER);
	gotab->func_base = gotab->table;
	return gotab->names < gotab->len && gotab->table < gotab->len &&
	       gotab->functions < gotab->len / 8;
}

static uint64_t entry_addr(const struct gotab *gotab, uint64_t index, uint64_t text)
{
	if (is_offset_form(gotab))
		return text + half_at(gotab, gotab->table + index * 8);
	return word_at(gotab, gotab->table + index * 16);
}

static const char *entry_name(const struct gotab *gotab, uint64_t index)
{
	uint64_t func, name;

	if (is_offset_form(gotab)) {
		func = gotab->func_base + half_at(gotab, gotab->table + index * 8 + 4);
		name = gotab->names + half_at(gotab, func + 4);
	} else {
		func = gotab->func_base + word_at(gotab, gotab->table + index * 16 + 8);
		name = gotab->names + half_at(gotab, func + POINTER);
	}
	if (func >= gotab->len || name >= gotab->len ||
	    !memchr(gotab->data + name, '\0', gotab->len - name))
		return NULL;
	return (const char *)gotab->data + name;
}

/* All functions begin by comparing the stack pointer with the goroutine's limit, or by loading g. */
static bool is_prologue(struct elf *elf, uint64_t addr)
{
	uint8_t code[16];

	if (elf_read(elf, addr, code, sizeof(code)) != sizeof(code))
		return false;
	return !memcmp(code, "\x49\x3b\x66\x10", 4) || !memcmp(code, "\x4c\x8d\x64\x24", 4) ||
	       !memcmp(code, "\x4c\x8d\xa4\x24", 4) || !memcmp(code, "\x64\x48\x8b\x0c\x25", 5);
}

/* A start of text is right if most functions begin there as functions do. */
static bool is_text(const struct gotab *gotab, uint64_t text)
{
	unsigned int good = 0, looked = 0;
	uint64_t step = gotab->functions / 64 + 1;

	for (uint64_t i = 0; i < gotab->functions; i += step, looked++)
		good += is_prologue(gotab->elf, entry_addr(gotab, i, text));
	return looked && good * 3 > looked;
}

/* runtime.moduledata since Go 1.18: word 0 points to the table, word 22 is the start of text. */
#define MODULE_TEXT 22

static bool text_of_module(struct gotab *gotab, uint64_t module)
{
	uint64_t table, text;

	if (!elf_word(gotab->elf, module, &table) || table != gotab->addr ||
	    !elf_word(gotab->elf, module + MODULE_TEXT * POINTER, &text) || !is_text(gotab, text))
		return false;
	gotab->text = text;
	return true;
}

/* Looks for the word that points to the table, where no section says where moduledata is. */
static bool text_by_scan(struct gotab *gotab)
{
	const size_t window = 1U << 20;
	uint8_t *bytes auto_free = own_alloc(window);
	struct elf_segment segment;
	uint64_t word;
	size_t n;

	for (size_t i = 0; elf_segment(gotab->elf, i, &segment); i++) {
		if (!segment.writable)
			continue;
		for (uint64_t at = 0; at < segment.file_size; at += n) {
			n = elf_read(gotab->elf, segment.addr + at, bytes, window) & ~(size_t)7;
			if (!n)
				break;
			for (size_t j = 0; j < n; j += POINTER) {
				memcpy(&word, bytes + j, sizeof(word));
				if (word == gotab->addr &&
				    text_of_module(gotab, segment.addr + at + j))
					return true;
			}
		}
	}
	return false;
}

/*
 * The header's own word is 0 since Go 1.26 and in what an external linker made; the start of .text is
 * wrong where C code comes first. Each candidate is tried on the code.
 */
static bool find_text(struct gotab *gotab)
{
	struct elf_range range;
	uint64_t word;

	if (!is_offset_form(gotab))
		return true;
	if (elf_word(gotab->elf, gotab->addr + 8 + 2 * POINTER, &word) && word &&
	    is_text(gotab, word)) {
		gotab->text = word;
		return true;
	}
	if (elf_symbol(gotab->elf, "runtime.text", &range) && is_text(gotab, range.addr)) {
		gotab->text = range.addr;
		return true;
	}
	if (elf_section(gotab->elf, ".go.module", &range) && text_of_module(gotab, range.addr))
		return true;
	if (elf_section(gotab->elf, ".text", &range) && is_text(gotab, range.addr)) {
		gotab->text = range.addr;
		return true;
	}
	return text_by_scan(gotab);
}

struct gotab *gotab_open(struct elf *elf)
{
	struct gotab *gotab = own_zalloc(sizeof(*gotab));

	gotab->elf = elf;
	if (elf_is_native(elf) && (load_section(gotab) || load_by_scan(gotab)) &&
	    parse_header(gotab) && find_text(gotab))
		return gotab;
	gotab_free(gotab);
	return NULL;
}

void gotab_free(struct gotab *gotab)
{
	if (!gotab)
		return;
	free(gotab->data);
	free(gotab);
}

void gotab_each(const struct gotab *gotab,
		bool (*each)(void *ctx, const char *name, struct elf_range range), void *ctx)
{
	struct elf_range range;
	const char *name;

	for (uint64_t i = 0; i < gotab->functions; i++) {
		name = entry_name(gotab, i);
		if (!name)
			continue;
		range.addr = entry_addr(gotab, i, gotab->text);
		/* The entry behind the last closes it. */
		range.size = entry_addr(gotab, i + 1, gotab->text) - range.addr;
		if (!each(ctx, name, range))
			return;
	}
}

struct wanted {
	const char *name;
	struct elf_range range;
	bool found;
};

static bool find_name(void *ctx, const char *name, struct elf_range range)
{
	struct wanted *wanted = ctx;

	/* A function can have two entries (ABI wrappers): the larger is the one. */
	if (!strcmp(name, wanted->name) && (!wanted->found || range.size > wanted->range.size)) {
		wanted->found = true;
		wanted->range = range;
	}
	return true;
}

bool gotab_find(const struct gotab *gotab, const char *name, struct elf_range *ret_range)
{
	struct wanted wanted = { .name = name };

	gotab_each(gotab, find_name, &wanted);
	if (wanted.found)
		*ret_range = wanted.range;
	return wanted.found;
}

struct first {
	struct elf *elf;
	unsigned int registers, stack;
};

static bool look_at_prologue(void *ctx, const char *name, struct elf_range range)
{
	struct first *first = ctx;
	uint8_t code[16];

	(void)name;
	if (elf_read(first->elf, range.addr, code, sizeof(code)) != sizeof(code))
		return true;
	first->registers += !memcmp(code, "\x49\x3b\x66\x10", 4);
	first->stack += !memcmp(code, "\x64\x48\x8b\x0c\x25", 5);
	return first->registers + first->stack < 32;
}

bool gotab_uses_registers(const struct gotab *gotab)
{
	struct first first = { .elf = gotab->elf };

	/* 1.17 has 1.16's table: with registers g is in R14, before it is loaded from fs. */
	gotab_each(gotab, look_at_prologue, &first);
	return first.registers > first.stack;
}
