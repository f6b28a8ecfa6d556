/*
 * TLS (RFC 8446, 5246) as far as it is in clear: the two hellos, and alerts before the encryption. What
 * is inside comes on the plain layer, where it could be read; where not, a note says how much it was.
 */
#include "decode/channel.h"
#include "decode/conversation.h"
#include "decode/limits.h"
#include "decode/tls_names.h"

#include <stdio.h>

static const char bad_record[] = "this is no TLS record";

enum { RECORD_HEAD = 5, RECORD_MAX = 16384 + 2048 };

enum record_type {
	RECORD_CHANGE = 20,
	RECORD_ALERT,
	RECORD_HANDSHAKE,
	RECORD_DATA,
	RECORD_HEARTBEAT
};

enum hello_type { HELLO_CLIENT = 1, HELLO_SERVER = 2 };

enum extension {
	EXTENSION_SNI = 0,
	EXTENSION_ALPN = 16,
	EXTENSION_VERSIONS = 43,
};

/* One direction. */
struct half {
	uint32_t left;      /* of a record that is skipped */
	bool said_hello;    /* what follows is not our affair */
	struct buf message; /* the handshake message that hellos begin with, over several records */
	struct message *hello; /* made of it */
	uint64_t encrypted;    /* bytes of application data */
};

struct tls {
	struct half halves[DIRS];
	struct exchange *exchange; /* NULL: not begun, or over */
};

static enum sniffed sniff_hello(struct span said, uint8_t type)
{
	const uint8_t *p = said.data;

	if (p[0] != RECORD_HANDSHAKE || (said.len > 1 && p[1] != 3) || (said.len > 2 && p[2] > 4))
		return SNIFF_NO;
	if (said.len < RECORD_HEAD + 1)
		return SNIFF_MORE;
	return p[5] == type && (p[3] << 8 | p[4]) >= 4 && (p[3] << 8 | p[4]) <= RECORD_MAX
		       ? SNIFF_YES
		       : SNIFF_NO;
}

static enum sniffed sniff_client(struct span said)
{
	return sniff_hello(said, HELLO_CLIENT);
}

static enum sniffed sniff_server(struct span said)
{
	return sniff_hello(said, HELLO_SERVER);
}

/* Encrypted records in the middle of a connection. */
static enum sniffed sniff_record(struct span said)
{
	const uint8_t *p = said.data;

	if (p[0] != RECORD_DATA || (said.len > 1 && p[1] != 3) || (said.len > 2 && p[2] > 3))
		return SNIFF_NO;
	if (said.len < RECORD_HEAD)
		return SNIFF_MORE;
	return (p[3] << 8 | p[4]) >= 16 && (p[3] << 8 | p[4]) <= RECORD_MAX ? SNIFF_YES : SNIFF_NO;
}

static enum sniffed tls_sniff(const struct sniff *sniff, int *ret_client)
{
	enum sniffed sniffed;
	int unknown;

	if (sniff->datagram)
		return SNIFF_NO;
	sniffed = sniff_sides(sniff, sniff_client, sniff_server, ret_client);
	if (sniffed == SNIFF_NO && !sniff->fresh)
		sniffed = sniff_sides(sniff, sniff_record, NULL, &unknown);
	return sniffed;
}

static void add_version(struct message *hello, uint16_t version)
{
	const char *name = tls_version_name(version);

	if (name)
		message_add_text(hello, ATTR_VERSION, name);
	else
		message_add_textf(hello, ATTR_VERSION, "0x%04x", version);
}

static void add_cipher(struct message *hello, uint16_t cipher)
{
	const char *name = tls_cipher_name(cipher);

	if (tls_is_grease(cipher))
		return;
	if (name)
		message_add_text(hello, ATTR_CIPHER, name);
	else
		message_add_textf(hello, ATTR_CIPHER, "0x%04x", cipher);
}

static void add_sni(struct message *hello, struct reader *reader)
{
	struct reader names = reader_of(reader_take(reader, reader_u16(reader)));

	while (reader_left(&names) && !names.bad) {
		uint8_t type = reader_u8(&names);
		struct span name = reader_take(&names, reader_u16(&names));

		if (!type && !names.bad)
			message_add(hello, ATTR_SNI, name);
	}
}

