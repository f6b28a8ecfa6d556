/*
 * DNS (RFC 1035): a datagram is a message, on TCP it stands behind its length. An answer is found by its
 * id and its question, as many may be under way on one socket, and to several servers.
 */
#include "base/addr.h"
#include "decode/channel.h"
#include "decode/dns_text.h"
#include "decode/limits.h"

#include <errno.h>

static const char bad_message[] = "this is no DNS message";

#define HEAD_LEN  12
#define ASKED_MAX 256

struct dns {
	struct exchange *asked[ASKED_MAX]; /* without an answer, the oldest first */
	size_t count;
};

struct head {
	uint16_t id, flags;
	uint16_t counts[4]; /* questions, answers, authorities, additionals */
};

enum { FLAG_QR = 0x8000, FLAG_Z = 0x0040 };

static struct head read_head(struct reader *reader)
{
	struct head head = { .id = reader_u16(reader) };

	head.flags = reader_u16(reader);
	for (int i = 0; i < 4; i++)
		head.counts[i] = reader_u16(reader);
	return head;
}

static unsigned int opcode_of(const struct head *head)
{
	return head->flags >> 11 & 15;
}

/* Cheap: whether the first 12 bytes can be a message's of so many bytes. */
static bool is_plausible(const struct head *head, size_t len)
{
	size_t least = HEAD_LEN + 5U * head->counts[0];

	for (int i = 1; i < 4; i++)
		least += 11U * head->counts[i];
	if (opcode_of(head) > 6 || opcode_of(head) == 3 || (head->flags & FLAG_Z) || least > len)
		return false;
	return head->counts[0] + head->counts[1] > 0;
}

static const enum attr_key section_keys[4] = { ATTR_QUESTION, ATTR_ANSWER, ATTR_AUTHORITY,
					       ATTR_ADDITIONAL };

/* OPT is no record of the zone's, but the message's own. */
static void add_opt(struct message *message, const struct dns_record *record, unsigned int *rcode)
{
	struct buf text auto_buf = { 0 };

	dns_add_edns(&text, record);
	message_add(message, ATTR_EDNS, span_of(text.data, text.len));
	*rcode |= record->ttl >> 24 << 4;
}

static void add_sections(struct message *message, const struct head *head, struct span whole,
			 struct reader *reader, unsigned int *rcode)
{
	struct dns_record record = { 0 };

	for (int section = 0; section < 4; section++) {
		for (unsigned int i = 0; i < head->counts[section] && !reader->bad; i++) {
			struct buf text auto_buf = { 0 };

			if (section)
				dns_add_record(&text, whole, reader, &record);
			else
				dns_add_question(&text, whole, reader);
			if (reader->bad)
				return;
			if (section && record.type == DNS_TYPE_OPT)
				add_opt(message, &record, rcode);
			else
				message_add(message, section_keys[section],
					    span_of(text.data, text.len));
		}
	}
}

/* Fills the message. False where the bytes are none, or something is left behind it. */
static bool parse(struct message *message, struct span whole)
{
	static const char *const opcodes[] = { "QUERY",  "IQUERY", "STATUS", NULL,
					       "NOTIFY", "UPDATE", "DSO" };
	static const struct {
		uint16_t bit;
		const char *name;
	} flags[] = { { 0x0400, "aa" }, { 0x0200, "tc" }, { 0x0100, "rd" },
		      { 0x0080, "ra" }, { 0x0020, "ad" }, { 0x0010, "cd" } };
	struct reader reader = reader_of(whole);
	struct head head = read_head(&reader);
	unsigned int rcode = head.flags & 15;
	struct buf text auto_buf = { 0 };

	if (reader.bad || !is_plausible(&head, whole.len))
		return false;
	message->kind = head.flags & FLAG_QR ? MESSAGE_RESPONSE : MESSAGE_REQUEST;
	message_add_number(message, ATTR_ID, head.id);
	message_add_text(message, ATTR_COMMAND, opcodes[opcode_of(&head)]);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (head.flags & flags[i].bit)
			message_add_text(message, ATTR_FLAG, flags[i].name);
	add_sections(message, &head, whole, &reader, &rcode);
	dns_add_rcode(&text, rcode);
	if (message->kind == MESSAGE_RESPONSE)
		message_add(message, ATTR_RCODE, span_of(text.data, text.len));
	return !reader.bad && !reader_left(&reader);
}

static bool is_message(struct span whole)
{
	struct message *message = message_new(PROTOCOL_DNS, MESSAGE_REQUEST, DIR_OUT, 0);
	bool good = parse(message, whole);

	message_unref(message);
	return good;
}

