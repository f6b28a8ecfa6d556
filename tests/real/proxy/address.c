#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct address address_parse(const char *text)
{
	struct address address = { 0 };
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	size_t len = colon ? (size_t)(colon - text) : 0;
	uint16_t port;

	errno = 0;
	if (!strncmp(text, "unix:", 5)) {
		address.un.sun_family = AF_UNIX;
		if (strlen(text + 5) >= sizeof(address.un.sun_path))
			die("%s", text);
		strcpy(address.un.sun_path, text + 5);
		address.len = sizeof(address.un);
		return address;
	}
	if (!colon || len >= sizeof(host))
		die("%s", text);
	memcpy(host, text, len);
	host[len] = '\0';
	port = htons((uint16_t)atoi(colon + 1));
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		address.in6.sin6_family = AF_INET6;
		address.in6.sin6_port = port;
		address.len = sizeof(address.in6);
		if (inet_pton(AF_INET6, host + 1, &address.in6.sin6_addr) == 1)
			return address;
	}
	address = (struct address){ .len = sizeof(address.in) };
	address.in.sin_family = AF_INET;
	address.in.sin_port = port;
	if (inet_pton(AF_INET, host, &address.in.sin_addr) != 1)
		die("%s", text);
	return address;
}

/* \u00XX is wrong for bytes over 0x7f, but clear. */
static void format_path(const struct address *address, char text[ADDRESS_TEXT])
{
	size_t len = address->len - offsetof(struct sockaddr_un, sun_path);
	const char *path = address->un.sun_path;

	if (address->len <= offsetof(struct sockaddr_un, sun_path))
		len = 0;
	if (len && path[0])
		len = strnlen(path, len);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)path[i];

		if (!i && !c)
			*text++ = '@';
		else if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
			text += sprintf(text, "\\u%04x", c);
		else
			*text++ = (char)c;
	}
	*text = '\0';
}

void address_format(const struct address *address, char text[ADDRESS_TEXT])
{
	const struct in6_addr *six = &address->in6.sin6_addr;
	char host[INET6_ADDRSTRLEN];

	text[0] = '\0';
	if (address->sa.sa_family == AF_UNIX) {
		format_path(address, text);
	} else if (address->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address->in.sin_addr, host, sizeof(host));
		sprintf(text, "%s:%u", host, ntohs(address->in.sin_port));
	} else if (address->sa.sa_family == AF_INET6) {
		bool mapped = IN6_IS_ADDR_V4MAPPED(six);

		inet_ntop(mapped ? AF_INET : AF_INET6, six->s6_addr + (mapped ? 12 : 0), host,
			  sizeof(host));
		sprintf(text, mapped ? "%s:%u" : "[%s]:%u", host, ntohs(address->in6.sin6_port));
	}
}

void address_of_socket(int fd, struct address *ret_address)
{
	ret_address->len = ADDRESS_ROOM;
	if (getsockname(fd, &ret_address->sa, &ret_address->len))
		ret_address->len = 0;
}
