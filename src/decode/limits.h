/*
 * What a connection may cost while it is decoded, whatever it sends. Together, per layer of a
 * connection (wire, plain): 2 * HELD_MAX for bytes that are waited with, KEPT_MAX for bodies of
 * messages that are not complete yet, PENDING_MAX exchanges of at most ATTRS_MAX, and the state of
 * one decoder (HTTP/2: HTTP2_STREAMS_MAX streams and two HPACK tables; WebSocket: two windows of 32 KiB).
 */
#ifndef DECODE_LIMITS_H
#define DECODE_LIMITS_H

/* Bytes of one direction that wait for what makes them a whole: a head, a frame, a line. */
#define HELD_MAX (1U << 20)

/* A protocol that is not recognised by so many first bytes of a direction is not one of ours. */
#define SNIFF_MAX (16U << 10)

/* Marks of events on held bytes; beyond, bytes are put down to the event before. */
#define MARKS_MAX 1024U

/* Fields of one message: names and values. */
#define ATTRS_MAX (256U << 10)

/* A start line and headers, and one line of a protocol of lines. */
#define HEAD_MAX (256U << 10)
#define LINE_MAX (64U << 10)

/* The beginning of a frame that is looked at; the rest is skipped. */
#define FRAME_KEPT (64U << 10)

/* A single value (argument, row, parameter) as it is kept in a message. */
#define VALUE_MAX (16U << 10)

/* Bodies of all messages of a layer that are not complete yet, or whose exchanges are not. */
#define KEPT_MAX (64U << 20)

/* Requests without their answers; the oldest is given up for one more. */
#define PENDING_MAX 4096U

/* HTTP/2 streams that are open at the same time; the oldest is given up for one more. */
#define HTTP2_STREAMS_MAX 1024U

/* Prepared statements whose texts are remembered, and the length of such a text. */
#define STATEMENTS_MAX 512U
#define STATEMENT_MAX  (16U << 10)

/* Replies within replies (Redis), messages within messages (protobuf). */
#define NESTING_MAX 32U

/* A piece of a turn of bytes that nobody understood. */
#define DATA_PIECE (64U << 10)

/*
 * Against bombs: content that is decoded may be so many times as long as it was sent, once it is
 * longer than the grace. Its length is bounded besides by decode_options.body_max.
 */
#define CODING_RATIO 200U
#define CODING_GRACE (1U << 20)
#define CODINGS_MAX  4U

/* Who keeps less of a body does not want to read it: it is not decoded. */
#define CODING_WORTH 1024U

#endif
