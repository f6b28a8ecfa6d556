/*
 * Sockets of the rarer protocols: each has its name, its addresses and its bytes. Argument: which. Many
 * a kernel has not all of them, and some are root's.
 */
#include "expect.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
/* include/uapi/linux/dccp.h */
#define SOL_DCCP             269
#define DCCP_SOCKOPT_SERVICE 2

static char got[100];

static int open_socket(int family, int type, int protocol)
{
	int fd = socket(family, type, protocol);

	if (fd < 0 &&
	    (errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT || errno == ENOPROTOOPT))
		skip("this kernel has no such protocol");
	if (fd < 0 && (errno == EPERM || errno == EACCES))
		skip("this user may not have such a socket");
	check(fd >= 0);
	return fd;
}

static int bound(int family, int type, int protocol)
{
	int fd = open_socket(family, type, protocol);
	struct sockaddr_storage ss;
	socklen_t len = loopback(family, 0, &ss);

	check(!bind(fd, (struct sockaddr *)&ss, len));
	return fd;
}

static struct conn named(const char *name, const char *proto, int fd)
{
	struct conn conn = conn_of(name, fd);

	conn.proto = proto;
	return conn;
}

/* Two that are not connected: where a datagram goes and where it comes from is its own. */
static void datagrams(const char *proto, int type, int protocol)
{
	int a = bound(AF_INET, type, protocol), b = bound(AF_INET, type, protocol);
	struct conn from = named("from", proto, a), to = named("to", proto, b);
	struct sockaddr_storage ss, peer;
	socklen_t len = local_address(b, &ss), room = sizeof(peer);

	if (type == SOCK_SEQPACKET)
		check(!listen(b, 1));
	local_text(b, from.remote);
	local_text(a, to.remote);
	check(sendto(a, "apart", 5, 0, (struct sockaddr *)&ss, len) == 5);
	want_data(&from, a, "sendto", "apart", 5, "");
	check(recvfrom(b, got, sizeof(got), 0, (struct sockaddr *)&peer, &room) == 5);
	want_data(&to, b, "recvfrom", "apart", 5, "");
	check(sendto(b, "back", 4, 0, (struct sockaddr *)&peer, room) == 4);
	want_data(&to, b, "sendto", "back", 4, "");
	room = sizeof(peer);
	check(recvfrom(a, got, sizeof(got), 0, (struct sockaddr *)&peer, &room) == 4);
	want_data(&from, a, "recvfrom", "back", 4, "");
}

static void name_service(int fd)
{
	uint32_t code = htonl(42);

	check(!setsockopt(fd, SOL_DCCP, DCCP_SOCKOPT_SERVICE, &code, sizeof(code)));
}

static void connections(const char *proto, int type, int protocol, const char *at_end)
{
	int listener = bound(AF_INET, type, protocol), fds[2];
	struct conn from, to;
	struct sockaddr_storage ss;
	socklen_t len;

	if (type == SOCK_DCCP)
		name_service(listener);
	check(!listen(listener, 5));
	len = local_address(listener, &ss);
	fds[0] = open_socket(AF_INET, type, protocol);
	if (type == SOCK_DCCP)
		name_service(fds[0]);
	check(!connect(fds[0], (struct sockaddr *)&ss, len));
	fds[1] = accept(listener, NULL, NULL);
	check(fds[1] >= 0);
	from = named("from", proto, fds[0]);
	to = named("to", proto, fds[1]);
	check(write(fds[0], "there", 5) == 5);
	want_data(&from, fds[0], "write", "there", 5, "");
	check(read(fds[1], got, sizeof(got)) == 5);
	want_data(&to, fds[1], "read", "there", 5, "");
	check(send(fds[1], "and back", 8, 0) == 8);
	want_data(&to, fds[1], "sendto", "and back", 8, "");
	check(recv(fds[0], got, sizeof(got), 0) == 8);
	want_data(&from, fds[0], "recvfrom", "and back", 8, "");
	if (!at_end)
		return;
	close(fds[0]);
	check(!read(fds[1], got, sizeof(got)));
	want_data(&to, fds[1], "read", "", 0, at_end);
}

