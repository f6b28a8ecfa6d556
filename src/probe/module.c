#include "probe/module.h"

#include "base/own.h"
#include "code/gotab.h"
#include "code/insn.h"

#include <string.h>

/* A longer function is not decoded for its returns. */
#define FUNCTION_MAX (256U << 10)

struct search {
	struct module *module;
	const struct row_set *rows;
	struct elf *elf;
	bool go_registers;
};

static bool name_matches(const struct probe_row *row, const char *name)
{
	size_t len = strlen(row->symbol);

	if (len && row->symbol[len - 1] == '*')
		return !strncmp(row->symbol, name, len - 1);
	return !strcmp(row->symbol, name);
}

struct returns {
	struct site *site;
	uint64_t start, end;
	bool leaves; /* by something else than a return */
};

static bool look_for_return(void *ctx, size_t offset, const struct insn *insn)
{
	struct returns *returns = ctx;
	struct site *site = returns->site;

	switch (insn->kind) {
	case INSN_RET:
		if (site->ret_count == SITE_RETS)
			returns->leaves = true;
		else
			site->rets[site->ret_count++] = returns->start + offset;
		break;
	case INSN_JUMP:
	case INSN_BRANCH:
		if (insn->target < returns->start || insn->target >= returns->end)
			returns->leaves = true;
		break;
	default:
		break;
	}
	return !returns->leaves;
}

static bool is_tail_jump(const uint8_t *code, size_t len)
{
	/* jmp through a register or memory: ff /4. A jump table looks the same; then, too, we are careful. */
	for (size_t i = 0; i + 1 < len; i++)
		if (code[i] == 0xff && (code[i + 1] & 0x38) == 0x20)
			return true;
	return false;
}

/*
 * Breakpoints at the returns, which we can carry out ourselves, are best; a C function that is left in
 * other ways (a tail call, a cold part elsewhere) gets one at its return address instead. Go's always
 * return, and nothing may stand at their return addresses for long: other functions' code is there.
 */
static void find_returns(struct search *search, struct site *site, uint64_t size)
{
	struct returns returns = { site, site->addr, site->addr + size, false };
	uint8_t *code auto_free = NULL;
	size_t len;

	if (!size || size > FUNCTION_MAX)
		return;
	code = own_alloc((size_t)size);
	len = elf_read(search->elf, site->addr, code, (size_t)size);
	if (len != size || !insn_each(code, len, site->addr, look_for_return, &returns) ||
	    returns.leaves || (site->row->abi == ABI_C && is_tail_jump(code, len)))
		site->ret_count = 0;
}

static bool is_known(const struct module *module, uint64_t addr, const struct probe_row *row)
{
	for (size_t i = 0; i < module->count; i++)
		if (module->sites[i].addr == addr && module->sites[i].row == row)
			return true;
	return false;
}

/* Go has wrappers of the same name: the larger is the function. */
static bool is_wrapper(struct module *module, const struct probe_row *row, const char *name,
		       struct elf_range range)
{
	for (size_t i = 0; row->abi == ABI_GO && i < module->count; i++) {
		struct site *site = &module->sites[i];

		if (site->row != row || strcmp(site->name, name))
			continue;
		if (site->size >= range.size)
			return true;
		free(site->name);
		*site = module->sites[--module->count];
		return false;
	}
	return false;
}

static void add_site(struct search *search, const struct probe_row *row, const char *name,
		     struct elf_range range)
{
	struct module *module = search->module;
	struct site site = { .row = row,
			     .addr = range.addr,
			     .size = range.size,
			     .go_registers = search->go_registers };

	/* .symtab and .dynsym both have it. */
	if (is_known(module, range.addr, row) || is_wrapper(module, row, name, range))
		return;
	if (!row_is_entry_only(row))
		find_returns(search, &site, range.size);
	/* A Go function whose returns are not found cannot be followed. */
	if (row->abi == ABI_GO && !row_is_entry_only(row) && !site.ret_count)
		return;
	site.name = own_strdup(name);
	module->sites = own_realloc(module->sites, (module->count + 1) * sizeof(*module->sites));
	module->sites[module->count++] = site;
}

/*
 * A table's function, from `lea table(%rip), %rax`. The word behind it is the old form's: if that is
 * there, the library is older and calls its public functions.
 */
static bool find_method(struct search *search, const struct probe_row *row, struct elf_range *range)
{
	uint8_t code[INSN_MAX + 4];
	size_t len = elf_read(search->elf, range->addr, code, sizeof(code));
	uint64_t table, at = range->addr, old;
	struct insn insn = insn_decode(code, len, at);
	int32_t disp;

	if (insn.effect == EFFECT_NOP) {
		memmove(code, code + insn.len, len -= insn.len);
		at += insn.len;
		insn = insn_decode(code, len, at);
	}
	if (insn.kind != INSN_RIP || memcmp(code, "\x48\x8d\x05", 3))
		return false;
	memcpy(&disp, code + insn.disp_at, sizeof(disp));
	table = at + insn.len + (uint64_t)(int64_t)disp + row->slot * 8UL;
	range->size = 0;
	return elf_word(search->elf, table, &range->addr) && range->addr &&
	       elf_word(search->elf, table + 8, &old) && !old;
}

