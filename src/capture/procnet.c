#include "capture/procnet.h"

#include "base/addr.h"
#include "base/own.h"
#include "base/proc.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

/* What sockfs calls a socket's protocol (system.sockprotoname), and where /proc lists its kind. */
struct kind {
	const char *name;
	const char *table; /* /proc/PID/net/…; NULL: none */
	enum event_family family;
	enum event_proto proto;
};

static const struct kind kinds[] = {
	{ "TCP", "tcp", FAMILY_INET, PROTO_TCP },
	{ "TCPv6", "tcp6", FAMILY_INET6, PROTO_TCP },
	{ "UDP", "udp", FAMILY_INET, PROTO_UDP },
	{ "UDPv6", "udp6", FAMILY_INET6, PROTO_UDP },
	{ "UDP-Lite", "udplite", FAMILY_INET, PROTO_UDPLITE },
	{ "UDPLITEv6", "udplite6", FAMILY_INET6, PROTO_UDPLITE },
	{ "RAW", "raw", FAMILY_INET, PROTO_RAW },
	{ "RAWv6", "raw6", FAMILY_INET6, PROTO_RAW },
	{ "PING", "icmp", FAMILY_INET, PROTO_ICMP },
	{ "PINGv6", "icmp6", FAMILY_INET6, PROTO_ICMP },
	{ "MPTCP", NULL, FAMILY_INET, PROTO_MPTCP },
	{ "MPTCPv6", NULL, FAMILY_INET6, PROTO_MPTCP },
	{ "SCTP", NULL, FAMILY_INET, PROTO_SCTP },
	{ "SCTPv6", NULL, FAMILY_INET6, PROTO_SCTP },
	{ "UNIX", "unix", FAMILY_UNIX, PROTO_UNIX_DGRAM },
	{ "UNIX-STREAM", "unix", FAMILY_UNIX, PROTO_UNIX_STREAM }, /* since 5.15 */
	{ NULL, NULL, FAMILY_NONE, PROTO_OTHER },
};

/* TCP_LISTEN of net/tcp_states.h. */
#define STATE_LISTEN 10

static const struct kind *find_kind(pid_t tid, int fd)
{
	const struct kind *kind = kinds;
	char path[64], name[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", tid, fd);
	n = getxattr(path, "system.sockprotoname", name, sizeof(name) - 1);
	name[n > 0 ? n : 0] = '\0';
	while (kind->name && strcmp(kind->name, name))
		kind++;
	return kind;
}

/* Groups of 8 hexadecimal digits, each a word as it lies in memory, a colon and the port. */
static void parse_inet(struct addr *ret_addr, const char *text)
{
	uint32_t words[4];
	unsigned int port = 0;
	size_t count = strcspn(text, ":") / 8;
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	if ((count != 1 && count != 4) || sscanf(text + strcspn(text, ":"), ":%x", &port) != 1)
		return;
	for (size_t i = 0; i < count; i++)
		if (sscanf(text + 8 * i, "%8" SCNx32, &words[i]) != 1)
			return;
	in6.sin6_port = in.sin_port = htons((uint16_t)port);
	if (count == 1) {
		memcpy(&in.sin_addr, words, sizeof(in.sin_addr));
		addr_from_bytes(ret_addr, &in, sizeof(in));
	} else {
		memcpy(&in6.sin6_addr, words, sizeof(in6.sin6_addr));
		addr_from_bytes(ret_addr, &in6, sizeof(in6));
	}
}

/* A line of /proc/net/tcp and its like (proc(5)). True if it is the socket's. */
static bool take_inet(struct sock_info *info, const char *line)
{
	char local[40], remote[40];
	unsigned int state;
	uint64_t inode;

	if (sscanf(line, " %*d: %39s %39s %x %*s %*s %*x %*u %*d %" SCNu64, local, remote, &state,
		   &inode) != 4 ||
	    inode != info->inode)
		return false;
	parse_inet(&info->local, local);
	parse_inet(&info->remote, remote);
	/* A raw socket's peer has no port. */
	if (addr_is_empty(&info->remote) || (info->proto != PROTO_RAW && !addr_port(&info->remote)))
		info->remote.len = 0;
	info->listening = info->proto == PROTO_TCP && state == STATE_LISTEN;
	return true;
}

static enum event_proto unix_proto(unsigned int type)
{
	switch (type) {
	case SOCK_STREAM:
		return PROTO_UNIX_STREAM;
	case SOCK_SEQPACKET:
		return PROTO_UNIX_SEQPACKET;
	default:
		return PROTO_UNIX_DGRAM;
	}
}

/* NULs of an abstract name are shown as @, the first one, too. */
static void parse_unix(struct addr *ret_addr, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = strcspn(path, "\n");

	if (len > sizeof(un.sun_path))
		len = sizeof(un.sun_path);
	memcpy(un.sun_path, path, len);
	if (len && path[0] == '@')
		un.sun_path[0] = '\0';
	addr_from_bytes(ret_addr, &un, offsetof(struct sockaddr_un, sun_path) + len);
}

static bool take_unix(struct sock_info *info, const char *line)
{
	unsigned int flags, type;
	uint64_t inode;
	int end = 0;

	if (sscanf(line, "%*x: %*x %*x %x %x %*x %" SCNu64 "%n", &flags, &type, &inode, &end) !=
		    3 ||
	    inode != info->inode)
		return false;
	info->proto = unix_proto(type);
	/* __SO_ACCEPTCON of linux/net.h */
	info->listening = flags & 1U << 16;
	parse_unix(&info->local, line[end] == ' ' ? line + end + 1 : "");
	return true;
}

static void look_up(pid_t tid, const char *table, struct sock_info *info)
{
	char *line auto_free = NULL;
	size_t room = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/net/%s", tid, table);
	file = fopen(path, "re");
	if (!file)
		return;
	while (getline(&line, &room, file) > 0)
		if (info->family == FAMILY_UNIX ? take_unix(info, line) : take_inet(info, line))
			break;
	fclose(file);
}

int procnet_ask(pid_t tid, int fd, struct sock_info *ret_info)
{
	const struct kind *kind;
	struct sock_info info = { 0 };
	int64_t inode = proc_socket_inode(tid, fd);

	if (inode == -ENOENT)
		return -EBADF;
	if (inode <= 0)
		return inode ? (int)inode : -ENOTSOCK;
	kind = find_kind(tid, fd);
	info.inode = (uint64_t)inode;
	info.family = kind->family;
	info.proto = kind->proto;
	if (kind->table)
		look_up(tid, kind->table, &info);
	*ret_info = info;
	return 0;
}
