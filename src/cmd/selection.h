/* The options that choose among events; live and when a capture is shown. */
#ifndef CMD_SELECTION_H
#define CMD_SELECTION_H

#include "cmd/opt.h"
#include "sink/select.h"
#include "view/pick.h"

struct selection_settings {
	struct opt_list pid, comm, fd, port, peer, dir, layer, size, match; /* events */
	struct opt_list method, url, status, host, sql;                     /* messages */
};

extern const struct opt_row selection_options[];
extern const struct opt_row picking_options[];

/* The caller's, or NULL after a message. */
struct selection *selection_make(const struct selection_settings *settings);
/* Which messages are kept: the caller's, or NULL after a message. */
struct picking *picking_make(const struct selection_settings *settings);

void selection_settings_done(struct selection_settings *settings);

#endif
