#include "sink/pcap_block.h"

#include <string.h>

enum block {
	BLOCK_INTERFACE = 1,
	BLOCK_NAMES = 4,
	BLOCK_PACKET = 6,
	BLOCK_SECRETS = 10,
	BLOCK_SECTION = 0x0a0d0d0a,
};

enum option {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	SECTION_OS = 3,
	SECTION_APPLICATION = 4,
	INTERFACE_NAME = 2,
	INTERFACE_DESCRIPTION = 3,
	INTERFACE_RESOLUTION = 9,
	PACKET_FLAGS = 2,
	PACKET_PROCESS = 8,
};

enum name_record { NAME_END, NAME_IPV4, NAME_IPV6 };

#define SECRETS_TLS_KEY_LOG 0x544c534b /* "TLSK" */

static void add16(struct buf *buf, uint16_t value)
{
	buf_add(buf, &value, sizeof(value));
}

static void add32(struct buf *buf, uint32_t value)
{
	buf_add(buf, &value, sizeof(value));
}

static void pad(struct buf *buf, size_t len)
{
	static const char zeros[4];

	buf_add(buf, zeros, (4 - len % 4) % 4);
}

static size_t begin(struct buf *buf, uint32_t type)
{
	size_t begun = buf->len;

	add32(buf, type);
	add32(buf, 0);
	return begun;
}

/* A block has its length at both ends. */
static void end(struct buf *buf, size_t begun)
{
	uint32_t len = (uint32_t)(buf->len - begun + 4);

	add32(buf, len);
	memcpy(buf->data + begun + 4, &len, sizeof(len));
}

static void add_option(struct buf *buf, enum option code, const void *data, size_t len)
{
	add16(buf, (uint16_t)code);
	add16(buf, (uint16_t)len);
	buf_add(buf, data, len);
	pad(buf, len);
}

static void add_text_option(struct buf *buf, enum option code, const char *text)
{
	size_t len = strlen(text);

	add_option(buf, code, text, len < UINT16_MAX ? len : UINT16_MAX);
}

static void end_options(struct buf *buf)
{
	add_option(buf, OPTION_END, NULL, 0);
}

void pcap_add_section(struct buf *buf, const char *os)
{
	static const uint64_t unknown_length = UINT64_MAX;
	size_t begun = begin(buf, BLOCK_SECTION);

	add32(buf, 0x1a2b3c4d);
	add16(buf, 1);
	add16(buf, 0);
	buf_add(buf, &unknown_length, sizeof(unknown_length));
	add_text_option(buf, SECTION_OS, os);
	add_text_option(buf, SECTION_APPLICATION, "iotrace " IOTRACE_VERSION);
	end_options(buf);
	end(buf, begun);
}

void pcap_add_interface(struct buf *buf, uint16_t linktype)
{
	static const uint8_t nanoseconds = 9;
	size_t begun = begin(buf, BLOCK_INTERFACE);

	add16(buf, linktype);
	add16(buf, 0);
	add32(buf, 0);
	add_text_option(buf, INTERFACE_NAME, "iotrace");
	add_text_option(buf, INTERFACE_DESCRIPTION,
			"system calls as packets: bytes are real, headers are made up");
	add_option(buf, INTERFACE_RESOLUTION, &nanoseconds, sizeof(nanoseconds));
	end_options(buf);
	end(buf, begun);
}

/* Interface, time in two halves, captured and original length. */
#define PACKET_LENGTHS 20
#define PACKET_HEAD    28

size_t pcap_begin_packet(struct buf *buf, const struct pcap_packet *packet)
{
	size_t begun = begin(buf, BLOCK_PACKET);

	add32(buf, 0);
	add32(buf, (uint32_t)(packet->time >> 32));
	add32(buf, (uint32_t)packet->time);
	add32(buf, 0);
	add32(buf, 0);
	return begun;
}

void pcap_end_packet(struct buf *buf, size_t begun, const struct pcap_packet *packet)
{
	uint32_t lengths[2], flags = packet->outbound ? 2 : 1;
	uint32_t process[2] = { (uint32_t)packet->pid, (uint32_t)packet->tid };

	lengths[0] = (uint32_t)(buf->len - begun - PACKET_HEAD);
	lengths[1] = lengths[0] + (uint32_t)packet->left_out;
	memcpy(buf->data + begun + PACKET_LENGTHS, lengths, sizeof(lengths));
	pad(buf, lengths[0]);
	if (packet->comment)
		add_text_option(buf, OPTION_COMMENT, packet->comment);
	add_option(buf, PACKET_FLAGS, &flags, sizeof(flags));
	add_option(buf, PACKET_PROCESS, process, sizeof(process));
	end_options(buf);
	end(buf, begun);
}

void pcap_add_name(struct buf *buf, const uint8_t *addr, size_t len, const char *name)
{
	size_t begun = begin(buf, BLOCK_NAMES), name_len = strlen(name) + 1;

	add16(buf, len == 4 ? NAME_IPV4 : NAME_IPV6);
	add16(buf, (uint16_t)(len + name_len));
	buf_add(buf, addr, len);
	buf_add(buf, name, name_len);
	pad(buf, len + name_len);
	add16(buf, NAME_END);
	add16(buf, 0);
	end(buf, begun);
}

void pcap_add_secrets(struct buf *buf, const char *lines, size_t len)
{
	size_t begun = begin(buf, BLOCK_SECRETS);

	add32(buf, SECRETS_TLS_KEY_LOG);
	add32(buf, (uint32_t)len);
	buf_add(buf, lines, len);
	pad(buf, len);
	end(buf, begun);
}
