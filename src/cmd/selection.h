/* The options that choose among events; live and when a capture is shown. */
#ifndef CMD_SELECTION_H
#define CMD_SELECTION_H

#include "cmd/opt.h"
#include "sink/select.h"

struct selection_settings {
	struct opt_list pid, comm, fd, port, peer, dir, layer, size, match;
};

extern const struct opt_row selection_options[];

/* The caller's, or NULL after a message. */
struct selection *selection_make(const struct selection_settings *settings);
void selection_settings_done(struct selection_settings *settings);

#endif
