#include "expect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Less than PIPE_BUF, so that the lines of several processes do not mix. */
#define LINE_ROOM 4000
#define HEX_MAX   64

static size_t append(char *line, size_t at, const char *format, va_list args)
{
	int n = vsnprintf(line + at, LINE_ROOM - at, format, args);

	if (n < 0 || at + (size_t)n >= LINE_ROOM - 2)
		failed(__FILE__, __LINE__, "the line has room");
	for (char *c = line + at; *c; c++)
		if (*c == '\'')
			*c = '"';
	return at + (size_t)n;
}

/* Where standard output is a socket under test, the lines go elsewhere. */
static int output(void)
{
	const char *fd = getenv("IOTRACE_EXPECT_FD");

	return fd ? atoi(fd) : STDOUT_FILENO;
}

static void emit(const char *head, const char *format, va_list args)
{
	char line[LINE_ROOM];
	size_t len = strlen(head);
	ssize_t n;

	memcpy(line, head, len);
	len = append(line, len, format, args);
	line[len++] = '}';
	line[len++] = '\n';
	/* A signal that the program asks for can come while nobody reads. */
	do
		n = write(output(), line, len);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)len)
		failed(__FILE__, __LINE__, "the line is written");
}

void settings(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit("{\"settings\":1,", format, args);
	va_end(args);
}

void want(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit("{", format, args);
	va_end(args);
}

void same(const char *format, ...)
{
	va_list args;
	char text[1024];

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	want("'same':'%s'", text);
}

static int own_tid(void)
{
	return (int)syscall(SYS_gettid);
}

static const char *quoted(const char *text, char room[ADDRESS_MAX + 3])
{
	if (!*text)
		return "null";
	snprintf(room, ADDRESS_MAX + 3, "'%s'", text);
	return room;
}

static void payload_members(char *text, size_t room, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	size_t at;

	if (len > HEX_MAX) {
		snprintf(text, room, "'crc':%u", checksum(data, len));
		return;
	}
	at = (size_t)snprintf(text, room, "'hex':'");
	for (size_t i = 0; i < len; i++)
		at += (size_t)snprintf(text + at, room - at, "%02x", bytes[i]);
	snprintf(text + at, room - at, "'");
}

static void want_call(const struct conn *conn, int fd, const char *call, const char *result,
		      const char *more)
{
	char local[ADDRESS_MAX + 3], remote[ADDRESS_MAX + 3];
	bool in = !strncmp(call, "re", 2) || !strncmp(call, "pre", 3);

	want("'type':'data','pid':%d,'tid':%d,'fd':%d,'conn':'%s','proto':'%s','local':%s,"
	     "'remote':%s,'dir':'%s','layer':'wire','call':'%s',%s%s%s",
	     getpid(), own_tid(), fd, conn->name, conn->proto, quoted(conn->local, local),
	     quoted(conn->remote, remote), in ? "in" : "out", call, result, *more ? "," : "", more);
}

void want_data(const struct conn *conn, int fd, const char *call, const void *data, size_t len,
	       const char *more)
{
	char payload[2 * HEX_MAX + 16], result[sizeof(payload) + 32];

	payload_members(payload, sizeof(payload), data, len);
	snprintf(result, sizeof(result), "'len':%zu,%s", len, payload);
	want_call(conn, fd, call, result, more);
}

void want_error(const struct conn *conn, int fd, const char *call, const char *error,
		const char *more)
{
	char result[64];

	snprintf(result, sizeof(result), "'error':'%s'", error);
	want_call(conn, fd, call, result, more);
}

void want_socket(const struct conn *conn, int fd, const char *event, const char *more)
{
	char local[ADDRESS_MAX + 3], remote[ADDRESS_MAX + 3];

	want("'type':'socket','pid':%d,'tid':%d,'event':'%s','fd':%d,'conn':'%s','family':'%s',"
	     "'proto':'%s','local':%s,'remote':%s%s%s",
	     getpid(), own_tid(), event, fd, conn->name, conn->family, conn->proto,
	     quoted(conn->local, local), quoted(conn->remote, remote), *more ? "," : "", more);
}

static const char *inet_text(const struct in_addr *host, in_port_t port, char *text)
{
	char name[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, host, name, sizeof(name));
	snprintf(text, ADDRESS_MAX, "%s:%d", name, ntohs(port));
	return text;
}

static const char *inet6_text(const struct sockaddr_in6 *in6, char *text)
{
	char name[INET6_ADDRSTRLEN];
	struct in_addr host;

	/* ::ffff:1.2.3.4 is shown as the IPv4 address that it is. */
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		memcpy(&host, in6->sin6_addr.s6_addr + 12, sizeof(host));
		return inet_text(&host, in6->sin6_port, text);
	}
	if (IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) && !in6->sin6_port)
		return text;
	inet_ntop(AF_INET6, &in6->sin6_addr, name, sizeof(name));
	snprintf(text, ADDRESS_MAX, "[%s]:%d", name, ntohs(in6->sin6_port));
	return text;
}

const char *address_text(const struct sockaddr *address, socklen_t len, char text[ADDRESS_MAX])
{
	struct sockaddr_storage ss = { 0 };
	const struct sockaddr_in *in = (const struct sockaddr_in *)&ss;

	memcpy(&ss, address, len);
	text[0] = '\0';
	if (ss.ss_family == AF_INET6)
		return inet6_text((const struct sockaddr_in6 *)&ss, text);
	if (ss.ss_family != AF_INET || (in->sin_addr.s_addr == INADDR_ANY && !in->sin_port))
		return text;
	return inet_text(&in->sin_addr, in->sin_port, text);
}

