/* Connections put together by peer and program: names, and whether their order means something. */
#include "base/addr.h"
#include "base/own.h"
#include "golden/talk.h"

#include <stdio.h>
#include <string.h>

/* Ports from here on are nobody's own: systems give them to whoever asks (ip_local_port_range). */
#define PORT_EPHEMERAL 32768

static const struct addr *service_of(const struct talk *talk)
{
	return talk->role == ROLE_ACCEPTS ? &talk->local : &talk->remote;
}

static bool is_loopback(const struct addr *addr)
{
	if (addr->len && addr->family == AF_INET)
		return (ntohl(addr->in.sin_addr.s_addr) >> 24) == 127;
	return addr->len && addr->family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
}

static bool is_own_port(const struct talk *talk)
{
	const struct addr *addr = service_of(talk);

	return addr_port(addr) >= PORT_EPHEMERAL &&
	       (talk->role == ROLE_ACCEPTS || is_loopback(addr));
}

/* "127.0.0.1:80" without its port. */
static struct span without_port(struct span text)
{
	for (size_t i = text.len; i-- > 0;)
		if (text.data[i] == ':')
			return span_cut(text, 0, i);
	return text;
}

static bool is_address(struct span host)
{
	struct addr addr;
	char text[256];
	int len = snprintf(text, sizeof(text), "%.*s:1", (int)host.len, (const char *)host.data);

	return len < (int)sizeof(text) && addr_parse(&addr, text, (size_t)len);
}

static struct span known_host(const struct gather *gather, struct span address)
{
	for (size_t i = 0; i + 1 < gather->host_count; i += 2)
		if (span_equal(gather->hosts[i], address))
			return gather->hosts[i + 1];
	return (struct span){ 0 };
}

static struct span bare_host(struct span host)
{
	uint64_t port;
	struct span name = without_port(host);

	/* An IPv6 address has colons of its own. */
	if (name.len < host.len && span_number(span_cut(host, name.len + 1, host.len), 10, &port))
		return name;
	return host;
}

/* Who it is, by the best name: of TLS, of HTTP, of DNS, its address. */
static void add_host(const struct gather *gather, const struct talk *talk, struct buf *out)
{
	const struct addr *addr = service_of(talk);
	char text[ADDR_TEXT_MAX];
	struct span address, host = bare_host(talk->host), name;

	addr_format(addr, text);
	address = addr_port(addr) ? without_port(span_text(text)) : span_text(text);
	if (talk->protocol == PROTOCOL_DNS && talk->spoke && talk->role != ROLE_ACCEPTS &&
	    rules_use(gather->options.rules, BUILTIN_RESOLVER)) {
		buf_adds(out, "resolver");
		return;
	}
	if (is_loopback(addr))
		name = SPAN("localhost");
	else if (talk->sni.len)
		name = talk->sni;
	else if (host.len && !is_address(host))
		name = host;
	else
		name = known_host(gather, address);
	if (!name.len)
		name = address;
	/* Wherever it listens: that differs between machines. */
	if (talk->role != ROLE_ACCEPTS || !addr_port(addr))
		escape_add(out, name, ESCAPE_TEXT);
}

static void add_peer(const struct gather *gather, const struct talk *talk, struct scan *scan,
		     struct buf *out)
{
	uint16_t port = addr_port(service_of(talk));
	char digits[8];

	add_host(gather, talk, out);
	if (!port || (out->len == 8 && !memcmp(out->data, "resolver", 8)))
		return;
	buf_addc(out, ':');
	snprintf(digits, sizeof(digits), "%u", port);
	if (scan_is_port(scan, port) && is_own_port(talk))
		scan_mask(scan, out, "port", span_text(digits));
	else
		buf_adds(out, digits);
}

static const char *protocol_of(const struct talk *talk)
{
	if (talk->spoke && talk->protocol != PROTOCOL_DATA)
		return protocol_names[talk->protocol];
	return event_proto_names[talk->proto] ? event_proto_names[talk->proto] : "data";
}

