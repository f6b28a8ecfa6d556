#include "decode/dns_text.h"

#include <arpa/inet.h>
#include <stdio.h>

/* RFC 1035, 3.1 and 4.1.4: a name has 255 bytes, and a pointer points backwards. */
#define NAME_MAX_LEN 255
#define JUMPS_MAX    64

static void add_hex(struct buf *out, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		buf_addf(out, "%02x", bytes.data[i]);
}

static void add_label(struct buf *out, struct span label)
{
	for (size_t i = 0; i < label.len; i++) {
		uint8_t c = label.data[i];

		if (c == '.' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c > ' ' && c < 0x7f)
			buf_addc(out, (char)c);
		else
			buf_addf(out, "\\%03u", c);
	}
}

void dns_add_name(struct buf *out, struct span whole, struct reader *reader)
{
	struct reader inner = *reader;
	size_t start = out->len, total = 0;
	int jumps = 0;

	for (;;) {
		uint8_t len = reader_u8(&inner);

		if (len >= 0xc0) {
			size_t target = (size_t)(len & 0x3f) << 8 | reader_u8(&inner);

			if (!jumps++)
				reader->at = inner.at;
			if (jumps > JUMPS_MAX || target >= whole.len)
				inner.bad = true;
			else
				inner = reader_of(span_cut(whole, target, whole.len));
		} else if (len > 63 || (total += len + 1U) > NAME_MAX_LEN) {
			inner.bad = true;
		} else if (len) {
			if (out->len > start)
				buf_addc(out, '.');
			add_label(out, reader_take(&inner, len));
		}
		if (inner.bad || !len)
			break;
	}
	if (out->len == start)
		buf_addc(out, '.');
	if (!jumps)
		reader->at = inner.at;
	reader->bad |= inner.bad;
}

/* Of character strings (RFC 1035, 5.1). */
static void add_quoted(struct buf *out, struct span text)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c >= ' ' && c < 0x7f)
			buf_addc(out, (char)c);
		else
			buf_addf(out, "\\%03u", c);
	}
	buf_addc(out, '"');
}

static void add_address(struct buf *out, int family, struct span bytes)
{
	char text[INET6_ADDRSTRLEN];

	if (bytes.len && inet_ntop(family, bytes.data, text, sizeof(text)))
		buf_adds(out, text);
}

static void add_strings(struct buf *out, struct reader *reader)
{
	const char *space = "";

	while (reader_left(reader) && !reader->bad) {
		buf_adds(out, space);
		add_quoted(out, reader_take(reader, reader_u8(reader)));
		space = " ";
	}
}

/* Service parameters (RFC 9460, 14.3.2). */
enum { SVC_MANDATORY, SVC_ALPN, SVC_NO_DEFAULT_ALPN, SVC_PORT, SVC_IPV4, SVC_ECH, SVC_IPV6 };

static const char *const svc_names[] = {
	[SVC_MANDATORY] = "mandatory",
	[SVC_ALPN] = "alpn",
	[SVC_NO_DEFAULT_ALPN] = "no-default-alpn",
	[SVC_PORT] = "port",
	[SVC_IPV4] = "ipv4hint",
	[SVC_ECH] = "ech",
	[SVC_IPV6] = "ipv6hint",
};

static void add_svc_item(struct buf *out, unsigned int key, struct reader *reader)
{
	switch (key) {
	case SVC_ALPN:
		add_label(out, reader_take(reader, reader_u8(reader)));
		break;
	case SVC_MANDATORY:
	case SVC_PORT:
		buf_addu(out, reader_u16(reader));
		break;
	case SVC_IPV4:
		add_address(out, AF_INET, reader_take(reader, 4));
		break;
	case SVC_IPV6:
		add_address(out, AF_INET6, reader_take(reader, 16));
		break;
	default:
		add_hex(out, reader_rest(reader));
	}
}

