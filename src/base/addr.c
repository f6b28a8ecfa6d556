#include "base/addr.h"

#include "base/utf8.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void unmap(struct addr *addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (!IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr))
		return;
	in.sin_port = addr->in6.sin6_port;
	memcpy(&in.sin_addr, addr->in6.sin6_addr.s6_addr + 12, 4);
	memset(addr, 0, sizeof(*addr));
	addr->in = in;
	addr->len = sizeof(in);
}

bool addr_from_bytes(struct addr *ret_addr, const void *data, size_t len)
{
	struct addr addr = { 0 };

	memset(ret_addr, 0, sizeof(*ret_addr));
	if (len < sizeof(sa_family_t) || len > sizeof(struct sockaddr_storage))
		return false;
	memcpy(&addr.sa, data, len < sizeof(addr.un) ? len : sizeof(addr.un));
	switch (addr.family) {
	case AF_INET:
		if (len < sizeof(addr.in))
			return false;
		memset(addr.in.sin_zero, 0, sizeof(addr.in.sin_zero));
		addr.len = sizeof(addr.in);
		break;
	case AF_INET6:
		/* RFC 2133's form has no scope; the kernel takes it (SIN6_LEN_RFC2133). */
		if (len < offsetof(struct sockaddr_in6, sin6_scope_id))
			return false;
		if (len < sizeof(addr.in6))
			addr.in6.sin6_scope_id = 0;
		addr.in6.sin6_flowinfo = 0;
		addr.len = sizeof(addr.in6);
		unmap(&addr);
		break;
	case AF_UNIX:
		addr.len = (socklen_t)(len < sizeof(addr.un) ? len : sizeof(addr.un));
		if (addr.len > offsetof(struct sockaddr_un, sun_path) && addr.un.sun_path[0])
			addr.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
					       strnlen(addr.un.sun_path,
						       addr.len - offsetof(struct sockaddr_un,
									   sun_path)));
		break;
	default:
		return false;
	}
	*ret_addr = addr;
	return true;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	if (a->len != b->len)
		return false;
	if (!a->len)
		return true;
	if (a->family != b->family)
		return false;
	switch (a->family) {
	case AF_INET:
		return a->in.sin_port == b->in.sin_port &&
		       a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	case AF_INET6:
		return a->in6.sin6_port == b->in6.sin6_port &&
		       a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
		       IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
	default:
		return !memcmp(&a->un, &b->un, a->len);
	}
}

bool addr_is_empty(const struct addr *addr)
{
	if (!addr->len)
		return true;
	switch (addr->family) {
	case AF_INET:
		return !addr->in.sin_port && addr->in.sin_addr.s_addr == INADDR_ANY;
	case AF_INET6:
		return !addr->in6.sin6_port && IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
	default:
		return addr->len <= offsetof(struct sockaddr_un, sun_path);
	}
}

uint16_t addr_port(const struct addr *addr)
{
	if (!addr->len)
		return 0;
	if (addr->family == AF_INET)
		return ntohs(addr->in.sin_port);
	return addr->family == AF_INET6 ? ntohs(addr->in6.sin6_port) : 0;
}

static void format_name(const char *name, size_t len, char *text, size_t room)
{
	size_t at = 0, to = 0, n;
	uint32_t code;

	while (at < len && to + 5 < room) {
		n = utf8_decode(name + at, len - at, &code);
		if (n && code != '\\' && utf8_shown(code)) {
			memcpy(text + to, name + at, n);
			to += n;
			at += n;
		} else {
			to += (size_t)snprintf(text + to, room - to, "\\x%02x",
					       (unsigned int)(uint8_t)name[at]);
			at++;
		}
	}
	text[to] = '\0';
}

/* A path that reads like another form of address has its first byte escaped. */
static void format_path(const struct addr *addr, const char *path, size_t len, char *text)
{
	struct addr again;

	format_name(path, len, text, ADDR_TEXT_MAX);
	if (addr_parse(&again, text, strlen(text)) && addr_equal(addr, &again))
		return;
	snprintf(text, ADDR_TEXT_MAX, "\\x%02x", (unsigned int)(uint8_t)path[0]);
	format_name(path + 1, len - 1, text + 4, ADDR_TEXT_MAX - 4);
}