/*
 * "peer localhost:80 http by curl". A connection on which nothing was said belongs to where others of
 * its kind are.
 */
static struct section *section_of(struct model *model, const struct talk *talk, const char *peer)
{
	struct buf head = { 0 };
	struct section *section = NULL;
	size_t start;

	buf_addf(&head, "%s %s ", talk->role == ROLE_ACCEPTS ? "served" : "peer", peer);
	start = head.len;
	for (size_t i = 0; !talk->spoke && !section && i < model->count; i++) {
		const char *by = strstr(model->sections[i]->head, " by ");

		if (!strncmp(model->sections[i]->head, buf_cstr(&head), start) && by &&
		    !strcmp(by + 4, talk->comm))
			section = model->sections[i];
	}
	if (!section) {
		buf_addf(&head, "%s%s by ", talk->tls ? "tls " : "", protocol_of(talk));
		escape_add(&head, span_text(talk->comm), ESCAPE_TEXT);
		section = model_section(model, buf_cstr(&head));
	}
	buf_done(&head);
	return section;
}

static int compare_items(const void *one, const void *other)
{
	const struct item *a = one, *b = other;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Frames of one stream among many: the order in which they come is nobody's. */
static bool overlaps_itself(const struct talk *talk)
{
	uint64_t last = 0;

	if (talk->protocol != PROTOCOL_HTTP2 && talk->protocol != PROTOCOL_GRPC)
		return false;
	for (size_t i = 0; i < talk->count; i++) {
		if (talk->items[i].first < last)
			return true;
		if (talk->items[i].last > last)
			last = talk->items[i].last;
	}
	return false;
}

static bool is_pooled_protocol(const struct talk *talk)
{
	return talk->spoke && talk->protocol != PROTOCOL_DATA &&
	       talk->protocol != PROTOCOL_WEBSOCKET && talk->protocol != PROTOCOL_SMTP;
}

/*
 * Connections that are open at the same time are a pool's, in which it is luck what goes over which:
 * unless each is a thread's own.
 */
static bool are_pooled(const struct talk *a, const struct talk *b)
{
	if (a->last < b->first || b->last < a->first || !a->count || !b->count ||
	    !is_pooled_protocol(a))
		return false;
	return a->many_threads || b->many_threads || (a->tid == b->tid && a->pid == b->pid);
}

struct placed {
	struct talk *talk;
	struct section *section;
	struct span peer;
	size_t at;
};

static int compare_placed(const void *one, const void *other)
{
	const struct placed *a = one, *b = other;

	if (a->section != b->section)
		return a->at < b->at ? -1 : 1;
	if (a->talk->first != b->talk->first)
		return a->talk->first < b->talk->first ? -1 : 1;
	return a->at < b->at ? -1 : 1;
}

/* Sorted by their beginnings, so each only has to be held against the one that lasts longest. */
static void find_order(struct placed *placed, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct talk *talk = placed[i].talk;
		struct section *section = placed[i].section;

		section->any |=
			overlaps_itself(talk) || (talk->protocol == PROTOCOL_DNS && talk->spoke);
		for (size_t j = i; !section->any && j-- > 0 && i - j < 64;)
			section->any |=
				placed[j].section == section && are_pooled(placed[j].talk, talk);
	}
}

static void apply_order_rules(struct gather *gather, struct placed *placed, size_t count)
{
	struct rules *rules = gather->options.rules;

	for (size_t i = 0; i < count; i++) {
		struct place place = { .peer = placed[i].peer };
		struct section *section = placed[i].section;

		if (rules_find_action(rules, RULE_ORDER_ANY, WHAT_PEER, &place))
			section->any = true;
		if (rules_find_action(rules, RULE_ORDER_STRICT, WHAT_PEER, &place) ||
		    !rules_has(rules, BUILTIN_ORDER)) {
			section->any = false;
			section->strict = true;
		}
	}
}

