/*
 * Connections as text, for tests of the decoders: what was said by whom, event by event. The form, a
 * line each, is that of the files in tests/golden/streams:
 *
 *	# a comment
 *	conn tcp 127.0.0.1:50000 127.0.0.1:80 fresh out     the client speaks out, in, or unknown
 *	> 7 1000 "GET / HTTP/1.1\r\n"                       sent: seq, nanoseconds, bytes as in C
 *		"\r\n"                                        more of the same
 *	< 8 2000 "HTTP/1.1 200 OK\r\n\r\n"                  received
 *	>p 9 3000 "..."                                     plain, above TLS; k: by kernel TLS
 *	gap < 100                                           bytes that are missing
 *	end <                                               that direction has ended
 */
#ifndef UNIT_RECORDED_H
#define UNIT_RECORDED_H

#include "decode/decode.h"

struct recorded;

struct recorded *recorded_parse(const char *text);
void recorded_free(struct recorded *recorded);

/* Into how many bytes each event's are cut. */
enum recorded_cut {
	CUT_NOT,
	CUT_BYTES,
	CUT_RANDOM,
	/* Each byte is an event of its own; seqs and times are left out of the outcome. */
	CUT_EVENTS,
	CUT_NOT_TIMELESS, /* to compare with that */
};

/* Decodes it; the messages and exchanges as JSON Lines, the caller's. */
char *recorded_decode(const struct recorded *recorded, enum recorded_cut cut, uint64_t seed,
		      const struct decode_options *options);

/* The same cut in all ways; the outcome must be the same. Returns that of CUT_NOT. */
char *recorded_decode_all(const struct recorded *recorded, const struct decode_options *options,
			  const char *what);

/* For fuzzing: decodes bytes that are a script of pieces; aborts where cuts make a difference. */
int recorded_fuzz(const uint8_t *data, size_t len, const char *protocol);

#endif
