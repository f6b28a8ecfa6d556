#include "sink/select.h"

#include "base/addr.h"
#include "base/match.h"
#include "base/own.h"
#include "sink/range.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* One criterion's value; which members count depends on its row. */
struct value {
	uint64_t low, high;
	char *text;
	uint8_t address[16];
	unsigned int bits; /* of the address that count */
	struct match *match;
};

/* SCOPE_CALL: data as well, but it tears what one connection says apart. */
enum scope { SCOPE_PROCESS, SCOPE_SOCKET, SCOPE_DATA, SCOPE_CALL };

struct criterion {
	const char *name;
	enum scope scope;
	bool (*parse)(struct value *value, const char *text);
	bool (*holds)(const struct value *value, const struct event *event);
};

static bool parse_range(struct value *value, const char *text)
{
	return range_parse(text, &value->low, &value->high);
}

static bool parse_port(struct value *value, const char *text)
{
	return parse_range(value, text) && value->low <= UINT16_MAX;
}

static bool parse_least(struct value *value, const char *text)
{
	if (!parse_range(value, text))
		return false;
	if (!strchr(text, '-'))
		value->high = UINT64_MAX;
	return true;
}

static bool parse_text(struct value *value, const char *text)
{
	value->text = own_strdup(text);
	return true;
}

static bool parse_match(struct value *value, const char *text)
{
	value->match = match_new(text);
	return value->match != NULL;
}

static bool parse_word(struct value *value, const char *text, const char *const *names,
		       size_t count)
{
	int index = event_name_find(names, count, text, strlen(text));

	value->low = (uint64_t)index;
	return index >= 0;
}

static bool parse_dir(struct value *value, const char *text)
{
	return parse_word(value, text, event_dir_names, DIRS);
}

static bool parse_layer(struct value *value, const char *text)
{
	return parse_word(value, text, event_layer_names, LAYERS);
}

/* As IPv6 with IPv4 mapped, so that one comparison serves both. */
static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static bool parse_peer(struct value *value, const char *text)
{
	char *copy auto_free = own_strdup(text);
	char *slash = strchr(copy, '/');
	uint64_t bits = 0;
	unsigned int width;
	const char *end;

	if (slash)
		*slash++ = '\0';
	if (inet_pton(AF_INET, copy, value->address + 12) == 1) {
		memcpy(value->address, mapped, sizeof(mapped));
		width = 32;
	} else if (inet_pton(AF_INET6, copy, value->address) == 1) {
		width = 128;
	} else {
		return false;
	}
	bits = width;
	if (slash && (!range_number(slash, &bits, &end) || *end || bits > width))
		return false;
	value->bits = 128 - width + (unsigned int)bits;
	return true;
}

static bool in_range(const struct value *value, uint64_t number)
{
	return number >= value->low && number <= value->high;
}

static bool holds_pid(const struct value *value, const struct event *event)
{
	return in_range(value, (uint64_t)event->pid) || in_range(value, (uint64_t)event->tid);
}

static bool holds_comm(const struct value *value, const struct event *event)
{
	return !strcmp(value->text, event->comm);
}

static const struct addr *local_of(const struct event *event)
{
	return event->type == EVENT_DATA ? &event->data.local : &event->socket.local;
}

static const struct addr *remote_of(const struct event *event)
{
	return event->type == EVENT_DATA ? &event->data.remote : &event->socket.remote;
}

static bool holds_fd(const struct value *value, const struct event *event)
{
	int fd = event->type == EVENT_DATA ? event->data.fd : event->socket.fd;

	return fd >= 0 && in_range(value, (uint64_t)fd);
}

static bool holds_port(const struct value *value, const struct event *event)
{
	uint16_t local = addr_port(local_of(event)), remote = addr_port(remote_of(event));

	return (local && in_range(value, local)) || (remote && in_range(value, remote));
}

static bool holds_peer(const struct value *value, const struct event *event)
{
	const struct addr *remote = remote_of(event);
	uint8_t bytes[16];
	unsigned int whole = value->bits / 8, rest = value->bits % 8;

	if (addr_is_empty(remote))
		return false;
	if (remote->family == AF_INET) {
		memcpy(bytes, mapped, sizeof(mapped));
		memcpy(bytes + 12, &remote->in.sin_addr, 4);
	} else if (remote->family == AF_INET6) {
		memcpy(bytes, &remote->in6.sin6_addr, 16);
	} else {
		return false;
	}
	if (memcmp(bytes, value->address, whole))
		return false;
	return !rest || !((bytes[whole] ^ value->address[whole]) >> (8 - rest));
}