/* On TCP: the length, and a header that leaves little doubt. */
static enum sniffed sniff_stream(struct span said)
{
	struct reader reader = reader_of(said);
	size_t len = reader_u16(&reader);
	struct head head;

	if (said.len < 2 + HEAD_LEN)
		return said.len >= 2 && (len < HEAD_LEN + 5 || len > SNIFF_MAX - 2) ? SNIFF_NO
										    : SNIFF_MORE;
	head = read_head(&reader);
	if (!is_plausible(&head, len) || head.counts[0] != 1 || len > SNIFF_MAX - 2)
		return SNIFF_NO;
	if (said.len < 2 + len)
		return SNIFF_MORE;
	return is_message(span_cut(said, 2, len)) ? SNIFF_YES : SNIFF_NO;
}

static enum sniffed dns_sniff(const struct sniff *sniff, int *ret_client)
{
	if (!sniff->datagram)
		return sniff_sides(sniff, sniff_stream, NULL, ret_client);
	for (int dir = 0; dir < DIRS; dir++)
		if (sniff->said[dir].len && is_message(sniff->said[dir]))
			return SNIFF_YES;
	return SNIFF_NO;
}

static void forget(struct dns *dns, size_t at)
{
	dns->count--;
	memmove(&dns->asked[at], &dns->asked[at + 1], (dns->count - at) * sizeof(dns->asked[0]));
}

static bool is_peer(const struct message *a, const struct message *b)
{
	return !a->origin || !b->origin || addr_equal(&a->origin->remote, &b->origin->remote);
}

/* Index of the question that the message repeats or answers, or the count of all. */
static size_t find(const struct dns *dns, const struct message *message, bool any_peer)
{
	size_t i;

	for (i = 0; i < dns->count; i++) {
		const struct message *asked = dns->asked[i]->request;

		if (message_number(asked, ATTR_ID, 0) == message_number(message, ATTR_ID, 0) &&
		    (asked->dir == message->dir) == (message->kind == MESSAGE_REQUEST) &&
		    span_equal(message_value(asked, ATTR_QUESTION),
			       message_value(message, ATTR_QUESTION)) &&
		    (any_peer || is_peer(asked, message)))
			break;
	}
	return i;
}

static void end_without(struct channel *channel, size_t at, const char *why)
{
	struct dns *dns = channel->state;
	struct exchange *exchange = dns->asked[at];

	forget(dns, at);
	exchange->why = why;
	channel_exchange_emit(channel, exchange);
}

static void ask(struct channel *channel, struct message *request)
{
	struct dns *dns = channel->state;
	size_t again = find(dns, request, false);
	struct exchange *exchange;

	if (again < dns->count)
		end_without(channel, again, "it was asked again");
	if (dns->count == ASKED_MAX)
		end_without(channel, 0, "too many questions without an answer");
	exchange = channel_exchange(channel);
	channel_request(exchange, request);
	dns->asked[dns->count++] = exchange;
	channel_emit(channel, request);
}

static void answer(struct channel *channel, struct message *response)
{
	struct dns *dns = channel->state;
	size_t at = find(dns, response, false);
	struct exchange *exchange;

	if (at == dns->count)
		at = find(dns, response, true);
	if (at < dns->count) {
		exchange = dns->asked[at];
		forget(dns, at);
	} else {
		exchange = channel_exchange(channel);
	}
	channel_response(exchange, response);
	channel_emit(channel, response);
	channel_exchange_emit(channel, exchange);
}

static ssize_t dns_feed(struct channel *channel, enum event_dir dir, struct span bytes)
{
	size_t head = channel->datagram ? 0 : 2;
	struct reader reader = reader_of(bytes);
	size_t len = channel->datagram ? bytes.len : reader_u16(&reader);
	struct message *message;

	if (bytes.len < head + len || bytes.len < head) {
		channel_want(channel, dir, bytes.len < head ? head : head + len);
		return 0;
	}
	message = channel_message(channel, MESSAGE_REQUEST, dir);
	channel_note(channel, message, span_cut(bytes, 0, head + len));
	if (!parse(message, span_cut(bytes, head, len))) {
		channel_drop(channel, message);
		return channel_give_up(channel, dir, bad_message);
	}
	if (message->kind == MESSAGE_REQUEST)
		ask(channel, message);
	else
		answer(channel, message);
	return (ssize_t)(head + len);
}

static void dns_close(struct channel *channel, const char *why)
{
	struct dns *dns = channel->state;

	while (dns->count)
		end_without(channel, 0, why);
}

const struct decoder decoder_dns = {
	.name = "dns",
	.protocol = PROTOCOL_DNS,
	.sniff = dns_sniff,
	.state_size = sizeof(struct dns),
	.feed = dns_feed,
	.close = dns_close,
};
