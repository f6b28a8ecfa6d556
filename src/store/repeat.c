#include "store/repeat.h"

#include "base/addr.h"
#include "base/hash.h"
#include "base/own.h"
#include "store/item.h"

#include <string.h>

/* A power of two; a call that is like none of these is encoded anew. */
#define KNOWN 1024U

#define CALL_MAX 64U

/* What calls that are alike have in common, and its bytes. */
struct known {
	int32_t pid, tid;
	char comm[EVENT_COMM_MAX];
	char call[CALL_MAX];
	struct event_data data; /* but for what its pointers point to */
	struct encode_form form;
};

struct repeat {
	struct known *known[KNOWN];
};

struct repeat *repeat_new(void)
{
	return own_zalloc(sizeof(struct repeat));
}

void repeat_free(struct repeat *repeat)
{
	for (size_t i = 0; i < KNOWN; i++) {
		if (repeat->known[i])
			buf_done(&repeat->known[i]->form.bytes);
		free(repeat->known[i]);
	}
	free(repeat);
}

/* A call that has nothing of its own but what varies. */
static bool is_plain(const struct event *event, const struct encode_options *options)
{
	const struct event_data *data = &event->data;

	return event->type == EVENT_DATA && !options->tagged && !data->error && !data->full &&
	       data->captured == data->len && !data->fd_count && !data->has_cred && !data->path &&
	       !data->stack && strlen(data->call) < CALL_MAX;
}

static bool is_alike(const struct known *known, const struct event *event)
{
	const struct event_data *a = &known->data, *b = &event->data;

	return known->pid == event->pid && known->tid == event->tid &&
	       !strcmp(known->comm, event->comm) && a->fd == b->fd && a->conn == b->conn &&
	       a->proto == b->proto && a->dir == b->dir && a->layer == b->layer &&
	       a->flags == b->flags && !strcmp(known->call, b->call) &&
	       addr_equal(&a->local, &b->local) && addr_equal(&a->remote, &b->remote);
}

static struct known **place(struct repeat *repeat, const struct event *event)
{
	uint64_t mixed = event->data.conn << 3 ^ (uint64_t)event->tid << 1 ^ event->data.dir;

	return &repeat->known[hash_u64(mixed) & (KNOWN - 1)];
}

static void remember(struct known *known, const struct event *event)
{
	known->pid = event->pid;
	known->tid = event->tid;
	memcpy(known->comm, event->comm, sizeof(known->comm));
	strcpy(known->call, event->data.call);
	known->data = event->data;
	encode_form(&known->form, event);
}

static void add_known(struct buf *buf, const struct known *known, const struct event *event)
{
	const struct encode_form *form = &known->form;
	size_t done = 0;

	buf_reserve(buf, form->bytes.len + form->count * ITEM_HEAD_MAX);
	for (size_t i = 0; i < form->count; i++) {
		buf_add(buf, form->bytes.data + done, form->gaps[i].at - done);
		encode_value(buf, form->gaps[i].field, event);
		done = form->gaps[i].at;
	}
	buf_add(buf, form->bytes.data + done, form->bytes.len - done);
}

void repeat_event(struct repeat *repeat, struct buf *buf, const struct event *event,
		  const struct encode_options *options)
{
	struct known **known = place(repeat, event);

	if (!is_plain(event, options)) {
		encode_event(buf, event, options);
		return;
	}
	if (!*known)
		*known = own_zalloc(sizeof(**known));
	if (!(*known)->form.count || !is_alike(*known, event))
		remember(*known, event);
	add_known(buf, *known, event);
}
