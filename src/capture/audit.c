/*
 * What makes silence impossible for TCP: before a socket's last close the kernel's own count of its
 * bytes (TCP_INFO, Linux 4.1) is compared with ours.
 *
 * Sent: bytes_acked plus what is queued (SIOCOUTQ); both count SYN and FIN as a byte each. Received:
 * bytes_received less what is unread (SIOCINQ); the former counts the peer's FIN, the latter does
 * not. tcp(7); net/ipv4/tcp.c, tcp_input.c of 5.10 to 6.18.
 */
#include "base/own.h"
#include "capture/state.h"

#include <limits.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* States of net/tcp_states.h; netinet/tcp.h has them, but it does not go with linux/tcp.h. */
enum {
	STATE_FIN_WAIT1 = 4,
	STATE_FIN_WAIT2 = 5,
	STATE_TIME_WAIT = 6,
	STATE_CLOSE = 7,
	STATE_CLOSE_WAIT = 8,
	STATE_LAST_ACK = 9,
	STATE_CLOSING = 11,
};

#define IN_STATE(state, mask) ((uint64_t)(((mask) >> (state)) & 1U))
#define BIT(state)            (1U << (state))

#define FIN_SENT                                                                                  \
	(BIT(STATE_FIN_WAIT1) | BIT(STATE_FIN_WAIT2) | BIT(STATE_CLOSING) | BIT(STATE_LAST_ACK) | \
	 BIT(STATE_TIME_WAIT))
#define FIN_RECEIVED \
	(BIT(STATE_CLOSE_WAIT) | BIT(STATE_CLOSING) | BIT(STATE_LAST_ACK) | BIT(STATE_TIME_WAIT))

static bool read_info(int fd, struct tcp_info *ret_info)
{
	socklen_t len = sizeof(*ret_info);

	memset(ret_info, 0, sizeof(*ret_info));
	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret_info, &len) &&
	       len >= offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t);
}

/* Kernel TLS would begin to decrypt when it is looked into. */
static bool is_layered(int fd)
{
	char name[16];
	socklen_t len = sizeof(name);

	return !getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &len) && len;
}

/*
 * SIOCINQ ends in front of an urgent byte: neither that, nor what is behind it, counts. Nothing is taken
 * by looking. Behind is only seen from the urgent byte; one that was passed over leaves no trace.
 */
