/*
 * The native capture, `.iot`: a CBOR sequence (RFC 8742) of maps, one an event, with the keys of the
 * public form (docs/events.md) and `type` as the first. docs/capture-format.md has its CDDL.
 *
 * What differs from JSON Lines: the payload is a byte string under `payload`, the last key; an
 * address is [bytes, port] or [bytes, port, scope], a local socket's a byte string: its path, NUL
 * and the abstract name, or empty. An `iotrace` event that begins a further part of a rotated
 * capture has `part`, its number. Besides events there is {"type": "next", "file": name}, the last
 * map of a part, which names the following one in the same directory.
 */
#ifndef IOTRACE_CAPTURE_H
#define IOTRACE_CAPTURE_H

/* "Self-described CBOR" (RFC 8949, 3.4.6): what a file's first map is wrapped in. */
#define CAPTURE_TAG       55799
#define CAPTURE_TAG_BYTES "\xd9\xd9\xf7"

#define CAPTURE_TYPE_KEY  "type"
#define CAPTURE_PART_KEY  "part"
#define CAPTURE_NEXT_TYPE "next"
#define CAPTURE_FILE_KEY  "file"

/* Bytes of an event without its payload; a reader need not take more. */
#define CAPTURE_EVENT_MAX (4U << 20)

/* Maps and lists within each other. */
#define CAPTURE_DEPTH_MAX 16

#endif
