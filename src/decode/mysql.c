/* MySQL and MariaDB: packets, greeting and login. */
#include "decode/mysql.h"

#include "base/own.h"
#include "decode/limits.h"

#include <errno.h>

static const char bad_packet[] = "this is no MySQL packet";
static const char compressed[] = "the protocol is compressed from here on";

enum { PACKET_HEAD = 4, PACKET_MAX = 0xffffff };

/* Protocol 10, and a version that begins with a digit. */
static enum sniffed sniff_greeting(struct span said)
{
	static const int form[] = { -1, -1, 0, 0, 10 };

	for (size_t i = 0; i < sizeof(form) / sizeof(form[0]) && i < said.len; i++)
		if (form[i] >= 0 && said.data[i] != form[i])
			return SNIFF_NO;
	if (said.len < 7)
		return SNIFF_MORE;
	return said.data[5] >= '1' && said.data[5] <= '9' &&
			       (said.data[6] == '.' || (said.data[6] >= '0' && said.data[6] <= '9'))
		       ? SNIFF_YES
		       : SNIFF_NO;
}

/* What a client says first above TLS: capabilities, and 19 zeros among other things. */
static enum sniffed sniff_login(struct span said)
{
	if ((said.len > 2 && said.data[2]) || (said.len > 3 && said.data[3] != 2))
		return SNIFF_NO;
	for (size_t i = PACKET_HEAD + 9; i < PACKET_HEAD + 9 + 19 && i < said.len; i++)
		if (said.data[i])
			return SNIFF_NO;
	if (said.len < PACKET_HEAD + 9 + 19)
		return SNIFF_MORE;
	return said.data[PACKET_HEAD + 1] & CAPABILITY_PROTOCOL_41 >> 8 ? SNIFF_YES : SNIFF_NO;
}

/* In the middle: a query, or one to prepare. */
static enum sniffed sniff_query(struct span said)
{
	size_t at = 5;

	if ((said.len > 2 && said.data[2]) || (said.len > 3 && said.data[3]) ||
	    (said.len > 4 && said.data[4] != 3 && said.data[4] != 22))
		return SNIFF_NO;
	if (said.len < 11)
		return SNIFF_MORE;
	if (!said.data[5] && said.data[6] == 1)
		at = 7;
	for (size_t end = at + 4; at < end; at++)
		if ((said.data[at] | 0x20) < 'a' || (said.data[at] | 0x20) > 'z')
			return SNIFF_NO;
	return SNIFF_YES;
}

static enum sniffed mysql_sniff(const struct sniff *sniff, int *ret_client)
{
	enum sniffed sniffed;

	if (sniff->datagram)
		return SNIFF_NO;
	sniffed = sniff_sides(sniff, sniff_login, sniff_greeting, ret_client);
	if (sniffed == SNIFF_NO && !sniff->fresh)
		sniffed = sniff_sides(sniff, sniff_query, NULL, ret_client);
	return sniffed;
}

static bool take_greeting(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;
	struct reader reader = reader_of(packet->payload);
	uint8_t version = reader_u8(&reader);
	struct message *greeting = channel_message(channel, MESSAGE_ONEWAY, packet->dir);

	channel_note(channel, greeting, packet->whole);
	message_add_text(greeting, ATTR_COMMAND, "Greeting");
	if (version == 0xff)
		mysql_add_error(mysql, greeting, &reader);
	else
		message_add(greeting, ATTR_VERSION, reader_string(&reader));
	channel_emit(channel, greeting);
	mysql->phase = PHASE_LOGIN;
	return !reader.bad;
}

static void add_login(struct mysql *mysql, struct message *request, struct reader *reader)
{
	uint32_t capabilities = mysql->capabilities;

	reader_take(reader, 4 + 1 + 23);
	message_add(request, ATTR_USER, reader_string(reader));
	if (capabilities & CAPABILITY_LONG_AUTH)
		mysql_string(reader);
	else if (capabilities & CAPABILITY_SECURE)
		reader_take(reader, reader_u8(reader));
	else
		reader_string(reader);
	if (capabilities & CAPABILITY_WITH_DB)
		message_add(request, ATTR_DATABASE, reader_string(reader));
	if (capabilities & CAPABILITY_PLUGIN_AUTH)
		message_add_pair(request, ATTR_PARAMETER, SPAN("auth_plugin"),
				 reader_string(reader));
	if (capabilities & (CAPABILITY_COMPRESS | CAPABILITY_ZSTD))
		message_add_text(request, ATTR_FLAG, "compressed");
}

static bool take_login(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;
	struct reader reader = reader_of(packet->payload);
	struct message *request = channel_message(channel, MESSAGE_REQUEST, packet->dir);

	mysql->capabilities = (uint32_t)reader_le(&reader, 4);
	mysql->known = true;
	channel_note(channel, request, packet->whole);
	/* A request for TLS is the same as far as it goes. */
	if (packet->full == 32 && (mysql->capabilities & CAPABILITY_TLS)) {
		request->kind = MESSAGE_ONEWAY;
		message_add_text(request, ATTR_COMMAND, "SSLRequest");
		channel_emit(channel, request);
		channel_switch(channel, &decoder_tls);
		return true;
	}
	message_add_text(request, ATTR_COMMAND, "Login");
	if (mysql->capabilities & CAPABILITY_PROTOCOL_41)
		add_login(mysql, request, &reader);
	mysql_end(channel, "another login came before the answer");
	mysql->exchange = channel_exchange(channel);
	channel_request(mysql->exchange, request);
	channel_emit(channel, request);
	mysql->phase = PHASE_AUTH;
	return true;
}

