/* One connection of a run, as gather.c collects it and sections.c makes units of it. */
#ifndef GOLDEN_TALK_H
#define GOLDEN_TALK_H

#include "base/map.h"
#include "decode/decode.h"
#include "golden/gather.h"
#include "golden/render.h"
#include "stream/stream.h"

struct talk {
	struct message_sink sink;
	struct gather *gather;
	struct decode *decode;
	struct conversation *conversation;
	enum event_proto proto;
	enum stream_role role;
	struct addr local, remote;
	char comm[EVENT_COMM_MAX];
	int32_t pid, tid;
	bool many_threads;
	uint64_t first, last;
	bool tls;           /* a handshake was seen */
	bool plain;         /* and what was said within */
	struct span unread; /* what TLS's decoder says of bytes that it could not read */
	bool attempted;     /* it connected or was accepted, or bytes were moved */
	bool other_end;     /* of a connection whose connecting end was seen as well: left out */
	enum protocol protocol; /* of the first message that is not TLS's */
	bool spoke;             /* there was one */
	struct span sni, host;  /* kept by the messages or `names` */
	struct arena names;
	struct item *items;
	size_t count, room;
	struct map by_exchange; /* number to place in items, plus 1 */
	bool any;               /* set by sections.c: exchanges overlap */
};

struct gather {
	struct sink sink;
	struct gather_options options;
	struct streams *streams;
	struct talk **talks;
	size_t count, room;
	struct map comms;   /* pid to char *: the process's name */
	struct span *hosts; /* of DNS answers: address, name, … */
	size_t host_count;
	struct arena names;
	size_t kept;
	int32_t main_pid;
	bool main_ended;
	bool ended; /* the last event was seen */
	enum ended how;
	int status;
	char **reasons;
	size_t reason_count;
};

/* Puts the talks into the model's sections. */
void sections_add(struct gather *gather, struct model *model, struct scan *scan);

#endif
