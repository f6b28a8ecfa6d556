/*
 * Which decoder a channel has, and when it is asked. Bytes are shown to it event by event, in the order
 * in which they came, also those that were held while the protocol was being recognised: that is what
 * makes the outcome independent of cuts.
 */
#include "decode/channel.h"

#include "base/addr.h"
#include "base/own.h"
#include "decode/conversation.h"
#include "decode/limits.h"

#include <errno.h>
#include <string.h>

static const char too_much[] = "there is no end to what should be one piece";
static const char lost[] = "bytes were lost";

static struct span shown(const struct channel *channel, enum event_dir dir)
{
	return span_of(channel->sides[dir].window.data, channel->sides[dir].shown);
}

/* All that is held is to be shown again, to another decoder. */
static void replay(struct channel *channel)
{
	channel->sides[DIR_OUT].shown = channel->sides[DIR_IN].shown = 0;
	channel->sides[DIR_OUT].want = channel->sides[DIR_IN].want = 0;
	channel->started = false;
}

static void release(struct channel *channel)
{
	if (channel->decoder && channel->decoder->done)
		channel->decoder->done(channel);
	free(channel->state);
	channel->state = NULL;
	channel->decoder = NULL;
}

static void take(struct channel *channel, const struct decoder *decoder)
{
	channel->decoder = decoder;
	channel->state = own_zalloc(decoder->state_size);
	channel->sides[DIR_OUT].end_told = channel->sides[DIR_IN].end_told = false;
	if (decoder->open)
		decoder->open(channel);
	exchange_unref(channel->inherited);
	channel->inherited = NULL;
}

/* Ends what the decoder has open; bytes that it has not consumed stay. */
static void shut(struct channel *channel, const char *why)
{
	if (channel->decoder && channel->decoder->close)
		channel->decoder->close(channel, why);
	release(channel);
}

/* To be recognised: by what both sides say first, or by the next turn. */
static void begin_recognition(struct channel *channel, bool in_turn)
{
	channel->in_turn = in_turn;
	channel->fresh = !in_turn;
	replay(channel);
}

static enum sniffed ask_all(const struct channel *channel, const struct sniff *sniff,
			    const struct decoder **ret_decoder, int *ret_client)
{
	const struct decoder *forced = channel->forced;
	enum sniffed sniffed;

	for (size_t i = 0; decoders[i]; i++) {
		const struct decoder *decoder = decoders[i];

		if (!decoder->sniff || (forced && decoder != &decoder_tls))
			continue;
		sniffed = decoder->sniff(sniff, ret_client);
		*ret_decoder = decoder;
		if (sniffed != SNIFF_NO)
			return sniffed;
	}
	*ret_decoder = forced;
	return forced ? SNIFF_YES : SNIFF_NO;
}

/* Tries to find a decoder for what is shown. True if there is one now, data at the least. */
static bool recognise(struct channel *channel, enum event_dir dir)
{
	struct sniff sniff = { .fresh = channel->fresh, .datagram = channel->datagram };
	const struct decoder *decoder = NULL;
	enum sniffed sniffed;
	int client = channel->client;

	sniff.said[dir] = shown(channel, dir);
	if (!channel->in_turn)
		sniff.said[!dir] = shown(channel, !dir);
	sniffed = ask_all(channel, &sniff, &decoder, &client);
	if (sniffed == SNIFF_MORE) {
		if (sniff.said[DIR_OUT].len < SNIFF_MAX && sniff.said[DIR_IN].len < SNIFF_MAX &&
		    !channel->datagram)
			return false;
		sniffed = SNIFF_NO;
	}
	if (sniffed == SNIFF_NO && !channel->in_turn) {
		begin_recognition(channel, true);
		return true;
	}
	if (sniffed == SNIFF_YES)
		channel->client = client;
	replay(channel);
	take(channel, sniffed == SNIFF_YES ? decoder : &decoder_data);
	return true;
}

static void give_up(struct channel *channel, enum event_dir dir)
{
	const char *why = channel->why;

	channel->gave_up = true;
	channel_tell(channel, dir, why);
	shut(channel, why);
	replay(channel);
	take(channel, &decoder_data);
}

static void switch_over(struct channel *channel)
{
	channel->switching = false;
	shut(channel, "the protocol was changed");
	channel->forced = NULL;
	if (channel->next) {
		channel->fresh = true;
		replay(channel);
		take(channel, channel->next);
	} else {
		begin_recognition(channel, false);
	}
}

/* Asks the decoder once. How many bytes it took, or -EBADMSG if there is another decoder now. */
static ssize_t feed_once(struct channel *channel, enum event_dir dir)
{
	struct side *side = &channel->sides[dir];
	ssize_t n = 0;

	if (side->shown && side->shown >= side->want) {
		side->want = 0;
		n = channel->decoder->feed(channel, dir, shown(channel, dir));
		if (!n && side->window.len > HELD_MAX)
			n = channel_give_up(channel, dir, too_much);
	}
	if (n > 0)
		side_consume(side, (size_t)n);
	if (n < 0) {
		give_up(channel, dir);
		return n;
	}
	if (channel->switching) {
		switch_over(channel);
		return -EBADMSG;
	}
	if (side->ended && !side->window.len && !side->end_told) {
		side->end_told = true;
		if (channel->decoder->end)
			channel->decoder->end(channel, dir);
	}
	return n;
}

/* Feeds one side as long as it takes something. False if there is another decoder now. */
static bool feed_side(struct channel *channel, enum event_dir dir)
{
	ssize_t n;

	do
		n = feed_once(channel, dir);
	while (n > 0);
	return !n;
}

