/* The agent as it is put into processes, and the addresses of its parts. */
#ifndef TAP_AGENT_BLOB_H
#define TAP_AGENT_BLOB_H

#include <agent_symbols.h> /* made from the agent by symbols.sh */

#include <stddef.h>
#include <stdint.h>

extern const uint8_t agent_blob[], agent_blob_end[];

static inline size_t agent_blob_size(void)
{
	return (size_t)(agent_blob_end - agent_blob);
}

#endif
