#include "cmd/selection.h"

#include "base/log.h"

#define AT(field) offsetof(struct selection_settings, field)

/* The names are those of selection_add. */
const struct opt_row selection_options[] = {
	{ OPT_LIST, 0, "pid", "PID[-PID]", "only these processes or threads", AT(pid) },
	{ OPT_LIST, 0, "comm", "NAME", "only processes of that name", AT(comm) },
	{ OPT_LIST, 0, "fd", "FD[-FD]", "only these descriptors", AT(fd) },
	{ OPT_LIST, 0, "port", "PORT[-PORT]", "only sockets with that port at one end", AT(port) },
	{ OPT_LIST, 0, "peer", "ADDR[/BITS]", "only peers with such an address", AT(peer) },
	{ OPT_LIST, 0, "dir", "in|out", "only data of that direction", AT(dir) },
	{ OPT_LIST, 0, "layer", "wire|plain", "only data of that layer", AT(layer) },
	{ OPT_LIST, 0, "size", "MIN[-MAX]", "only data of that many bytes", AT(size) },
	{ OPT_LIST, 0, "match", "REGEX", "only data with bytes that match", AT(match) },
	{ .kind = OPT_END },
};

/* The names are those of picking_add. */
const struct opt_row picking_options[] = {
	{ OPT_LIST, 0, "method", "METHOD", "only requests with that method", AT(method) },
	{ OPT_LIST, 0, "url", "REGEX", "only requests of URLs that match", AT(url) },
	{ OPT_LIST, 0, "status", "STATUS[-STATUS]", "only answers with it: 404, 500-, 4xx",
	  AT(status) },
	{ OPT_LIST, 0, "host", "NAME", "only requests to that host; *.NAME: and all below it",
	  AT(host) },
	{ OPT_LIST, 0, "sql", "REGEX", "only statements that match", AT(sql) },
	{ .kind = OPT_END },
};

static const struct opt_list *list_of(const struct selection_settings *settings,
				      const struct opt_row *row)
{
	return (const struct opt_list *)((const char *)settings + row->offset);
}

struct selection *selection_make(const struct selection_settings *settings)
{
	struct selection *selection = selection_new();

	for (const struct opt_row *row = selection_options; row->kind != OPT_END; row++) {
		const struct opt_list *list = list_of(settings, row);

		for (size_t i = 0; i < list->count; i++) {
			if (selection_add(selection, row->name, list->items[i]))
				continue;
			log_error("--%s: '%s' is no %s", row->name, list->items[i], row->arg);
			selection_free(selection);
			return NULL;
		}
	}
	return selection;
}

struct picking *picking_make(const struct selection_settings *settings)
{
	struct picking *picking = picking_new();

	for (const struct opt_row *row = picking_options; row->kind != OPT_END; row++) {
		const struct opt_list *list = list_of(settings, row);

		for (size_t i = 0; i < list->count; i++) {
			if (picking_add(picking, row->name, list->items[i]))
				continue;
			log_error("--%s: '%s' is no %s", row->name, list->items[i], row->arg);
			picking_free(picking);
			return NULL;
		}
	}
	return picking;
}

static void done(struct selection_settings *settings, const struct opt_row *rows)
{
	for (const struct opt_row *row = rows; row->kind != OPT_END; row++)
		opt_list_done((struct opt_list *)((char *)settings + row->offset));
}

void selection_settings_done(struct selection_settings *settings)
{
	done(settings, selection_options);
	done(settings, picking_options);
}
