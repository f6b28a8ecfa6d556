/* What messages say, in a few words on one line: a row for each protocol, in phrase.c. */
#ifndef VIEW_PHRASE_H
#define VIEW_PHRASE_H

#include "event/message.h"

/* `GET http://host/path`, `SELECT 1`, `A example.com`; of a message that is no request: what it is. */
void phrase_message(struct buf *buf, const struct message *message);

/* `200 OK`, `3 rows`, `NOERROR 192.0.2.1`; "no answer" or why where there is no response. */
void phrase_result(struct buf *buf, const struct exchange *exchange);

/* The body itself where that is short text and takes the place of a document; false: it does not. */
bool phrase_add_content(struct buf *buf, const struct message *message);

/* True where the answer is one of failure, or there is none. */
bool phrase_is_failure(const struct exchange *exchange);

/* What one knows the protocol as: `HTTP`, `gRPC`. */
extern const char *const phrase_protocols[PROTOCOLS];

/* A value on one line: escaped, runs of white space as one blank, cut with "…" after max bytes. */
void phrase_add_value(struct buf *buf, struct span value, size_t max);

/* "26 B", "1.2 kB" (1000); "2.41 ms". */
void phrase_add_size(struct buf *buf, uint64_t bytes);
void phrase_add_time(struct buf *buf, uint64_t ns);

/* The length of a body, with that on the wire where it is encoded: "1.2 kB gzip". */
void phrase_add_body(struct buf *buf, const struct body *body);

#endif