static bool holds_dir(const struct value *value, const struct event *event)
{
	return event->data.dir == value->low;
}

static bool holds_layer(const struct value *value, const struct event *event)
{
	return event->data.layer == value->low;
}

static bool holds_size(const struct value *value, const struct event *event)
{
	return in_range(value, event->data.len);
}

static bool holds_match(const struct value *value, const struct event *event)
{
	return match_found(value->match, event->data.payload,
			   event->data.error ? 0 : event->data.captured);
}

static const struct criterion criteria[] = {
	{ "pid", SCOPE_PROCESS, parse_range, holds_pid },
	{ "comm", SCOPE_PROCESS, parse_text, holds_comm },
	{ "fd", SCOPE_SOCKET, parse_range, holds_fd },
	{ "port", SCOPE_SOCKET, parse_port, holds_port },
	{ "peer", SCOPE_SOCKET, parse_peer, holds_peer },
	{ "dir", SCOPE_CALL, parse_dir, holds_dir },
	{ "layer", SCOPE_DATA, parse_layer, holds_layer },
	{ "size", SCOPE_CALL, parse_least, holds_size },
	{ "match", SCOPE_CALL, parse_match, holds_match },
};

#define CRITERIA (sizeof(criteria) / sizeof(criteria[0]))

struct values {
	struct value *items;
	size_t count;
};

struct selection {
	struct values values[CRITERIA];
};

struct selection *selection_new(void)
{
	return own_zalloc(sizeof(struct selection));
}

void selection_free(struct selection *selection)
{
	if (!selection)
		return;
	for (size_t i = 0; i < CRITERIA; i++) {
		for (size_t j = 0; j < selection->values[i].count; j++) {
			free(selection->values[i].items[j].text);
			match_free(selection->values[i].items[j].match);
		}
		free(selection->values[i].items);
	}
	free(selection);
}

static bool add_value(struct values *values, const struct criterion *criterion, const char *text)
{
	struct value value = { 0 };

	if (!criterion->parse(&value, text))
		return false;
	values->items = own_realloc(values->items, (values->count + 1) * sizeof(*values->items));
	values->items[values->count++] = value;
	return true;
}

bool selection_add(struct selection *selection, const char *name, const char *text)
{
	char *copy auto_free = own_strdup(text), *save = NULL;

	for (size_t i = 0; i < CRITERIA; i++) {
		if (strcmp(criteria[i].name, name))
			continue;
		if (!strcmp(name, "match"))
			return add_value(&selection->values[i], &criteria[i], text);
		if (strspn(text, ",") == strlen(text))
			return false;
		for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save))
			if (!add_value(&selection->values[i], &criteria[i], one))
				return false;
		return true;
	}
	return false;
}

bool selection_chooses_calls(const struct selection *selection)
{
	for (size_t i = 0; i < CRITERIA; i++)
		if (criteria[i].scope == SCOPE_CALL && selection->values[i].count)
			return true;
	return false;
}

bool selection_is_empty(const struct selection *selection)
{
	for (size_t i = 0; i < CRITERIA; i++)
		if (selection->values[i].count)
			return false;
	return true;
}

static bool in_scope(enum scope scope, const struct event *event)
{
	switch (scope) {
	case SCOPE_PROCESS:
		return event->pid != 0;
	case SCOPE_SOCKET:
		return event->type == EVENT_DATA || event->type == EVENT_SOCKET;
	case SCOPE_DATA:
	case SCOPE_CALL:
		return event->type == EVENT_DATA;
	}
	return false;
}

bool selection_keeps(const struct selection *selection, const struct event *event)
{
	for (size_t i = 0; i < CRITERIA; i++) {
		const struct values *values = &selection->values[i];
		bool any = !values->count || !in_scope(criteria[i].scope, event);

		for (size_t j = 0; j < values->count && !any; j++)
			any = criteria[i].holds(&values->items[j], event);
		if (!any)
			return false;
	}
	return true;
}

struct select {
	struct sink sink;
	struct selection *selection;
	struct sink *next;
};

static void select_emit(struct sink *sink, struct event *event)
{
	struct select *select = (struct select *)sink;

	if (selection_keeps(select->selection, event))
		sink_emit(select->next, event);
}

static int select_finish(struct sink *sink)
{
	struct select *select = (struct select *)sink;
	int result = sink_finish(select->next);

	selection_free(select->selection);
	free(select);
	return result;
}

struct sink *select_new(struct selection *selection, struct sink *next)
{
	struct select *select = own_zalloc(sizeof(*select));

	select->sink = (struct sink){ .emit = select_emit, .finish = select_finish };
	select->selection = selection;
	select->next = next;
	return &select->sink;
}
