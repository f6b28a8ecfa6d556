/* The formats that events can be written in: one row each, by name and by suffix. */
#ifndef SINK_FORMAT_H
#define SINK_FORMAT_H

#include "event/sink.h"
#include "sink/out.h"

struct format_options {
	bool color;
	bool relative;   /* text: times since the first event */
	uint64_t rotate; /* iot: bytes of a part; 0: one file */
	bool pcap_plain; /* pcapng: the plaintext layer instead of the wire's */
	bool pcap_raw;   /* pcapng: IP packets without the process */
};

struct format {
	const char *name;
	const char *suffix; /* of file names, with the dot; NULL: none */
	const char *help;
	bool binary; /* nothing for a terminal */
	/* The sink owns out and closes it in finish, whose result is out_close's. */
	struct sink *(*open)(struct out *out, const struct format_options *options);
};

/* All formats; the last has no name. */
extern const struct format formats[];

const struct format *format_by_name(const char *name);
/* NULL where the file's suffix says nothing. One of ".zst" behind it is not looked at. */
const struct format *format_by_suffix(const char *file);

/* True where the name says that the file is compressed. */
bool format_is_compressed(const char *file);

struct sink *text_new(struct out *out, const struct format_options *options);
struct sink *hex_new(struct out *out, const struct format_options *options);
struct sink *jsonl_new(struct out *out, const struct format_options *options);
struct sink *iot_new(struct out *out, const struct format_options *options);
struct sink *pcapng_new(struct out *out, const struct format_options *options);
struct sink *summary_new(struct out *out, const struct format_options *options);
struct sink *summary_json_new(struct out *out, const struct format_options *options);

#endif