static void format_unix(const struct addr *addr, char *text)
{
	const size_t head = offsetof(struct sockaddr_un, sun_path);
	const char *path = addr->un.sun_path;

	if (addr->len <= head) {
		text[0] = '\0';
	} else if (path[0]) {
		format_path(addr, path, strnlen(path, addr->len - head), text);
	} else {
		text[0] = '@';
		format_name(path + 1, addr->len - head - 1, text + 1, ADDR_TEXT_MAX - 1);
	}
}

const char *addr_format(const struct addr *addr, char text[ADDR_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "";

	text[0] = '\0';
	if (!addr->len)
		return text;
	switch (addr->family) {
	case AF_INET:
		inet_ntop(AF_INET, &addr->in.sin_addr, host, sizeof(host));
		snprintf(text, ADDR_TEXT_MAX, "%s:%u", host, addr_port(addr));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &addr->in6.sin6_addr, host, sizeof(host));
		if (addr->in6.sin6_scope_id)
			snprintf(text, ADDR_TEXT_MAX, "[%s%%%u]:%u", host, addr->in6.sin6_scope_id,
				 addr_port(addr));
		else
			snprintf(text, ADDR_TEXT_MAX, "[%s]:%u", host, addr_port(addr));
		break;
	case AF_UNIX:
		format_unix(addr, text);
		break;
	}
	return text;
}

static bool parse_number(const char *text, unsigned long max, unsigned long *ret_value)
{
	char *end;
	unsigned long value;

	if (text[0] < '0' || text[0] > '9')
		return false;
	value = strtoul(text, &end, 10);
	if (*end || value > max)
		return false;
	*ret_value = value;
	return true;
}

static bool parse_inet6(struct addr *addr, char *text, unsigned long port)
{
	char *scope = strchr(text, '%');
	unsigned long id = 0;

	if (scope) {
		*scope++ = '\0';
		if (!parse_number(scope, UINT32_MAX, &id))
			return false;
	}
	addr->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
					   .sin6_port = htons((uint16_t)port),
					   .sin6_scope_id = (uint32_t)id };
	addr->len = sizeof(addr->in6);
	return inet_pton(AF_INET6, text, &addr->in6.sin6_addr) == 1;
}

static bool parse_inet(struct addr *addr, const char *text, unsigned long port)
{
	addr->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	addr->len = sizeof(addr->in);
	return inet_pton(AF_INET, text, &addr->in.sin_addr) == 1;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool parse_unix(struct addr *addr, const char *text, size_t len)
{
	char *path = addr->un.sun_path;
	size_t at = 0, to = 0;

	addr->un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (text[0] == '@') {
		path[to++] = '\0';
		at++;
	}
	while (at < len) {
		if (to == sizeof(addr->un.sun_path))
			return false;
		if (len - at >= 4 && text[at] == '\\' && text[at + 1] == 'x' &&
		    hex_digit(text[at + 2]) >= 0 && hex_digit(text[at + 3]) >= 0) {
			path[to++] = (char)(hex_digit(text[at + 2]) * 16 + hex_digit(text[at + 3]));
			at += 4;
		} else {
			path[to++] = text[at++];
		}
	}
	addr->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + to);
	return true;
}

bool addr_parse(struct addr *ret_addr, const char *text, size_t len)
{
	struct addr addr = { 0 };
	char copy[ADDR_TEXT_MAX], *colon;
	unsigned long port;
	bool ok;

	if (!len || len >= sizeof(copy) || memchr(text, '\0', len))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	colon = strrchr(copy, ':');
	if (text[0] == '/' || text[0] == '@' || !colon || !parse_number(colon + 1, 65535, &port)) {
		ok = parse_unix(&addr, text, len);
	} else {
		*colon = '\0';
		if (copy[0] == '[' && colon > copy + 1 && colon[-1] == ']') {
			colon[-1] = '\0';
			ok = parse_inet6(&addr, copy + 1, port);
		} else {
			ok = parse_inet(&addr, copy, port);
		}
		if (!ok)
			ok = parse_unix(&addr, text, len);
	}
	if (ok)
		*ret_addr = addr;
	return ok;
}
