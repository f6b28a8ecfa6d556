/* CBOR items (RFC 8949): adding them to a buffer, and reading their heads. */
#ifndef STORE_ITEM_H
#define STORE_ITEM_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void item_add_uint(struct buf *buf, uint64_t value);
void item_add_int(struct buf *buf, int64_t value);
void item_add_text(struct buf *buf, const char *text, size_t len);
void item_add_bytes(struct buf *buf, const void *data, size_t len);
/* The bytes themselves follow. */
void item_add_bytes_head(struct buf *buf, size_t len);
void item_add_list(struct buf *buf, size_t count);
void item_add_tag(struct buf *buf, uint64_t tag);

/* A map whose size is not known yet: what map_begin returns goes to map_end. Up to 255 members. */
size_t item_map_begin(struct buf *buf);
void item_map_end(struct buf *buf, size_t begun, size_t members);

enum item_kind {
	ITEM_UINT,
	ITEM_NEGATIVE, /* its value is -1 - number */
	ITEM_BYTES,
	ITEM_TEXT,
	ITEM_LIST,
	ITEM_MAP,
	ITEM_TAG,
	ITEM_OTHER, /* floats, true, false, null, undefined */
	ITEM_BREAK, /* ends what is indefinite */
};

/* An item without its content. */
struct item {
	enum item_kind kind;
	bool indefinite;
	uint64_t number; /* the value, the tag, or how many bytes or members follow */
	size_t len;      /* of the head itself */
};

/* Length of the head that this byte begins, at most ITEM_HEAD_MAX. */
#define ITEM_HEAD_MAX 9
size_t item_head_len(uint8_t first);

/* 0; -ENODATA where more bytes are needed, -EBADMSG where they are no item's. */
int item_read(const uint8_t *data, size_t len, struct item *ret_item);

#endif