static void add_alpn(struct message *hello, struct reader *reader)
{
	struct reader names = reader_of(reader_take(reader, reader_u16(reader)));

	while (reader_left(&names) && !names.bad) {
		struct span name = reader_take(&names, reader_u8(&names));

		if (name.len &&
		    !(name.len == 2 && tls_is_grease((uint16_t)(name.data[0] << 8 | name.data[1]))))
			message_add(hello, ATTR_ALPN, name);
	}
}

/* The client offers a list, of which we take the highest; the server names one. */
static uint16_t read_versions(struct reader *reader, bool client)
{
	struct reader versions =
		client ? reader_of(reader_take(reader, reader_u8(reader))) : *reader;
	uint16_t highest = 0;

	while (reader_left(&versions) > 1) {
		uint16_t version = reader_u16(&versions);

		if (!tls_is_grease(version) && version > highest)
			highest = version;
	}
	return highest;
}

static void add_extensions(struct message *hello, struct reader *reader, bool client,
			   uint16_t version)
{
	struct reader all = reader_of(reader_take(reader, reader_u16(reader)));

	while (reader_left(&all) && !all.bad) {
		uint16_t type = reader_u16(&all);
		struct reader value = reader_of(reader_take(&all, reader_u16(&all)));

		if (type == EXTENSION_SNI && client)
			add_sni(hello, &value);
		else if (type == EXTENSION_ALPN)
			add_alpn(hello, &value);
		else if (type == EXTENSION_VERSIONS)
			version = read_versions(&value, client);
	}
	add_version(hello, version);
}

static void add_random(struct message *hello, struct span random)
{
	char text[65] = "";

	for (size_t i = 0; i < random.len; i++)
		snprintf(text + 2 * i, 3, "%02x", random.data[i]);
	message_add_text(hello, ATTR_RANDOM, text);
}

static void read_hello(struct message *hello, struct span body, bool client)
{
	struct reader reader = reader_of(body);
	uint16_t version = reader_u16(&reader);

	message_add_text(hello, ATTR_COMMAND, client ? "ClientHello" : "ServerHello");
	add_random(hello, reader_take(&reader, 32));
	reader_take(&reader, reader_u8(&reader));
	if (client) {
		struct reader ciphers = reader_of(reader_take(&reader, reader_u16(&reader)));

		while (reader_left(&ciphers) > 1)
			add_cipher(hello, reader_u16(&ciphers));
		reader_take(&reader, reader_u8(&reader));
	} else {
		add_cipher(hello, reader_u16(&reader));
		reader_u8(&reader);
	}
	if (reader.bad)
		message_cut(hello, "the hello is damaged");
	add_extensions(hello, &reader, client, version);
}

static void end_exchange(struct channel *channel, const char *why)
{
	struct tls *tls = channel->state;

	if (!tls->exchange)
		return;
	if (!tls->exchange->response)
		tls->exchange->why = why;
	channel_exchange_emit(channel, tls->exchange);
	tls->exchange = NULL;
}

/* RFC 8446, 4.1.3: a ServerHello with this random asks for another ClientHello. */
static bool is_retry(struct span body)
{
	static const uint8_t random[8] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11 };

	return body.len >= 10 && !memcmp(body.data + 2, random, sizeof(random));
}

static void take_hello(struct channel *channel, enum event_dir dir, struct span whole)
{
	struct tls *tls = channel->state;
	struct half *half = &tls->halves[dir];
	struct message *hello = half->hello;
	bool client = whole.data[0] == HELLO_CLIENT;
	struct span body = span_cut(whole, 4, whole.len);

	half->hello = NULL;
	if (!client && is_retry(body)) {
		channel_drop(channel, hello);
		return;
	}
	half->said_hello = true;
	channel->client = (int)(client ? dir : !dir);
	hello->kind = client ? MESSAGE_REQUEST : MESSAGE_RESPONSE;
	read_hello(hello, body, client);
	if (!tls->exchange)
		tls->exchange = channel_exchange(channel);
	if (client)
		channel_request(tls->exchange, hello);
	else
		channel_response(tls->exchange, hello);
	channel_emit(channel, hello);
	if (!client)
		end_exchange(channel, NULL);
}

/* Handshake bytes before the hello was seen. */
static void take_handshake(struct channel *channel, enum event_dir dir, struct span record,
			   struct span payload)
{
	struct tls *tls = channel->state;
	struct half *half = &tls->halves[dir];
	struct reader reader;
	size_t len;

