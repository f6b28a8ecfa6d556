#include "sink/pcap_tls.h"

#include <string.h>

/* Of each side's beginning; a ClientHello with its server name fits nearly always. */
#define HEAD_MAX 4096U

#define RECORD_HANDSHAKE 22
#define CLIENT_HELLO     1
#define SERVER_HELLO     2
#define EXTENSION_NAME   0

/* Record and handshake header, version: the random follows. */
#define RANDOM_AT (5 + 4 + 2)

void pcap_tls_init(struct pcap_tls *tls)
{
	*tls = (struct pcap_tls){ .client = -1, .last = -1 };
}

void pcap_tls_done(struct pcap_tls *tls)
{
	buf_done(&tls->heads[0]);
	buf_done(&tls->heads[1]);
	buf_done(&tls->secrets);
}

/* The side begins with a handshake message of this type. */
static bool says(const struct buf *head, uint8_t type)
{
	const uint8_t *p = (const uint8_t *)head->data;

	return head->len > 5 && p[0] == RECORD_HANDSHAKE && p[1] == 3 && p[5] == type;
}

/* RFC 8446, 4.1.3: a ServerHello that asks for another ClientHello. */
static const uint8_t retry_random[TLS_RANDOM] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
	0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
	0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

static bool is_retry(const struct pcap_tls *tls)
{
	const struct buf *head = &tls->heads[!tls->client];

	return head->len >= RANDOM_AT + TLS_RANDOM && says(head, SERVER_HELLO) &&
	       !memcmp(head->data + RANDOM_AT, retry_random, TLS_RANDOM);
}

static void note_head(struct pcap_tls *tls, int side)
{
	const struct buf *head = &tls->heads[side];

	if (head->data[0] != RECORD_HANDSHAKE || (head->len > 1 && head->data[1] != 3))
		tls->is_none = true;
	if (tls->client < 0 && says(head, CLIENT_HELLO))
		tls->client = side;
	if (tls->client == side && !tls->has_random && head->len >= RANDOM_AT + TLS_RANDOM) {
		memcpy(tls->random, head->data + RANDOM_AT, TLS_RANDOM);
		tls->has_random = true;
	}
}

void pcap_tls_add(struct pcap_tls *tls, int side, const void *data, size_t len)
{
	struct buf *head = &tls->heads[side];

	if (tls->is_none || !len)
		return;
	if (side != tls->last && tls->client >= 0 && side != tls->client)
		tls->turns++;
	tls->last = side;
	if (head->len >= HEAD_MAX)
		return;
	buf_add(head, data, len < HEAD_MAX - head->len ? len : HEAD_MAX - head->len);
	note_head(tls, side);
}

bool pcap_tls_wants_secrets(const struct pcap_tls *tls)
{
	int last = is_retry(tls) ? 2 : 1;

	/* When the server speaks again all secrets have been made. */
	return !tls->is_none && tls->has_random && tls->turns >= 1 && tls->turns <= last &&
	       !pcap_tls_is_complete(tls->labels);
}

/* A cursor on the hello; all reads are bounded by its end. */
struct cursor {
	const uint8_t *at, *end;
};

static bool skip(struct cursor *cursor, size_t len)
{
	if ((size_t)(cursor->end - cursor->at) < len)
		return false;
	cursor->at += len;
	return true;
}

/* A number of that many bytes. */
static bool number(struct cursor *cursor, int bytes, size_t *ret_value)
{
	size_t value = 0;

	if (cursor->end - cursor->at < bytes)
		return false;
	while (bytes--)
		value = value << 8 | *cursor->at++;
	*ret_value = value;
	return true;
}

/* What is behind a length of that many bytes. */
static bool skip_vector(struct cursor *cursor, int bytes)
{
	size_t len;

	return number(cursor, bytes, &len) && skip(cursor, len);
}

/* RFC 6066, 3: a list of names, of which the first is the host's. */
static bool copy_name(struct cursor cursor, char name[TLS_NAME])
{
	size_t list, type, len;

	if (!number(&cursor, 2, &list) || !number(&cursor, 1, &type) || type != 0 ||
	    !number(&cursor, 2, &len) || (size_t)(cursor.end - cursor.at) < len || !len ||
	    len >= TLS_NAME)
		return false;
	for (size_t i = 0; i < len; i++)
		if (cursor.at[i] <= ' ' || cursor.at[i] >= 0x7f)
			return false;
	memcpy(name, cursor.at, len);
	name[len] = '\0';
	return true;
}

bool pcap_tls_name(const struct pcap_tls *tls, char name[TLS_NAME])
{
	const struct buf *head = tls->client >= 0 ? &tls->heads[tls->client] : NULL;
	struct cursor cursor;
	size_t extensions, type, len;

	if (!head || tls->is_none || head->len < RANDOM_AT + TLS_RANDOM)
		return false;
	cursor.at = (const uint8_t *)head->data + RANDOM_AT + TLS_RANDOM;
	cursor.end = (const uint8_t *)head->data + head->len;
	/* Session, cipher suites, compression. */
	if (!skip_vector(&cursor, 1) || !skip_vector(&cursor, 2) || !skip_vector(&cursor, 1) ||
	    !number(&cursor, 2, &extensions))
		return false;
	while (number(&cursor, 2, &type) && number(&cursor, 2, &len)) {
		if (type == EXTENSION_NAME)
			return copy_name(cursor, name);
		if (!skip(&cursor, len))
			break;
	}
	return false;
}

static const char *const labels[] = {
	"CLIENT_RANDOM",
	"CLIENT_HANDSHAKE_TRAFFIC_SECRET",
	"SERVER_HANDSHAKE_TRAFFIC_SECRET",
	"CLIENT_TRAFFIC_SECRET_0",
	"SERVER_TRAFFIC_SECRET_0",
};

/* TLS 1.2 has one; TLS 1.3 the other four. */
#define LABEL_CLIENT_RANDOM 1U
#define LABELS_TLS13        0x1eU

bool pcap_tls_is_complete(unsigned int known)
{
	return known & LABEL_CLIENT_RANDOM || (known & LABELS_TLS13) == LABELS_TLS13;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool pcap_tls_parse(const char *line, uint8_t random[TLS_RANDOM], unsigned int *ret_label)
{
	const char *space = strchr(line, ' ');
	int high, low;

	if (!space)
		return false;
	for (size_t i = 0; i < TLS_RANDOM; i++) {
		high = hex_digit(space[1 + 2 * i]);
		low = high < 0 ? -1 : hex_digit(space[2 + 2 * i]);
		if (low < 0)
			return false;
		random[i] = (uint8_t)(high << 4 | low);
	}
	*ret_label = 0;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strlen(labels[i]) == (size_t)(space - line) &&
		    !memcmp(labels[i], line, (size_t)(space - line)))
			*ret_label = 1U << i;
	return true;
}
