#include "view/pick.h"

#include "base/map.h"
#include "base/match.h"
#include "base/own.h"
#include "sink/range.h"

#include <string.h>
#include <sys/queue.h>

/* One criterion's value. */
struct value {
	char *text;
	struct match *match;
	uint64_t low, high;
};

static bool parse_text(struct value *value, const char *text)
{
	value->text = own_strdup(text);
	return *text != '\0';
}

static bool parse_match(struct value *value, const char *text)
{
	value->match = match_new(text);
	return value->match != NULL;
}

/* 404, 400-499, 500-, 4xx. */
static bool parse_status(struct value *value, const char *text)
{
	if (*text >= '1' && *text <= '9' && !strcasecmp(text + 1, "xx")) {
		value->low = (uint64_t)(*text - '0') * 100;
		value->high = value->low + 99;
		return true;
	}
	return range_parse(text, &value->low, &value->high);
}

static bool holds_method(const struct value *value, const struct exchange *exchange)
{
	return exchange->request && span_equal_nocase(message_value(exchange->request, ATTR_METHOD),
						      span_text(value->text));
}

static bool matches(const struct value *value, const struct exchange *exchange, enum attr_key key)
{
	const struct attr *attr = exchange->request ? message_attr(exchange->request, key) : NULL;

	return attr && match_found(value->match, attr->value.data, attr->value.len);
}

static bool holds_url(const struct value *value, const struct exchange *exchange)
{
	return matches(value, exchange, ATTR_URL);
}

static bool holds_sql(const struct value *value, const struct exchange *exchange)
{
	return matches(value, exchange, ATTR_SQL);
}

static bool holds_status(const struct value *value, const struct exchange *exchange)
{
	const struct attr *attr =
		exchange->response ? message_attr(exchange->response, ATTR_STATUS) : NULL;

	return attr && attr->number >= value->low && attr->number <= value->high;
}

/* The name without its port: "[::1]:80", "host:80", "host". */
static struct span without_port(struct span host)
{
	size_t len = host.len;

	while (len && host.data[len - 1] >= '0' && host.data[len - 1] <= '9')
		len--;
	if (len > 1 && host.data[len - 1] == ':' && !memchr(host.data, ':', len - 1))
		return span_cut(host, 0, len - 1);
	if (len > 2 && host.data[len - 1] == ':' && host.data[len - 2] == ']')
		return span_cut(host, 0, len - 1);
	return host;
}

/* A name in any case, with or without the port; "*.example.com" is all below it. */
static bool is_host(struct span host, const char *wanted)
{
	struct span name = without_port(host), tail = span_text(wanted);

	if (span_equal_nocase(host, tail) || span_equal_nocase(name, tail))
		return host.len > 0;
	if (wanted[0] != '*' || wanted[1] != '.' || name.len < tail.len)
		return false;
	tail = span_cut(tail, 1, tail.len);
	return span_equal_nocase(span_cut(name, name.len - tail.len, tail.len), tail);
}

static bool holds_host(const struct value *value, const struct exchange *exchange)
{
	const struct message *request = exchange->request;

	return request && (is_host(message_value(request, ATTR_HOST), value->text) ||
			   is_host(message_value(request, ATTR_SNI), value->text));
}

struct criterion {
	const char *name;
	bool listed; /* values separated by commas */
	bool (*parse)(struct value *value, const char *text);
	bool (*holds)(const struct value *value, const struct exchange *exchange);
};

static const struct criterion criteria[] = {
	{ "method", true, parse_text, holds_method },   { "url", false, parse_match, holds_url },
	{ "status", true, parse_status, holds_status }, { "host", true, parse_text, holds_host },
	{ "sql", false, parse_match, holds_sql },
};

#define CRITERIA (sizeof(criteria) / sizeof(criteria[0]))

struct values {
	struct value *items;
	size_t count;
};

struct picking {
	struct values values[CRITERIA];
};

struct picking *picking_new(void)
{
	return own_zalloc(sizeof(struct picking));
}

void picking_free(struct picking *picking)
{
	for (size_t i = 0; picking && i < CRITERIA; i++) {
		for (size_t j = 0; j < picking->values[i].count; j++) {
			free(picking->values[i].items[j].text);
			match_free(picking->values[i].items[j].match);
		}
		free(picking->values[i].items);
	}
	free(picking);
}

static bool add_value(struct values *values, const struct criterion *criterion, const char *text)
{
	values->items = own_realloc(values->items, (values->count + 1) * sizeof(*values->items));
	values->items[values->count] = (struct value){ 0 };
	return criterion->parse(&values->items[values->count++], text);
}