static void match(struct search *search, const struct probe_row *rows, enum row_abi abi,
		  const char *name, struct elf_range range)
{
	struct elf_range method;

	for (const struct probe_row *row = rows; row->symbol; row++) {
		if (row->abi != abi || !name_matches(row, name))
			continue;
		if (row->unless && elf_exports(search->elf, row->unless))
			continue;
		if (!row->method) {
			add_site(search, row, name, range);
			continue;
		}
		method = range;
		if (find_method(search, row, &method))
			add_site(search, row, row->method, method);
	}
}

static void match_all(struct search *search, enum row_abi abi, const char *name,
		      struct elf_range range)
{
	const struct row_set *rows = search->rows;

	for (size_t i = 0; !rows->no_tls && probe_tables[i]; i++)
		match(search, probe_tables[i], abi, name, range);
	for (size_t i = 0; rows->tables && rows->tables[i]; i++)
		match(search, rows->tables[i], abi, name, range);
}

static bool c_function(void *ctx, const char *name, struct elf_range range)
{
	match_all(ctx, ABI_C, name, range);
	return true;
}

static bool go_function(void *ctx, const char *name, struct elf_range range)
{
	match_all(ctx, ABI_GO, name, range);
	return true;
}

/* Libraries that encrypt and that we have no rows for, by their file's name. */
static const char *const other_libraries[] = {
	"libssl3.so",    "libnss3.so",   "libmbedtls.so",
	"libwolfssl.so", "libs2n.so",    "libjvm.so",
	"libbotan",      "libmatrixssl", "libSystem.Security.Cryptography.Native.OpenSsl.so",
	"crypto.so", /* Erlang's, which speaks TLS in its own language */
};

/* It derives keys for libnss3.so, which is the one that is known. */
static const char deriving[] = "libsoftokn3.so";

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/*
 * What static copies of TLS libraries leave in a program without symbols: labels which whoever derives keys
 * has. That of TLS 1.3 (RFC 8446, 7.1), or both of those before it (RFC 5246, 6.3 and 7.4.9), as other
 * programs have one of these for ends of their own. Here without their first letters, as this program is none.
 */
static const struct label {
	char first;
	const char *rest;
} labels[] = { { 'c', " hs traffic" }, { 'c', "lient finished" }, { 'k', "ey expansion" } };

enum { LABEL_13 = 1, LABELS_12 = 6, LABEL_MAX = 16 };

static bool has_label(const uint8_t *bytes, size_t len, const struct label *label)
{
	const uint8_t *end = bytes + len, *at = bytes;

	while ((at = memmem(at, (size_t)(end - at), label->rest, strlen(label->rest)))) {
		if (at > bytes && at[-1] == label->first)
			return true;
		at++;
	}
	return false;
}

/* A bit for each. */
static unsigned int find_labels(const uint8_t *bytes, size_t len)
{
	unsigned int found = 0;

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		found |= (unsigned int)has_label(bytes, len, &labels[i]) << i;
	return found;
}

static bool has_tls_inside(struct elf *elf)
{
	const size_t window = 1U << 20, overlap = LABEL_MAX;
	uint8_t *bytes auto_free = own_alloc(window);
	struct elf_segment segment;
	unsigned int found = 0;
	size_t n;

	for (size_t i = 0; elf_segment(elf, i, &segment); i++) {
		for (uint64_t at = 0; !segment.writable && at<segment.file_size; at += n> overlap
					      ? n - overlap
					      : n) {
			n = elf_read(elf, segment.addr + at, bytes, window);
			if (!n)
				break;
			found |= find_labels(bytes, n);
			if (found & LABEL_13 || (found & LABELS_12) == LABELS_12)
				return true;
			if (n <= overlap)
				break;
		}
	}
	return false;
}

static bool has_tls_site(const struct module *module)
{
	for (size_t i = 0; i < module->count; i++)
		if (module->sites[i].row->is_tls && module->sites[i].row->kind == ROW_CALL)
			return true;
	return false;
}

static const char *why_unprobed(struct module *module, struct elf *elf)
{
	const char *name = base_name(module->path);

	if (has_tls_site(module))
		return NULL;
	for (size_t i = 0; i < sizeof(other_libraries) / sizeof(other_libraries[0]); i++)
		if (!strncmp(name, other_libraries[i], strlen(other_libraries[i])))
			return "iotrace has no probes for this TLS library";
	if (!elf_is_native(elf))
		return strncmp(name, "libssl.so", 9) && strncmp(name, "libgnutls.so", 12)
			       ? NULL
			       : "it is no 64-bit library: only those are probed";
	if (!strncmp(name, deriving, strlen(deriving)))
		return NULL;
	return has_tls_inside(elf) ? "a TLS library is built into it, without its functions' names"
				   : NULL;
}

struct module *module_read(const char *path, const char *shown, const struct row_set *rows)
{
	struct module *module = own_zalloc(sizeof(*module));
	struct search search = { .module = module, .rows = rows, .elf = elf_open(path) };
	struct gotab *gotab;

	module->path = own_strdup(shown);
	if (!search.elf)
		return module;
	if (elf_is_native(search.elf)) {
		elf_each_function(search.elf, c_function, &search);
		gotab = gotab_open(search.elf);
		if (gotab) {
			search.go_registers = gotab_uses_registers(gotab);
			gotab_each(gotab, go_function, &search);
		}
		gotab_free(gotab);
	}
	if (!rows->no_tls)
		module->unprobed = why_unprobed(module, search.elf);
	elf_free(search.elf);
	return module;
}

void module_free(struct module *module)
{
	if (!module)
		return;
	for (size_t i = 0; i < module->count; i++)
		free(module->sites[i].name);
	free(module->sites);
	free(module->path);
	free(module);
}
