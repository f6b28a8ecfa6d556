/*
 * `iotrace probes`: what would be probed in a file or a running process, and why not where not; and which
 * calls of a process are recorded inside it.
 */
#include "base/log.h"
#include "base/map.h"
#include "base/maps.h"
#include "base/own.h"
#include "cmd/cmd.h"
#include "cmd/opt.h"
#include "probe/module.h"
#include "probe/probe.h"
#include "tap/tap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct probes_settings {
	struct opt_list pids;
	struct opt_list probes;
	bool help;
};

#define AT(field) offsetof(struct probes_settings, field)

static const struct opt_row options[] = {
	{ OPT_LIST, 'p', "attach", "PID", "what is mapped in this process", AT(pids) },
	{ OPT_LIST, 0, "probe", "PROBE", "also these functions, as in a trace", AT(probes) },
	{ OPT_FLAG, 'h', "help", NULL, "print this and exit", AT(help) },
	{ .kind = OPT_END },
};

static const struct opt_group groups[] = { { "Options", options, 0 }, { 0 } };

static void print_site(const struct site *site)
{
	static const char *const kinds[] = { [ROW_CALL] = "data",
					     [ROW_FORGET] = "end of a session",
					     [ROW_UNBIND] = "a session's new beginning",
					     [ROW_ROLE] = "a client's or a server's session",
					     [ROW_BIND] = "a session's descriptor" };
	const struct probe_row *row = site->row;
	bool no_data = row->kind == ROW_CALL && row->length.kind == PLACE_NONE;

	printf("  %s: %s (%s", site->name, no_data ? "data that was told before" : kinds[row->kind],
	       row->maker);
	if (row->kind == ROW_CALL)
		printf(", %s", row->dir == ROW_OUT ? "out" : "in");
	printf(") at 0x%lx", site->addr);
	if (row_is_entry_only(row))
		printf(", at its entry\n");
	else if (site->ret_count)
		printf(", at its entry and %zu returns\n", site->ret_count);
	else
		printf(", at its entry and its return address\n");
}

/* True if there was something to say. */
static bool print_module(const char *path, const char *shown, const struct row_set *rows,
			 bool always)
{
	struct module *module = module_read(path, shown, rows);
	bool any = module->count || module->unprobed;

	if (any || always)
		printf("%s:%s\n", shown, any ? "" : " nothing to probe");
	for (size_t i = 0; i < module->count; i++)
		print_site(&module->sites[i]);
	if (module->unprobed)
		printf("  its TLS cannot be probed: %s\n", module->unprobed);
	module_free(module);
	return any;
}

static int print_file(const char *path, const struct row_set *rows)
{
	struct stat st;

	if (stat(path, &st))
		return log_errno(errno, "%s", path);
	print_module(path, path, rows, true);
	return 0;
}

static void print_mapping(const char *pid, const struct mapping *mapping,
			  const struct row_set *rows, struct map *seen)
{
	char *real auto_free = NULL;

	if (*mapping->path != '/' || mapping->flags[2] != 'x' ||
	    map_put(seen, mapping->inode, seen))
		return;
	real = own_printf("/proc/%s/root%s", pid, mapping->path);
	print_module(real, mapping->path, rows, false);
}

static void print_place(void *ctx, const struct tap_place *place)
{
	static const char *const functions[] = {
		[TAP_ENTRY] = "entry of a function", [TAP_RETURN] = "return of a function"
	};
	size_t *count = ctx;
	const char *how = place->cave ? "cave" : "pun";

	if (!(*count)++)
		printf("calls that are recorded inside the process:\n");
	printf("  %s+0x%lx at 0x%lx (%s)\n", *place->path ? place->path : "?", place->offset,
	       place->site, place->what == TAP_CALL ? how : functions[place->what]);
}

static void print_tap(pid_t pid)
{
	size_t count = 0;

	if (!tap_places(pid, print_place, &count) && !count)
		printf("it has the agent, and no site is patched\n");
}

static int print_process(const char *pid, const struct row_set *rows)
{
	struct map seen = { 0 };
	struct maps maps;
	int result = maps_read(atoi(pid), &maps);

	if (result)
		return log_errno(-result, "cannot see what process %s has mapped", pid);
	for (size_t i = 0; i < maps.count; i++)
		print_mapping(pid, &maps.items[i], rows, &seen);
	maps_done(&maps);
	map_done(&seen);
	print_tap(atoi(pid));
	return 0;
}

static int run(const struct probes_settings *settings, struct probes *probes, char **files)
{
	const char *why;
	int result = 0;

	for (size_t i = 0; i < settings->probes.count; i++) {
		if (!probes_add(probes, settings->probes.items[i], &why))
			continue;
		log_error("--probe '%s': %s", settings->probes.items[i], why);
		return EXIT_IOTRACE_FAILED;
	}
	for (size_t i = 0; i < settings->pids.count; i++)
		if (print_process(settings->pids.items[i], probes_rows(probes)))
			result = EXIT_IOTRACE_FAILED;
	for (; *files; files++)
		if (print_file(*files, probes_rows(probes)))
			result = EXIT_IOTRACE_FAILED;
	return result;
}

int probes_main(int argc, char **argv)
{
	struct probes_settings settings = { 0 };
	int at = opt_parse(groups, argc, argv, &settings), result = EXIT_IOTRACE_FAILED;
	struct probes *probes;

	if (at >= 0 && settings.help) {
		printf("Usage: iotrace probes [OPTION]... [FILE]...\n\nWhat would be probed, and "
		       "why not where not; of a process\nthat is traced, also which calls are "
		       "recorded inside it.\n");
		opt_print_help(groups);
		result = 0;
	} else if (at >= 0 && at == argc && !settings.pids.count) {
		log_error("probes: name a file or -p PID");
	} else if (at >= 0) {
		probes = probes_new(NULL, NULL, NULL, false);
		result = run(&settings, probes, argv + at);
		probes_free(probes);
	}
	opt_list_done(&settings.pids);
	opt_list_done(&settings.probes);
	return result;
}