/* The server's part of a login: OK, an error, or something for the plugins to talk about. */
static ssize_t take_auth(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;
	struct reader reader = reader_of(packet->payload);
	uint8_t head = reader_u8(&reader);
	struct message *response = mysql_response(channel, packet);

	if (reader.bad)
		return channel_give_up(channel, packet->dir, bad_packet);
	if (head == 0xfe)
		message_add_pair(response, ATTR_PARAMETER, SPAN("auth_plugin"),
				 reader_string(&reader));
	if (head && head != 0xff)
		return 0;
	if (head)
		mysql_add_error(mysql, response, &reader);
	else
		mysql_add_ok(mysql, response, &reader);
	mysql->phase = PHASE_COMMAND;
	mysql_end(channel, NULL);
	if (!head && (mysql->capabilities & (CAPABILITY_COMPRESS | CAPABILITY_ZSTD)))
		return channel_give_up(channel, packet->dir, compressed);
	return 0;
}

static ssize_t take_packet(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;
	bool client = (int)packet->dir == channel->client, good;

	/* In mid-connection of something else, after which this began. */
	if (!client && !channel->fresh && mysql->expect == EXPECT_NOTHING && !packet->sequence &&
	    sniff_greeting(packet->whole) == SNIFF_YES)
		mysql->phase = PHASE_GREETING;
	if (mysql->phase == PHASE_AUTH)
		return client ? 0 : take_auth(channel, packet);
	if (client && mysql->sends_file)
		good = mysql_file(channel, packet);
	else if (mysql->phase == PHASE_COMMAND)
		good = client ? mysql_command(channel, packet) : mysql_result(channel, packet);
	else
		good = client ? take_login(channel, packet)
			      : mysql->phase == PHASE_GREETING && take_greeting(channel, packet);
	return good ? 0 : channel_give_up(channel, packet->dir, bad_packet);
}

/* One side may be ahead in what was recorded: a client that does not wait, calls that overlap. */
static bool must_wait(const struct channel *channel, enum event_dir dir)
{
	const struct mysql *mysql = channel->state;
	bool client = (int)dir == channel->client;

	if (mysql->phase != PHASE_COMMAND || channel_is_pressed(channel, dir))
		return false;
	return client ? mysql->exchange && !mysql->sends_file
		      : channel->fresh && (!mysql->exchange || mysql->sends_file);
}

static ssize_t mysql_feed(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct mysql *mysql = channel->state;
	struct mysql_packet packet = { .dir = dir };
	struct reader reader = reader_of(bytes);
	uint32_t len, kept;
	ssize_t result = 0;

	if (mysql->skip[dir]) {
		size_t n = mysql->skip[dir] < bytes.len ? (size_t)mysql->skip[dir] : bytes.len;

		mysql->skip[dir] -= n;
		return (ssize_t)n;
	}
	if (must_wait(channel, dir))
		return 0;
	len = (uint32_t)reader_le(&reader, 3);
	packet.sequence = reader_u8(&reader);
	kept = mysql->goes_on[dir] ? 0 : len < FRAME_KEPT ? len : FRAME_KEPT;
	if (reader.bad || bytes.len < PACKET_HEAD + kept) {
		channel_want(channel, dir, PACKET_HEAD + kept);
		return 0;
	}
	packet.whole = span_cut(bytes, 0, PACKET_HEAD + kept);
	packet.payload = span_cut(packet.whole, PACKET_HEAD, kept);
	packet.full = len;
	if (!mysql->goes_on[dir])
		result = take_packet(channel, &packet);
	mysql->goes_on[dir] = len == PACKET_MAX;
	mysql->skip[dir] = len - kept;
	return result < 0 ? result : (ssize_t)(PACKET_HEAD + kept);
}

static void mysql_open(struct channel *channel)
{
	struct mysql *mysql = channel->state;

	if (!channel->fresh)
		mysql->phase = PHASE_COMMAND;
	if (channel->client < 0)
		channel->client = DIR_OUT;
}

static bool mysql_gap(struct channel *channel, enum event_dir dir, uint64_t len)
{
	struct mysql *mysql = channel->state;

	if (!len || len > mysql->skip[dir])
		return false;
	mysql->skip[dir] -= len;
	return true;
}

static void mysql_close(struct channel *channel, const char *why)
{
	struct mysql *mysql = channel->state;

	if (mysql->file) {
		message_cut(mysql->file, why);
		channel_emit(channel, mysql->file);
		mysql->file = NULL;
	}
	mysql_end(channel, why);
}

static void mysql_done(struct channel *channel)
{
	struct mysql *mysql = channel->state;

	MAP_FOR_EACH(node, &mysql->statements)
		mysql_statement_free(map_value(node));
	map_done(&mysql->statements);
	mysql_statement_free(mysql->preparing);
	buf_done(&mysql->json);
}

const struct decoder decoder_mysql = {
	.name = "mysql",
	.protocol = PROTOCOL_MYSQL,
	.sniff = mysql_sniff,
	.state_size = sizeof(struct mysql),
	.open = mysql_open,
	.done = mysql_done,
	.feed = mysql_feed,
	.gap = mysql_gap,
	.close = mysql_close,
};
