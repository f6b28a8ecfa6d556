/*
 * Keeps the events that the user asked for. pid and comm choose among all events, fd, port and peer
 * among those of sockets and data, the rest among data only; the first and the last event always stay.
 */
#ifndef SINK_SELECT_H
#define SINK_SELECT_H

#include "event/sink.h"

#include <stddef.h>

struct selection;

/* An empty selection keeps everything. */
struct selection *selection_new(void);
void selection_free(struct selection *selection);

/*
 * Adds one criterion by its name: pid, comm, fd, port, peer, dir, layer, size, match. Several of one
 * name: one of them must hold; of different names: all must. False where the value makes no sense.
 */
bool selection_add(struct selection *selection, const char *name, const char *value);

/* True where it chooses among the calls of one connection: dir, size, match. */
bool selection_chooses_calls(const struct selection *selection);

bool selection_is_empty(const struct selection *selection);
bool selection_keeps(const struct selection *selection, const struct event *event);

/* Owns the selection and the next sink. */
struct sink *select_new(struct selection *selection, struct sink *next);

#endif