	if (!half->hello)
		half->hello = channel_message(channel, MESSAGE_REQUEST, dir);
	channel_note(channel, half->hello, record);
	buf_add(&half->message, payload.data, payload.len);
	reader = reader_of(span_of(half->message.data, half->message.len));
	reader_u8(&reader);
	len = 4 + reader_be(&reader, 3);
	if (half->message.len < 4 || (half->message.len < len && len <= FRAME_KEPT))
		return;
	if (len > FRAME_KEPT ||
	    (half->message.data[0] != HELLO_CLIENT && half->message.data[0] != HELLO_SERVER)) {
		channel_drop(channel, half->hello);
		half->hello = NULL;
		half->said_hello = true;
	} else {
		take_hello(channel, dir, span_of(half->message.data, len));
	}
	buf_done(&half->message);
}

/* In clear only before the server's hello, and then it has two bytes. */
static void take_alert(struct channel *channel, enum event_dir dir, struct span record,
		       struct span payload)
{
	struct tls *tls = channel->state;
	const char *name;
	struct message *alert;

	if (payload.len != 2 || payload.data[0] > 2 || !tls->exchange)
		return;
	alert = channel_message(channel, MESSAGE_RESPONSE, dir);
	name = tls_alert_name(payload.data[1]);
	channel_note(channel, alert, record);
	message_add_text(alert, ATTR_COMMAND, "Alert");
	if (name)
		message_add_text(alert, ATTR_ERROR, name);
	else
		message_add_textf(alert, ATTR_ERROR, "alert %u", payload.data[1]);
	channel_response(tls->exchange, alert);
	channel_emit(channel, alert);
	end_exchange(channel, NULL);
}

static ssize_t tls_feed(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct tls *tls = channel->state;
	struct half *half = &tls->halves[dir];
	uint32_t len;
	uint8_t type;

	if (half->left) {
		size_t n = half->left < bytes.len ? half->left : bytes.len;

		half->left -= (uint32_t)n;
		return (ssize_t)n;
	}
	if (bytes.len < RECORD_HEAD)
		return 0;
	type = bytes.data[0];
	len = (uint32_t)(bytes.data[3] << 8 | bytes.data[4]);
	if (type < RECORD_CHANGE || type > RECORD_HEARTBEAT || bytes.data[1] != 3 ||
	    len > RECORD_MAX)
		return channel_give_up(channel, dir, bad_record);
	if (type == RECORD_DATA)
		half->encrypted += len;
	if ((type != RECORD_HANDSHAKE || half->said_hello) && (type != RECORD_ALERT || len != 2)) {
		half->left = len;
		return RECORD_HEAD;
	}
	if (bytes.len < RECORD_HEAD + len) {
		channel_want(channel, dir, RECORD_HEAD + len);
		return 0;
	}
	bytes = span_cut(bytes, 0, RECORD_HEAD + len);
	if (type == RECORD_HANDSHAKE)
		take_handshake(channel, dir, bytes, span_cut(bytes, RECORD_HEAD, len));
	else
		take_alert(channel, dir, bytes, span_cut(bytes, RECORD_HEAD, len));
	return (ssize_t)bytes.len;
}

static bool tls_gap(struct channel *channel, enum event_dir dir, uint64_t len)
{
	struct tls *tls = channel->state;
	struct half *half = &tls->halves[dir];

	if (!len || len > half->left)
		return false;
	half->left -= (uint32_t)len;
	return true;
}

static void tls_close(struct channel *channel, const char *why)
{
	struct tls *tls = channel->state;
	uint64_t out = tls->halves[DIR_OUT].encrypted, in = tls->halves[DIR_IN].encrypted;
	char text[96];

	end_exchange(channel, why);
	if (!(out + in) || channel->conversation->plain || channel->layer != LAYER_WIRE)
		return;
	snprintf(text, sizeof(text), "%lu bytes sent and %lu received are encrypted", out, in);
	channel_tell(channel, DIR_OUT, text);
}

static void tls_done(struct channel *channel)
{
	struct tls *tls = channel->state;

	for (int dir = 0; dir < DIRS; dir++) {
		channel_drop(channel, tls->halves[dir].hello);
		buf_done(&tls->halves[dir].message);
	}
}

const struct decoder decoder_tls = {
	.name = "tls",
	.protocol = PROTOCOL_TLS,
	.sniff = tls_sniff,
	.state_size = sizeof(struct tls),
	.done = tls_done,
	.feed = tls_feed,
	.gap = tls_gap,
	.close = tls_close,
};
