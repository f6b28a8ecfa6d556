/* The patched sites of a process that somebody else may be tracing: by the stubs in its memory. */
#include "base/maps.h"
#include "base/own.h"
#include "tap/agent_blob.h"
#include "tap/hook_stub.h"
#include "tap/stub.h"
#include "tap/tap.h"
#include "tracer/mem.h"

#include <errno.h>
#include <string.h>

/* Pages of stubs are mapped one by one. */
#define STUBS_MAX 65536UL

/* Which file the site is in. */
static void find_file(const struct maps *maps, struct tap_place *place)
{
	const struct mapping *mapping = maps_find(maps, place->site);

	place->path = mapping ? mapping->path : "";
	place->offset = mapping ? place->site - mapping->start + mapping->offset : place->site;
}

/* A stub of a system call's site. */
static bool is_call(const uint8_t *code, size_t len, struct tap_place *place)
{
	uint64_t agent;

	/* There may be a trap in it. */
	if (len < STUB_SIZE || memcmp(code, stub_code, STUB_UNTRUSTED) != 0 ||
	    memcmp(code + STUB_SYSCALL, stub_code + STUB_SYSCALL,
		   sizeof(stub_code) - STUB_SYSCALL) != 0)
		return false;
	memcpy(&agent, code + STUB_ENTRY, sizeof(agent));
	if (agent != TAP_ENTRY_AT && agent != TAP_FILTER_AT)
		return false;
	memcpy(&place->site, code + STUB_RET, sizeof(place->site));
	place->site -= 2;
	place->what = TAP_CALL;
	return true;
}

/* … or of a place in a probed function. */
static bool is_hook(const uint8_t *code, size_t len, struct tap_place *place)
{
	struct ring_hook hook;

	if (len < HOOK_SIZE || code[HOOK_CALL] != 0xff || code[HOOK_CALL + 1] != 0x15)
		return false;
	memcpy(&hook, code + HOOK_DATA, sizeof(hook));
	if (hook.entry != TAP_HOOKED_AT)
		return false;
	place->site = hook.site;
	place->what = hook.leaves ? TAP_RETURN : TAP_ENTRY;
	return true;
}

static void look_at(pid_t pid, const struct maps *maps, const uint8_t *code, size_t len,
		    void (*each)(void *ctx, const struct tap_place *place), void *ctx)
{
	struct tap_place place;
	uint8_t now = 0;

	for (size_t i = 0; i < len; i++) {
		if (!is_call(code + i, len - i, &place) && !is_hook(code + i, len - i, &place))
			continue;
		mem_read_all(pid, place.site, &now, sizeof(now));
		/* One that was made, and then the site could not be changed, is none. */
		if (now != 0xe9 && now != 0xeb)
			continue;
		place.cave = now == 0xeb;
		find_file(maps, &place);
		each(ctx, &place);
	}
}

int tap_places(pid_t pid, void (*each)(void *ctx, const struct tap_place *place), void *ctx)
{
	uint8_t *code auto_free = own_alloc(STUBS_MAX);
	const struct mapping *mapping;
	struct maps maps;
	bool any = false;
	int result = maps_read(pid, &maps);

	if (result)
		return result;
	for (size_t i = 0; i < maps.count; i++) {
		ssize_t got;

		mapping = &maps.items[i];
		if (strcmp(mapping->flags, "r-xp") != 0 || *mapping->path ||
		    mapping->end - mapping->start > STUBS_MAX)
			continue;
		any = any || mapping->start == RING_TEXT;
		got = mem_read(pid, mapping->start, code, mapping->end - mapping->start);
		if (got > 0)
			look_at(pid, &maps, code, (size_t)got, each, ctx);
	}
	maps_done(&maps);
	return any ? 0 : -ENOENT;
}