static void add_units(struct gather *gather, struct model *model, struct scan *scan,
		      const struct placed *placed)
{
	struct talk *talk = placed->talk;
	struct render render = { .model = model,
				 .scan = scan,
				 .peer = placed->peer,
				 .client = talk->role == ROLE_ACCEPTS ? DIR_IN : DIR_OUT,
				 .explain = gather->options.explain };
	uint32_t conn = placed->section->any ? 0 : placed->section->conns + 1;
	struct unit *unit;
	size_t before = placed->section->count;

	for (size_t i = 0; model->level > LEVEL_PEERS && i < talk->count; i++) {
		unit = render_item(&render, &talk->items[i]);
		if (!unit)
			continue;
		unit->conn = conn;
		model_add_unit(placed->section, unit);
	}
	if (placed->section->count > before)
		placed->section->conns = conn;
}

static bool is_wanted(const struct talk *talk)
{
	return talk->attempted && !talk->other_end &&
	       (talk->count || !event_proto_is_datagram(talk->proto));
}

/* The peer's name as rules see it: with its port's number. */
static struct span plain_peer(struct model *model, const char *peer, const struct talk *talk)
{
	struct span host = span_text(peer);
	struct buf text = { 0 };
	struct span copy;

	host = without_port(host);
	buf_add(&text, host.data, host.len);
	if (addr_port(service_of(talk)) && strchr(peer, ':'))
		buf_addf(&text, ":%u", addr_port(service_of(talk)));
	copy = arena_copy(&model->arena, span_of(text.data, text.len));
	buf_done(&text);
	return copy;
}

static size_t place_all(struct gather *gather, struct model *model, struct scan *scan,
			struct placed *placed, bool spoke)
{
	size_t count = 0;

	for (size_t i = 0; i < gather->count; i++) {
		struct talk *talk = gather->talks[i];
		struct place place = { 0 };
		struct buf peer = { 0 };

		if (!is_wanted(talk) || talk->spoke != spoke)
			continue;
		if (talk->count)
			qsort(talk->items, talk->count, sizeof(*talk->items), compare_items);
		add_peer(gather, talk, scan, &peer);
		place.peer = plain_peer(model, buf_cstr(&peer), talk);
		if (!rules_find_action(gather->options.rules, RULE_IGNORE, WHAT_PEER, &place))
			placed[count++] =
				(struct placed){ talk, section_of(model, talk, buf_cstr(&peer)),
						 place.peer, 0 };
		buf_done(&peer);
	}
	return count;
}

/* From the first event of a conversation to the last. */
static void set_days(const struct gather *gather, struct scan *scan)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (size_t i = 0; i < gather->count; i++) {
		const struct talk *talk = gather->talks[i];

		first = talk->first && talk->first < first ? talk->first : first;
		last = talk->last > last ? talk->last : last;
	}
	if (first <= last)
		scan_days(scan, first, last);
}

void sections_add(struct gather *gather, struct model *model, struct scan *scan)
{
	struct placed *placed auto_free = own_zalloc((gather->count + 1) * sizeof(*placed));
	size_t count;

	set_days(gather, scan);
	for (size_t i = 0; i < gather->count && rules_has(scan->rules, BUILTIN_PORTS); i++)
		if (is_wanted(gather->talks[i]) && is_own_port(gather->talks[i]))
			scan_port(scan, addr_port(service_of(gather->talks[i])));
	count = place_all(gather, model, scan, placed, true);
	count += place_all(gather, model, scan, placed + count, false);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < model->count; j++)
			if (model->sections[j] == placed[i].section)
				placed[i].at = j;
	qsort(placed, count, sizeof(*placed), compare_placed);
	find_order(placed, count);
	apply_order_rules(gather, placed, count);
	for (size_t i = 0; i < count; i++)
		add_units(gather, model, scan, &placed[i]);
}