static uint64_t urgent_unread(int fd, int unread)
{
	int at_mark = 0;
	ssize_t behind = 0;
	char byte;

	if (!unread && (ioctl(fd, SIOCATMARK, &at_mark) || !at_mark))
		return 0;
	if (is_layered(fd))
		return 0;
	/* The length alone: TCP copies nothing then. */
	if (at_mark)
		behind = recv(fd, NULL, INT_MAX, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	return (behind > 0 ? (uint64_t)behind : 0) +
	       (recv(fd, &byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) == 1);
}

/*
 * The kernel reads the state before it locks the socket and counts: a FIN may come between. States
 * only go forward, so one that is the same before and after was so when the bytes were counted.
 */
static bool read_counts(int fd, struct audit_counts *ret_counts)
{
	struct tcp_info info, after;
	int unread, unsent;
	unsigned int state;
	uint64_t urgent;

	if (!read_info(fd, &after))
		return false;
	do {
		info = after;
		if (ioctl(fd, SIOCINQ, &unread) || ioctl(fd, SIOCOUTQ, &unsent))
			return false;
		urgent = urgent_unread(fd, unread);
		if (!read_info(fd, &after))
			return false;
	} while (after.tcpi_state != info.tcpi_state);
	state = info.tcpi_state;
	ret_counts->bytes[DIR_IN] = info.tcpi_bytes_received - (uint64_t)(unsigned int)unread -
				    urgent - IN_STATE(state, FIN_RECEIVED);
	ret_counts->bytes[DIR_OUT] =
		info.tcpi_bytes_acked + (uint64_t)(unsigned int)unsent - IN_STATE(state, FIN_SENT);
	/* Whether a socket that we find has sent a SYN is not known; this does not count one. */
	ret_counts->sent = info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes;
	/* After a reset or an orderly end it is not told which FINs were counted. */
	ret_counts->vague = state == STATE_CLOSE;
	/* Nothing was sent, or connect() has reset the counts, and the numbers that SIOCOUTQ subtracts. */
	if (ret_counts->vague && !info.tcpi_bytes_acked && !info.tcpi_bytes_sent)
		ret_counts->bytes[DIR_OUT] = 0;
	return true;
}

static bool is_audited(const struct sock *sock)
{
	return sock->info.proto == PROTO_TCP && !sock->info.listening;
}

static bool ask(struct task *task, int fd, const struct sock *sock, struct audit_counts *ret_counts)
{
	int own auto_close = is_audited(sock) ? descriptor_dup(task, fd) : -1;

	return own >= 0 && read_counts(own, ret_counts);
}

/* A connection that we have seen from its beginning. Who connects has sent a SYN. */
void audit_begin(struct sock *sock, bool active)
{
	sock->audit = (struct audit){ .begun = true };
	sock->audit.base[DIR_OUT] = active;
	memset(sock->moved, 0, sizeof(sock->moved));
}

void audit_adopt(struct capture *capture, struct task *task, int fd, struct sock *sock,
		 const char *reason)
{
	struct audit_counts counts;
	uint64_t before;

	if (!ask(task, fd, sock, &counts))
		return;
	before = counts.bytes[DIR_IN] + counts.sent;
	/* Whether it has sent a SYN is not known: what is more than data is taken for a FIN. */
	if (counts.vague && counts.bytes[DIR_IN] && counts.bytes[DIR_OUT] > counts.sent)
		before--;
	sock->audit = (struct audit){ .begun = true };
	memcpy(sock->audit.base, counts.bytes, sizeof(counts.bytes));
	sock->audit.base_sent = counts.sent;
	if (before)
		emit_loss(capture, task, reason, fd, sock, before, 0);
}

/*
 * Our FIN was acknowledged: more than data and a SYN was. Then the peer's was received, too, but for a
 * reset in the moment between.
 */
static bool ends_in_order(const struct sock *sock, const struct audit_counts *counts)
{
	uint64_t syn = sock->audit.base[DIR_OUT] - sock->audit.base_sent;

	return counts->bytes[DIR_OUT] > counts->sent + syn;
}

/* Bytes of that direction which the kernel has counted and we have not. */
static uint64_t missing_of(const struct sock *sock, const struct audit_counts *counts,
			   enum event_dir dir)
{
	uint64_t ours = sock->audit.base[dir] + sock->moved[dir], theirs = counts->bytes[dir];
	uint64_t missing = theirs > ours ? theirs - ours : 0;

	if (missing >= 1ULL << 62 || (counts->vague && missing <= 1))
		return 0;
	return missing - (counts->vague && missing && ends_in_order(sock, counts));
}

void audit_seal(struct task *task, int fd, struct sock *sock, enum event_dir dir)
{
	struct audit_counts counts;

	if (sock->audit.begun && !sock->info.ktls[dir] && ask(task, fd, sock, &counts))
		sock->audit.sealed[dir] = missing_of(sock, &counts, dir);
}

void audit_close(struct task *task, int fd, struct sock *sock)
{
	if (sock->audit.begun && ask(task, fd, sock, &sock->audit.final))
		sock->audit.ended = true;
}

static uint64_t unseen(const struct sock *sock, enum event_dir dir)
{
	/* How many records the plaintext became, only the kernel knows. */
	return sock->info.ktls[dir] ? sock->audit.sealed[dir]
				    : missing_of(sock, &sock->audit.final, dir);
}

void audit_end(struct capture *capture, struct task *task, int fd, struct sock *sock)
{
	uint64_t missing;

	if (!sock->audit.ended)
		return;
	sock->audit.ended = false;
	missing = unseen(sock, DIR_OUT) + unseen(sock, DIR_IN);
	if (missing)
		emit_loss(capture, task, "unseen", fd, sock, missing, 0);
}
