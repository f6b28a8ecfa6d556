/*
 * What a test program tells its runner (run.py). Every line is a JSON object: the keys that an
 * event must have, in the order in which iotrace must report the events. A line is written at once,
 * so that nothing is left in a buffer at a fork, an exec or a death.
 *
 * In all formats below ' stands for ", and the braces are added.
 */
#ifndef EXPECT_H
#define EXPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define ADDRESS_MAX 80

/* A socket as the events must show it. */
struct conn {
	const char *name; /* stands for the number that iotrace gives it */
	const char *family;
	const char *proto;
	char local[ADDRESS_MAX];
	char remote[ADDRESS_MAX]; /* "": the event must have none */
};

/* The first line, where the defaults do not do: which types are compared, in which order; run.py.
 */
void settings(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Members that the next event must have. A string as `conn` stands for one number throughout. */
void want(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line that must be the same whether iotrace looks on or not. */
void same(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The calling thread's call on fd moved len bytes of data. Small payload is compared itself, else
 * by its checksum. more: further members, or "". What is not wanted here must not be there: flags,
 * full, captured, error.
 */
void want_data(const struct conn *conn, int fd, const char *call, const void *data, size_t len,
	       const char *more);
void want_error(const struct conn *conn, int fd, const char *call, const char *error,
		const char *more);
void want_socket(const struct conn *conn, int fd, const char *event, const char *more);

/* The socket as the kernel describes it now. */
struct conn conn_of(const char *name, int fd);
const char *address_text(const struct sockaddr *address, socklen_t len, char text[ADDRESS_MAX]);
/* The address that fd has (or its peer has), as text. */
const char *local_text(int fd, char text[ADDRESS_MAX]);
const char *remote_text(int fd, char text[ADDRESS_MAX]);

/* Loopback, a free port. family is AF_INET or AF_INET6. */
socklen_t loopback(int family, uint16_t port, struct sockaddr_storage *ret_address);
int tcp_listener(int family);
/* [0] has connected, [1] was accepted. */
void tcp_pair(int family, int fds[2]);
int udp_bound(int family);
/* Connected to each other. */
void udp_pair(int family, int fds[2]);
socklen_t local_address(int fd, struct sockaddr_storage *ret_address);
/* A TCP port on 127.0.0.1 that nobody listens on; held by fd *ret_fd. */
socklen_t closed_port(struct sockaddr_storage *ret_address, int *ret_fd);

/* Bytes that are different everywhere, and the same for the same seed. */
void fill(void *data, size_t len, unsigned int seed);
uint32_t checksum(const void *data, size_t len);

/* Memory of len bytes that ends where nothing is mapped. */
void *page_end(size_t len);

/* The letter of /proc/TID/stat; X: it has ended. */
char thread_state(pid_t tid);
/* Returns when thread tid sleeps in a system call; it must be on its way to one. */
void await_blocked(pid_t tid);
/* Until fd has something to read (or has failed). */
void await_readable(int fd);
/* The wait status of a child that ends. */
int await_end(pid_t pid);

/* Ends the program where a call of its own does not do what it should. */
#define check(condition)                                        \
	do {                                                    \
		if (!(condition))                               \
			failed(__FILE__, __LINE__, #condition); \
	} while (0)

_Noreturn void failed(const char *file, int line, const char *what);
/* This machine or user cannot do the test. */
_Noreturn void skip(const char *why);

#endif