static void add_svc(struct buf *out, struct reader *reader)
{
	while (reader_left(reader) && !reader->bad) {
		unsigned int key = reader_u16(reader);
		struct reader value = reader_of(reader_take(reader, reader_u16(reader)));
		char mark = '=';

		if (key < sizeof(svc_names) / sizeof(svc_names[0]))
			buf_addf(out, " %s", svc_names[key]);
		else
			buf_addf(out, " key%u", key);
		while (reader_left(&value) && !value.bad) {
			buf_addc(out, mark);
			add_svc_item(out, key, &value);
			mark = ',';
		}
		reader->bad |= value.bad;
	}
}

static void add_bitmap(struct buf *out, struct reader *reader);

/*
 * How the data of a record are written: a and A addresses, n a name, 1 2 4 numbers of so many bytes, s
 * strings up to the end, q one string, t text up to the end, v service parameters, h the rest in hex, b
 * types (NSEC).
 */
static const struct record_row {
	uint16_t type;
	const char *name;
	const char *form;
} record_rows[] = {
	{ 1, "A", "a" },
	{ 2, "NS", "n" },
	{ 5, "CNAME", "n" },
	{ 6, "SOA", "nn44444" },
	{ 12, "PTR", "n" },
	{ 13, "HINFO", "s" },
	{ 15, "MX", "2n" },
	{ 16, "TXT", "s" },
	{ 28, "AAAA", "A" },
	{ 29, "LOC", "h" },
	{ 33, "SRV", "222n" },
	{ 35, "NAPTR", "22qqqn" },
	{ 39, "DNAME", "n" },
	{ DNS_TYPE_OPT, "OPT", "h" },
	{ 43, "DS", "211h" },
	{ 44, "SSHFP", "11h" },
	{ 46, "RRSIG", "2114442nh" },
	{ 47, "NSEC", "nb" },
	{ 48, "DNSKEY", "211h" },
	{ 50, "NSEC3", "h" },
	{ 52, "TLSA", "111h" },
	{ 64, "SVCB", "2nv" },
	{ 65, "HTTPS", "2nv" },
	{ 250, "TSIG", "h" },
	{ 251, "IXFR", "h" },
	{ 252, "AXFR", "h" },
	{ 255, "ANY", "h" },
	{ 257, "CAA", "1qt" },
};

static const struct record_row *find_row(uint16_t type)
{
	for (size_t i = 0; i < sizeof(record_rows) / sizeof(record_rows[0]); i++)
		if (record_rows[i].type == type)
			return &record_rows[i];
	return NULL;
}

static void add_type(struct buf *out, uint16_t type)
{
	const struct record_row *row = find_row(type);

	if (row)
		buf_adds(out, row->name);
	else
		buf_addf(out, "TYPE%u", type);
}

static void add_bitmap(struct buf *out, struct reader *reader)
{
	const char *space = "";

	while (reader_left(reader) && !reader->bad) {
		unsigned int window = reader_u8(reader);
		struct span bits = reader_take(reader, reader_u8(reader));

		for (size_t i = 0; i < bits.len * 8 && i < 256; i++) {
			if (!(bits.data[i / 8] & 0x80 >> i % 8))
				continue;
			buf_adds(out, space);
			add_type(out, (uint16_t)(window << 8 | i));
			space = " ";
		}
	}
}

static void add_part(struct buf *out, char part, struct span whole, struct reader *reader)
{
	switch (part) {
	case 'a':
		add_address(out, AF_INET, reader_take(reader, 4));
		break;
	case 'A':
		add_address(out, AF_INET6, reader_take(reader, 16));
		break;
	case 'n':
		dns_add_name(out, whole, reader);
		break;
	case 's':
		add_strings(out, reader);
		break;
	case 'q':
		add_quoted(out, reader_take(reader, reader_u8(reader)));
		break;
	case 't':
		add_quoted(out, reader_rest(reader));
		break;
	case 'v':
		add_svc(out, reader);
		break;
	case 'b':
		add_bitmap(out, reader);
		break;
	case 'h':
		add_hex(out, reader_rest(reader));
		break;
	default:
		buf_addu(out, reader_be(reader, (size_t)(part - '0')));
	}
}

/* False where the data are not what the type wants; names in them may point anywhere before. */
static bool add_data(struct buf *out, struct span whole, const struct dns_record *record)
{
	const struct record_row *row = find_row(record->type);
	struct reader reader = reader_of(record->data);

	for (const char *part = row ? row->form : "h"; *part; part++) {
		if (*part != 'v')
			buf_addc(out, ' ');
		add_part(out, *part, whole, &reader);
	}
	return !reader.bad && !reader_left(&reader);
}