/* What comes to a group is told with the group's address, which the receiver is bound to. */
static void multicast(void)
{
	const struct in_addr lo = { htonl(INADDR_LOOPBACK) };
	struct sockaddr_in group = { .sin_family = AF_INET, .sin_addr = { htonl(0xefff4d01) } };
	struct ip_mreqn member = { .imr_multiaddr = group.sin_addr, .imr_address = lo };
	int a = udp_bound(AF_INET), b = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_storage ss;
	struct conn from, to;

	check(b >= 0 && !bind(b, (struct sockaddr *)&group, sizeof(group)));
	check(!setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof(member)));
	check(!setsockopt(a, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)));
	from = conn_of("from", a);
	to = conn_of("to", b);
	local_text(b, from.remote);
	local_text(a, to.remote);
	check(local_address(b, &ss) == sizeof(group));
	check(sendto(a, "to all", 6, 0, (struct sockaddr *)&ss, sizeof(group)) == 6);
	want_data(&from, a, "sendto", "to all", 6, "");
	check(recvfrom(b, got, sizeof(got), 0, (struct sockaddr *)&ss,
		       &(socklen_t){ sizeof(ss) }) == 6);
	want_data(&to, b, "recvfrom", "to all", 6, "");
}

static struct icmphdr echo(void)
{
	struct icmphdr packet = { .type = ICMP_ECHO };

	packet.un.echo.id = htons(0x4d01);
	packet.un.echo.sequence = htons(1);
	/* The sum of its words, with the carries. */
	packet.checksum = (uint16_t) ~(ICMP_ECHO + htons(0x4d01) + htons(1));
	return packet;
}

/* Sent without an IP header, received with one: the request, as loopback shows it, and the answer. */
static void icmp(void)
{
	struct icmphdr packet = echo();
	int fd = open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	struct sockaddr_storage ss;
	socklen_t len = loopback(AF_INET, 0, &ss);
	ssize_t n;

	check(sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&ss, len) ==
	      sizeof(packet));
	want("'type':'data','fd':%d,'conn':'raw','proto':'raw','remote~':'^127.0.0.1','dir':'out',"
	     "'call':'sendto','len':8,'crc':%u",
	     fd, checksum(&packet, sizeof(packet)));
	do {
		len = sizeof(ss);
		n = recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&ss, &len);
		check(n >= 28);
		want("'type':'data','fd':%d,'conn':'raw','proto':'raw','remote~':'^127.0.0.1',"
		     "'dir':'in','call':'recvfrom','len':%zd,'crc':%u",
		     fd, n, checksum(got, (size_t)n));
	} while (got[20] != ICMP_ECHOREPLY);
}

/* Where the sockets of ping are for everybody; that is set for each network namespace. */
static void allow_ping(void)
{
	static const char file[] = "/proc/sys/net/ipv4/ping_group_range", all[] = "0 2147483647";
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	FILE *range;
	int fd;

	if (unshare(CLONE_NEWNET))
		skip("network namespaces are root's");
	range = fopen(file, "w");
	check(range && fputs(all, range) >= 0 && !fclose(range));
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	check(fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &lo) && !close(fd));
}

static void ping(void)
{
	struct icmphdr packet = echo();
	struct sockaddr_storage ss;
	socklen_t len = loopback(AF_INET, 0, &ss);
	int fd;

	allow_ping();
	fd = open_socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	check(sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&ss, len) ==
	      sizeof(packet));
	want("'type':'data','fd':%d,'conn':'ping','proto':'icmp','remote~':'^127.0.0.1','dir':'out'"
	     ","
	     "'call':'sendto','len':8,'crc':%u",
	     fd, checksum(&packet, sizeof(packet)));
	check(recv(fd, got, sizeof(got), 0) == sizeof(packet) && got[0] == ICMP_ECHOREPLY);
	want("'type':'data','fd':%d,'conn':'ping','proto':'icmp','dir':'in','call':'recvfrom',"
	     "'len':8,'crc':%u",
	     fd, checksum(got, sizeof(packet)));
}

int main(int argc, char **argv)
{
	check(argc == 2);
	if (!strcmp(argv[1], "multicast"))
		multicast();
	else if (!strcmp(argv[1], "udplite"))
		datagrams("udplite", SOCK_DGRAM, IPPROTO_UDPLITE);
	else if (!strcmp(argv[1], "sctp"))
		connections("sctp", SOCK_STREAM, IPPROTO_SCTP, "'flags':['eof']");
	else if (!strcmp(argv[1], "sctp_many"))
		datagrams("sctp", SOCK_SEQPACKET, IPPROTO_SCTP);
	else if (!strcmp(argv[1], "dccp"))
		connections("dccp", SOCK_DCCP, IPPROTO_DCCP, NULL);
	else if (!strcmp(argv[1], "mptcp"))
		connections("mptcp", SOCK_STREAM, IPPROTO_MPTCP, "'flags':['eof']");
	else if (!strcmp(argv[1], "icmp"))
		icmp();
	else
		ping();
	return 0;
}
