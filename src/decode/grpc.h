/* gRPC on HTTP/2: messages behind a flag and a length within a stream's data. */
#ifndef DECODE_GRPC_H
#define DECODE_GRPC_H

#include "decode/channel.h"

#define GRPC_HEAD 5

/* One direction of a call. */
struct grpc {
	uint8_t head[GRPC_HEAD];
	size_t head_len;
	uint64_t left;
	struct message *message; /* that is coming in; NULL: none */
	bool lost;               /* nobody knows where the next one begins */
};

/* True where content-type says so. */
bool grpc_is(const struct message *message);

/* Adds service and rpc, as the path "/package.Service/Method" names them. */
void grpc_name(struct message *message, struct span path);

/* Data of the call whose request or response is `around`. */
void grpc_data(struct channel *channel, struct grpc *grpc, struct exchange *exchange,
	       const struct message *around, struct span data);
void grpc_lost(struct channel *channel, struct grpc *grpc, uint64_t len);

/* Adds the status, from trailers or headers, to the response. */
void grpc_add_status(struct message *response);

/* Emits what is open as incomplete. */
void grpc_close(struct channel *channel, struct grpc *grpc, const char *why);

#endif