static void add_class(struct buf *out, uint16_t class)
{
	static const char *const names[] = {
		[3] = "CH", [4] = "HS", [254] = "NONE", [255] = "ANY"
	};

	/* The highest bit is multicast DNS's (RFC 6762, 10.2). */
	class &= 0x7fff;
	if (class == 1)
		return;
	if (class < sizeof(names) / sizeof(names[0]) && names[class])
		buf_addf(out, " %s", names[class]);
	else
		buf_addf(out, " CLASS%u", class);
}

void dns_add_question(struct buf *out, struct span whole, struct reader *reader)
{
	uint16_t type;

	dns_add_name(out, whole, reader);
	type = reader_u16(reader);
	add_class(out, reader_u16(reader));
	buf_addc(out, ' ');
	add_type(out, type);
}

void dns_add_record(struct buf *out, struct span whole, struct reader *reader,
		    struct dns_record *ret_record)
{
	struct dns_record *record = ret_record;
	size_t before;

	*record = (struct dns_record){ 0 };
	dns_add_name(out, whole, reader);
	record->type = reader_u16(reader);
	record->class = reader_u16(reader);
	record->ttl = reader_u32(reader);
	record->data = reader_take(reader, reader_u16(reader));
	buf_addf(out, " %u", record->ttl);
	if (record->type != DNS_TYPE_OPT)
		add_class(out, record->class);
	buf_addc(out, ' ');
	add_type(out, record->type);
	before = out->len;
	if (reader->bad || add_data(out, whole, record))
		return;
	/* RFC 3597, 5: data of any type. */
	out->len = before;
	buf_addf(out, " \\# %zu ", record->data.len);
	add_hex(out, record->data);
}

enum { OPTION_SUBNET = 8, OPTION_COOKIE = 10, OPTION_PADDING = 12, OPTION_ERROR = 15 };

static void add_option(struct buf *out, unsigned int option, struct span value)
{
	struct reader reader = reader_of(value);

	if (option == OPTION_COOKIE) {
		buf_adds(out, " cookie ");
		add_hex(out, value);
	} else if (option == OPTION_SUBNET) {
		unsigned int family = reader_u16(&reader), bits = reader_u8(&reader);
		uint8_t address[16] = { 0 };
		struct span given;

		reader_u8(&reader);
		given = reader_rest(&reader);
		memcpy(address, given.data ? given.data : address, given.len < 16 ? given.len : 16);
		buf_adds(out, " subnet ");
		add_address(out, family == 1 ? AF_INET : AF_INET6, span_of(address, 16));
		buf_addf(out, "/%u", bits);
	} else if (option == OPTION_ERROR) {
		buf_addf(out, " error %u ", reader_u16(&reader));
		add_quoted(out, reader_rest(&reader));
	} else if (option == OPTION_PADDING) {
		buf_addf(out, " padding %zu", value.len);
	} else {
		buf_addf(out, " option%u ", option);
		add_hex(out, value);
	}
}

void dns_add_edns(struct buf *out, const struct dns_record *record)
{
	struct reader reader = reader_of(record->data);

	buf_addf(out, "version %u udp %u%s", record->ttl >> 16 & 0xff, record->class,
		 record->ttl & 0x8000 ? " do" : "");
	while (reader_left(&reader) && !reader.bad) {
		unsigned int option = reader_u16(&reader);
		struct span value = reader_take(&reader, reader_u16(&reader));

		if (!reader.bad)
			add_option(out, option, value);
	}
}

void dns_add_rcode(struct buf *out, unsigned int rcode)
{
	static const char *const names[] = {
		"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",  "REFUSED",
		"YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE",
	};

	if (rcode < sizeof(names) / sizeof(names[0]))
		buf_adds(out, names[rcode]);
	else if (rcode == 16)
		buf_adds(out, "BADVERS");
	else if (rcode == 23)
		buf_adds(out, "BADCOOKIE");
	else
		buf_addf(out, "RCODE%u", rcode);
}
