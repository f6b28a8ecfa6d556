/*
 * Keeps the exchanges that the user asked for, with their messages. What belongs to none, and connections,
 * are left out where anything was asked for.
 */
#ifndef VIEW_PICK_H
#define VIEW_PICK_H

#include "event/message_sink.h"

#include <stdbool.h>

struct picking;

/* An empty one keeps everything. */
struct picking *picking_new(void);
void picking_free(struct picking *picking);

/*
 * Adds one criterion by its name: method, url, status, host, sql. Several of one name: one of them must
 * hold; of different names: all must. False where the value makes no sense.
 */
bool picking_add(struct picking *picking, const char *name, const char *value);

bool picking_is_empty(const struct picking *picking);
bool picking_keeps(const struct picking *picking, const struct exchange *exchange);

/*
 * Borrows the picking, owns the next one. Messages are held until their exchange is complete: PICK_HELD_MAX
 * exchanges and PICK_BYTES_MAX of content, beyond which those of the oldest are left out.
 */
struct message_sink *pick_new(const struct picking *picking, struct message_sink *next);

#define PICK_HELD_MAX  16384U
#define PICK_BYTES_MAX (256U << 20)

#endif
