/* What a format is, and those that write events as they are; the table of all is view/format.h. */
#ifndef SINK_FORMAT_H
#define SINK_FORMAT_H

#include "event/sink.h"
#include "sink/out.h"

struct decode_as;
struct picking;

struct format_options {
	bool color;
	bool relative;              /* text: times since the first event */
	int level;                  /* text: enum level of view/view.h */
	unsigned int columns;       /* text: width of the terminal; 0: it is none */
	const struct decode_as *as; /* messages: protocols by port; borrowed */
	size_t as_count;
	const struct picking *picking; /* messages: which are kept; NULL: all; borrowed */
	bool redact;                   /* messages: secrets are taken out */
	/* What the user should know, at the end; text is valid during the call. NULL: nobody asks. */
	void (*tell)(void *ctx, const char *text);
	void *tell_ctx;
	uint64_t rotate; /* iot: bytes of a part; 0: one file */
	bool pcap_plain; /* pcapng: the plaintext layer instead of the wire's */
	bool pcap_raw;   /* pcapng: IP packets without the process */
};

struct format {
	const char *name;
	const char *suffix; /* of file names, with the dot; NULL: none */
	const char *help;
	bool binary;   /* nothing for a terminal */
	bool messages; /* shows messages, not events */
	bool redacts;  /* takes secrets out where nobody says otherwise */
	/* The sink owns out and closes it in finish, whose result is out_close's. */
	struct sink *(*open)(struct out *out, const struct format_options *options);
};

/* Every call, payload as text where it is text. */
struct sink *text_new(struct out *out, const struct format_options *options);
struct sink *hex_new(struct out *out, const struct format_options *options);
struct sink *jsonl_new(struct out *out, const struct format_options *options);
struct sink *iot_new(struct out *out, const struct format_options *options);
struct sink *pcapng_new(struct out *out, const struct format_options *options);
struct sink *summary_new(struct out *out, const struct format_options *options);
struct sink *summary_json_new(struct out *out, const struct format_options *options);

#endif