bool picking_add(struct picking *picking, const char *name, const char *text)
{
	char *copy auto_free = own_strdup(text), *save = NULL;
	size_t i = 0;

	while (i < CRITERIA && strcmp(criteria[i].name, name) != 0)
		i++;
	if (i == CRITERIA || strspn(text, ",") == strlen(text))
		return false;
	if (!criteria[i].listed)
		return add_value(&picking->values[i], &criteria[i], text);
	for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save))
		if (!add_value(&picking->values[i], &criteria[i], one))
			return false;
	return true;
}

bool picking_is_empty(const struct picking *picking)
{
	for (size_t i = 0; i < CRITERIA; i++)
		if (picking->values[i].count)
			return false;
	return true;
}

bool picking_keeps(const struct picking *picking, const struct exchange *exchange)
{
	for (size_t i = 0; i < CRITERIA; i++) {
		const struct values *values = &picking->values[i];
		bool any = !values->count;

		for (size_t j = 0; j < values->count && !any; j++)
			any = criteria[i].holds(&values->items[j], exchange);
		if (!any)
			return false;
	}
	return true;
}

/* Messages of an exchange that is not complete yet. */
struct held {
	uint64_t exchange;
	struct message **messages;
	size_t count;
	TAILQ_ENTRY(held) age;
};

TAILQ_HEAD(helds, held);

struct pick {
	struct message_sink sink;
	const struct picking *picking;
	struct message_sink *next;
	struct map held; /* exchange's number to struct held */
	struct helds by_age;
	size_t bytes;
	struct map picked; /* numbers of exchanges that were kept: more may follow (WebSocket) */
};

static struct pick *pick_of(struct message_sink *sink)
{
	return (struct pick *)sink;
}

static size_t cost_of(const struct message *message)
{
	return message->body.kept.len + message->arena.used + sizeof(*message);
}

static void release(struct pick *pick, struct held *held, bool keep)
{
	map_take(&pick->held, held->exchange);
	TAILQ_REMOVE(&pick->by_age, held, age);
	for (size_t i = 0; i < held->count; i++) {
		pick->bytes -= cost_of(held->messages[i]);
		if (keep)
			message_sink_message(pick->next, held->messages[i]);
		message_unref(held->messages[i]);
	}
	free(held->messages);
	free(held);
}

static void hold(struct pick *pick, struct message *message)
{
	struct held *held = map_get(&pick->held, message->exchange);

	if (!held) {
		held = own_zalloc(sizeof(*held));
		held->exchange = message->exchange;
		map_put(&pick->held, held->exchange, held);
		TAILQ_INSERT_TAIL(&pick->by_age, held, age);
	}
	if (!(held->count & (held->count - 1)))
		held->messages = own_realloc(held->messages, (held->count ? held->count * 2 : 1) *
								     sizeof(struct message *));
	held->messages[held->count++] = message_ref(message);
	pick->bytes += cost_of(message);
	while (pick->bytes > PICK_BYTES_MAX || map_count(&pick->held) > PICK_HELD_MAX)
		release(pick, TAILQ_FIRST(&pick->by_age), false);
}

static void pick_event(struct message_sink *sink, struct event *event)
{
	message_sink_event(pick_of(sink)->next, event);
}

static void pick_message(struct message_sink *sink, struct message *message)
{
	struct pick *pick = pick_of(sink);

	if (!message->exchange)
		return;
	if (map_get(&pick->picked, message->exchange))
		message_sink_message(pick->next, message);
	else
		hold(pick, message);
}

static void pick_exchange(struct message_sink *sink, struct exchange *exchange)
{
	struct pick *pick = pick_of(sink);
	struct held *held = map_get(&pick->held, exchange->number);
	bool keep = picking_keeps(pick->picking, exchange);

	if (held)
		release(pick, held, keep);
	if (!keep)
		return;
	if (map_count(&pick->picked) >= PICK_HELD_MAX)
		map_done(&pick->picked);
	map_put(&pick->picked, exchange->number, pick);
	message_sink_exchange(pick->next, exchange);
}

static int pick_finish(struct message_sink *sink)
{
	struct pick *pick = pick_of(sink);
	int result;

	while (!TAILQ_EMPTY(&pick->by_age))
		release(pick, TAILQ_FIRST(&pick->by_age), false);
	map_done(&pick->held);
	map_done(&pick->picked);
	result = pick->next->finish(pick->next);
	free(pick);
	return result;
}

struct message_sink *pick_new(const struct picking *picking, struct message_sink *next)
{
	struct pick *pick = own_zalloc(sizeof(*pick));

	pick->sink = (struct message_sink){
		.event = pick_event,
		.message = pick_message,
		.exchange = pick_exchange,
		.finish = pick_finish,
	};
	pick->picking = picking;
	pick->next = next;
	TAILQ_INIT(&pick->by_age);
	return &pick->sink;
}
