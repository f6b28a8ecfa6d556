/*
 * Sockets that were closed while a function of Go's TLS was under way on them: their close is told behind the
 * plaintext that this is about to tell, or nobody would find the connection that it belongs to. It is no rare
 * case: of two goroutines one closes, and the other's last system call in that function closes the descriptor.
 */
#include "base/own.h"
#include "capture/state.h"
#include "probe/probe.h"

struct closing {
	struct closing *next;
	int fd;
	struct sock *sock; /* one reference */
};

bool closing_waits(struct capture *capture, struct task *task, int fd, struct sock *sock)
{
	struct closing *closing;

	if (!capture->probes || !sock->session ||
	    !probes_go_under_way(capture->probes, task, sock->session))
		return false;
	closing = own_alloc(sizeof(*closing));
	*closing = (struct closing){
		.next = cproc_of(task)->closings,
		.fd = fd,
		.sock = sock_get(sock),
	};
	cproc_of(task)->closings = closing;
	return true;
}

static void closing_end(struct capture *capture, struct task *task, struct closing **link)
{
	struct closing *closing = *link;

	*link = closing->next;
	/* It may have come back meanwhile, from where it had been sent to. */
	if (!closing->sock->fds && !closing->sock->in_flight)
		emit_socket(capture, task, SOCKET_CLOSE, closing->fd, closing->sock, 0);
	sock_put(&capture->socks, closing->sock);
	free(closing);
}

void closing_returned(struct capture *capture, struct task *task, uint64_t session)
{
	struct closing **link = &cproc_of(task)->closings;

	while (*link)
		if ((*link)->sock->session == session &&
		    !probes_go_under_way(capture->probes, task, session))
			closing_end(capture, task, link);
		else
			link = &(*link)->next;
}

void closings_end(struct capture *capture, struct task *task)
{
	while (cproc_of(task)->closings)
		closing_end(capture, task, &cproc_of(task)->closings);
}