const char *local_text(int fd, char text[ADDRESS_MAX])
{
	struct sockaddr_storage ss;
	socklen_t len = local_address(fd, &ss);

	return address_text((struct sockaddr *)&ss, len, text);
}

const char *remote_text(int fd, char text[ADDRESS_MAX])
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	text[0] = '\0';
	if (getpeername(fd, (struct sockaddr *)&ss, &len))
		return text;
	return address_text((struct sockaddr *)&ss, len, text);
}

struct conn conn_of(const char *name, int fd)
{
	struct conn conn = { .name = name };
	int value;
	socklen_t len = sizeof(value);

	check(!getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &len));
	conn.family = value == AF_INET6 ? "inet6" : "inet";
	check(!getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len));
	conn.proto = value == SOCK_STREAM ? "tcp" : "udp";
	local_text(fd, conn.local);
	remote_text(fd, conn.remote);
	return conn;
}

socklen_t loopback(int family, uint16_t port, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->ss_family = (sa_family_t)family;
	if (family == AF_INET6) {
		in6->sin6_addr = in6addr_loopback;
		in6->sin6_port = htons(port);
		return sizeof(*in6);
	}
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in->sin_port = htons(port);
	return sizeof(*in);
}

socklen_t local_address(int fd, struct sockaddr_storage *ret_address)
{
	socklen_t len = sizeof(*ret_address);

	check(!getsockname(fd, (struct sockaddr *)ret_address, &len));
	return len;
}

static int bound(int family, int type)
{
	int fd = socket(family, type, 0);
	struct sockaddr_storage ss;
	socklen_t len = loopback(family, 0, &ss);

	if (fd < 0 && errno == EAFNOSUPPORT)
		skip("no such address family");
	check(fd >= 0);
	if (bind(fd, (struct sockaddr *)&ss, len) && errno == EADDRNOTAVAIL)
		skip("no such loopback address");
	check(local_address(fd, &ss) == len);
	return fd;
}

int tcp_listener(int family)
{
	int fd = bound(family, SOCK_STREAM);

	check(!listen(fd, 100));
	return fd;
}

void tcp_pair(int family, int fds[2])
{
	int listener = tcp_listener(family);
	struct sockaddr_storage ss;
	socklen_t len = local_address(listener, &ss);

	fds[0] = socket(family, SOCK_STREAM, 0);
	check(fds[0] >= 0);
	check(!connect(fds[0], (struct sockaddr *)&ss, len));
	fds[1] = accept(listener, NULL, NULL);
	check(fds[1] >= 0);
	close(listener);
}

int udp_bound(int family)
{
	return bound(family, SOCK_DGRAM);
}

void udp_pair(int family, int fds[2])
{
	struct sockaddr_storage ss;
	socklen_t len;

	fds[0] = udp_bound(family);
	fds[1] = udp_bound(family);
	for (int i = 0; i < 2; i++) {
		len = local_address(fds[!i], &ss);
		check(!connect(fds[i], (struct sockaddr *)&ss, len));
	}
}

socklen_t closed_port(struct sockaddr_storage *ret_address, int *ret_fd)
{
	*ret_fd = bound(AF_INET, SOCK_STREAM);
	return local_address(*ret_fd, ret_address);
}

void fill(void *data, size_t len, unsigned int seed)
{
	uint8_t *bytes = data;
	uint32_t state = seed * 2654435761U + 1;

	for (size_t i = 0; i < len; i++) {
		state = state * 1664525U + 1013904223U;
		bytes[i] = (uint8_t)(state >> 24);
	}
}

/* CRC-32 as in zlib, four bits at a time. */
uint32_t checksum(const void *data, size_t len)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const uint8_t *bytes = data;
	uint32_t crc = ~0U;

	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

void *page_end(size_t len)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (len + page - 1) / page * page;
	char *at =
		mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(at != MAP_FAILED);
	check(!munmap(at + size, page));
	return at + size - len;
}

char thread_state(pid_t tid)
{
	char path[64], text[512], *paren;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	check(fd >= 0 || errno == ENOENT);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	/* It was there, and ends in between. */
	if (fd < 0 || (n < 0 && errno == ESRCH)) {
		close(fd);
		return 'X';
	}
	close(fd);
	check(n > 0);
	text[n] = '\0';
	paren = strrchr(text, ')');
	check(paren && strlen(paren) > 2);
	return paren[2];
}

void await_blocked(pid_t tid)
{
	char state;

	while ((state = thread_state(tid)) != 'S') {
		check(state != 'X');
		sched_yield();
	}
}

void await_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&pfd, 1, -1);
	while (n < 0 && errno == EINTR);
	check(n == 1);
}

int await_end(pid_t pid)
{
	int status;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	check(got == pid);
	return status;
}

_Noreturn void failed(const char *file, int line, const char *what)
{
	dprintf(STDERR_FILENO, "%s:%d: %s: %s\n", file, line, what, strerror(errno));
	_exit(99);
}

_Noreturn void skip(const char *why)
{
	dprintf(STDERR_FILENO, "skipped: %s\n", why);
	_exit(77);
}
