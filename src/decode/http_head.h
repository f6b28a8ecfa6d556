/* Start lines and headers of HTTP/1 (RFC 9112), and what HTTP of any version makes of them. */
#ifndef DECODE_HTTP_HEAD_H
#define DECODE_HTTP_HEAD_H

#include "decode/channel.h"

/* "GET /path HTTP/1.1", without the line's end. False where it is none. */
struct http_request_line {
	struct span method, target, version;
};
bool http_request_line(struct span line, struct http_request_line *ret_line);

/* "HTTP/1.1 200 OK". */
struct http_status_line {
	struct span version, reason;
	uint64_t status;
};
bool http_status_line(struct span line, struct http_status_line *ret_line);

/* Takes the first line off the bytes, without CR and LF. False where there is none yet. */
bool http_take_line(struct span *bytes, struct span *ret_line);

/*
 * Length of the bytes up to and with the first empty line, 0 where there is none yet. *scanned, 0 at
 * first, remembers from where to go on.
 */
size_t http_head_length(struct span bytes, size_t *scanned);

/* Adds the lines to the message as pairs of that key; folded lines are joined by a space. */
void http_add_headers(struct message *message, enum attr_key key, struct span lines);

/* True where the comma-separated header has the token, in any case. */
bool http_header_has(const struct message *message, const char *name, const char *token);

/* Adds host and url: the host as the request names it, else the address of the server's end. */
void http_add_url(struct channel *channel, struct message *request, struct span host,
		  struct span scheme, struct span target);

/* Puts content-encoding down to the body. */
void http_set_coding(struct message *message);

#endif
