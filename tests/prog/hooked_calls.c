#include "hooked.h"

#include <stdio.h>
#include <stdlib.h>

_Thread_local void (*hooked_inside)(void);

HOOKED long hooked_write(const void *data, long len)
{
	if (hooked_inside)
		hooked_inside();
	__asm__ volatile("" ::"r"(data) : "memory");
	return len;
}

HOOKED long hooked_read(void *data, long len, const void *from)
{
	if (hooked_inside)
		hooked_inside();
	memcpy(data, from, (size_t)len);
	return len;
}

HOOKED long hooked_filled(void *data, size_t *ret_len, const char *from)
{
	size_t len = strlen(from);

	*ret_len = 12345;
	if (hooked_inside)
		hooked_inside();
	memcpy(data, from, len);
	*ret_len = len;
	return (long)len;
}

/* -- what their code is */

static const uint8_t trap = 0xcc;

void code_note(struct code *code, const void *function)
{
	code->at = function;
	memcpy(code->before, code->at, sizeof(code->before));
}

void code_check(const struct code *code)
{
	size_t end = sizeof(code->before), jumps = 0;
	uint8_t now[HOOKED_ROOM];

	if (!is_tapped())
		return;
	memcpy(now, code->at, sizeof(now));
	check(code->before[0] == trap && now[0] != trap);
	/* Behind its last return there are only jumps that others lead to. */
	while (code->before[end - 1] != trap)
		end--;
	for (size_t i = 0; i < end; i++)
		jumps += now[i] != code->before[i] && (now[i] == 0xe9 || now[i] == 0xeb);
	check(jumps >= 2);
}

bool is_tapped(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];
	bool found = false;

	check(file);
	while (fgets(line, sizeof(line), file))
		found = found || !strncmp(line, "7a700000-", 9);
	fclose(file);
	return found;
}

/* -- calls and their events */

void want_plain(const char *dir, const char *call, const void *data, size_t len, const char *more)
{
	char payload[160] = "";

	if (!len)
		return;
	if (len > 64)
		snprintf(payload, sizeof(payload), "'crc':%u", checksum(data, len));
	else
		memcpy(payload, "'hex':'", 8);
	for (size_t i = 0; i < len && len <= 64; i++)
		snprintf(payload + 7 + 2 * i, 4, "%02x'", ((const uint8_t *)data)[i]);
	want("'type':'data','pid':%d,'tid':%d,'fd':null,'conn':null,'dir':'%s','layer':'plain',"
	     "'call':'%s','len':%zu,%s%s",
	     getpid(), gettid(), dir, call, len, payload, more);
}

void call_three(const char *text)
{
	size_t len = strlen(text), got = 0;
	char room[64];

	check(hooked_write(text, (long)len) == (long)len);
	check(hooked_read(room, (long)len, text) == (long)len && !memcmp(room, text, len));
	memset(room, 0, sizeof(room));
	check(hooked_filled(room, &got, text) == (long)len && got == len);
	check(!memcmp(room, text, len));
}

void want_three(const char *text)
{
	want_plain("out", "hooked_write", text, strlen(text), "");
	want_plain("in", "hooked_read", text, strlen(text), "");
	want_plain("in", "hooked_filled", text, strlen(text), "");
}

struct pair hooked_pair;
static struct code codes[3];

void begin_talk(void)
{
	static char names[2][16];

	/* What it executes has others. */
	snprintf(names[0], sizeof(names[0]), "%d 0", getpid());
	snprintf(names[1], sizeof(names[1]), "%d 1", getpid());
	code_note(&codes[0], (const void *)(uintptr_t)hooked_write);
	code_note(&codes[1], (const void *)(uintptr_t)hooked_read);
	code_note(&codes[2], (const void *)(uintptr_t)hooked_filled);
	pair_open(&hooked_pair, names[0], names[1]);
	pair_talk(&hooked_pair, 5);
}

void begin_hooked(void)
{
	begin_talk();
	for (int i = 0; i < 10; i++)
		three_wanted("often");
	pair_say(&hooked_pair, "now there are jumps");
	check_hooked();
	three_wanted("by jumps");
}

void check_hooked(void)
{
	for (size_t i = 0; i < 3; i++)
		code_check(&codes[i]);
}

/* -- mappings */

#define RANGES_MAX 64

static struct {
	uintptr_t start, end;
} ranges[RANGES_MAX];
static size_t range_count;

void own_code_note(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512], flags[5], path[256];
	uintptr_t start, end;

	check(file);
	range_count = 0;
	while (fgets(line, sizeof(line), file)) {
		path[0] = '\0';
		check(sscanf(line, "%lx-%lx %4s %*s %*s %*s %255s", &start, &end, flags, path) >=
		      3);
		if (flags[2] != 'x' || start >> 20 == 0x7a7 ||
		    (path[0] != '/' && strcmp(path, "[vdso]") != 0))
			continue;
		check(range_count < RANGES_MAX);
		ranges[range_count].start = start;
		ranges[range_count++].end = end;
	}
	fclose(file);
}

bool is_own_code(uintptr_t addr)
{
	for (size_t i = 0; i < range_count; i++)
		if (addr >= ranges[i].start && addr < ranges[i].end)
			return true;
	return false;
}