/*
 * Feeds the side that has got something; after each whole that it took the other side may go on, which
 * may have waited for that. So the order is that of bytes that come singly.
 */
static void feed_both(struct channel *channel, enum event_dir dir)
{
	ssize_t n;

	do {
		n = feed_once(channel, dir);
		if (n >= 0 && !feed_side(channel, !dir))
			return;
	} while (n > 0);
}

/* What was said in the turn that ends is data if nobody knows it; the next one is looked at anew. */
static void end_turn(struct channel *channel)
{
	enum event_dir before = channel->turn;

	if (!channel->decoder) {
		if (!channel->in_turn)
			return;
		take(channel, &decoder_data);
		feed_side(channel, before);
	}
	if (channel->decoder == &decoder_data && !channel->gave_up) {
		shut(channel, NULL);
		channel->in_turn = true;
		channel->fresh = false;
	}
}

/* Shows the next event's bytes. False if all is shown. */
static bool show_next(struct channel *channel, enum event_dir *ret_dir)
{
	uint64_t best = UINT64_MAX, seq;
	size_t run = 0, len;
	enum event_dir dir = DIR_OUT;

	for (int i = 0; i < DIRS; i++) {
		const struct side *side = &channel->sides[i];

		if (side->shown == side->window.len)
			continue;
		seq = side_seq(side, side->shown, &len);
		if (seq < best || !run) {
			best = seq;
			run = len;
			dir = (enum event_dir)i;
		}
	}
	if (!run)
		return false;
	if (channel->started && dir != channel->turn)
		end_turn(channel);
	channel->started = true;
	channel->turn = dir;
	channel->sides[dir].shown += run;
	*ret_dir = dir;
	return true;
}

static void show_all(struct channel *channel)
{
	enum event_dir dir;

	while (show_next(channel, &dir)) {
		if (!channel->decoder)
			recognise(channel, dir);
		else
			feed_both(channel, dir);
	}
}

/* One datagram: the decoder takes it whole, or it is data. */
static void show_datagram(struct channel *channel, enum event_dir dir)
{
	struct side *side = &channel->sides[dir];
	struct message *message;
	ssize_t n = -EBADMSG;

	side->shown = side->window.len;
	channel->why = NULL;
	if (!channel->decoder)
		recognise(channel, dir);
	side->shown = side->window.len;
	if (channel->decoder && channel->decoder != &decoder_data)
		n = channel->decoder->feed(channel, dir, side->window);
	else
		release(channel);
	if (n < 0) {
		message = channel_message(channel, MESSAGE_DATA, dir);
		message->protocol = PROTOCOL_DATA;
		channel_body(channel, message, side->window);
		message->body.why = channel->why;
		channel_emit(channel, message);
	}
	side_consume(side, side->window.len);
}

void channel_init(struct channel *channel, struct conversation *conversation,
		  enum event_layer layer, const struct conversation_facts *facts)
{
	*channel = (struct channel){ .conversation = conversation,
				     .layer = layer,
				     .client = facts->client,
				     .datagram = facts->datagram,
				     .fresh = facts->fresh,
				     .in_turn = !facts->fresh };
}

void channel_feed(struct channel *channel, enum event_dir dir, const struct event *event,
		  struct origin *origin, struct span bytes)
{
	side_add(&channel->sides[dir], event, origin, bytes);
	/* It had not ended after all. */
	channel->sides[dir].ended = channel->sides[dir].end_told = false;
	if (channel->datagram) {
		show_datagram(channel, dir);
	} else if (bytes.len) {
		show_all(channel);
		side_keep(&channel->sides[dir]);
		side_keep(&channel->sides[!dir]);
	}
}

/* What is held of both sides belongs to something that cannot be had whole any more. */
static void flush_as_data(struct channel *channel)
{
	bool before = channel->gave_up;

	/* So that nobody tries to recognise it. */
	channel->gave_up = true;
	shut(channel, lost);
	replay(channel);
	take(channel, &decoder_data);
	show_all(channel);
	channel->gave_up = before;
}

void channel_gap(struct channel *channel, enum event_dir dir, uint64_t len)
{
	struct side *side = &channel->sides[dir];
	const struct decoder *decoder = channel->decoder;

	if (channel->datagram)
		return;
	if (!decoder || side->window.len || !decoder->gap ||
	    (decoder != &decoder_data && !decoder->gap(channel, dir, len)))
		flush_as_data(channel);
	if (channel->decoder == &decoder_data) {
		decoder_data.gap(channel, dir, len);
		/* Nothing of this direction is a beginning until the other one has spoken. */
		channel->started = true;
		channel->turn = dir;
	}
	side_skip(side, len);
}

/* Something has changed although no bytes have come. */
static void feed_rest(struct channel *channel, enum event_dir dir)
{
	if (!channel->decoder || channel->datagram)
		return;
	feed_both(channel, dir);
	show_all(channel);
}

void channel_end(struct channel *channel, enum event_dir dir)
{
	channel->sides[dir].ended = true;
	feed_rest(channel, dir);
}

void channel_done(struct channel *channel, const char *why)
{
	channel->closing = true;
	feed_rest(channel, channel->turn);
	feed_rest(channel, !channel->turn);
	shut(channel, why);
	if (channel->sides[DIR_OUT].window.len || channel->sides[DIR_IN].window.len)
		flush_as_data(channel);
	shut(channel, why);
	side_done(&channel->sides[DIR_OUT]);
	side_done(&channel->sides[DIR_IN]);
	exchange_unref(channel->inherited);
}
