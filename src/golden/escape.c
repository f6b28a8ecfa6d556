#include "golden/escape.h"

#include "base/json.h"
#include "base/utf8.h"

#include <string.h>

/* "<uuid#1>", "<secret:NAME>", "<time>" as the traffic's own words. */
static bool looks_like_placeholder(struct span text)
{
	size_t at = 1;

	while (at < text.len &&
	       ((text.data[at] >= 'a' && text.data[at] <= 'z') || text.data[at] == '-'))
		at++;
	return at > 1 && at < text.len &&
	       (text.data[at] == '#' || text.data[at] == ':' || text.data[at] == '>');
}

static void add_code(struct buf *out, uint32_t code, const uint8_t *bytes, size_t len)
{
	static const char letters[] = "\n\r\t", names[] = "nrt";
	const char *found = code ? memchr(letters, (int)code, 3) : NULL;

	if (code == '\\')
		buf_adds(out, "\\\\");
	else if (code < 128 && found)
		buf_addf(out, "\\%c", names[found - letters]);
	else if (!len)
		buf_addf(out, "\\x%02x", *bytes);
	else if (code < 32 || code == 127)
		buf_addf(out, "\\x%02x", code);
	else if (!utf8_shown(code))
		buf_addf(out, "\\u{%x}", code);
	else
		buf_add(out, bytes, len);
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '\\' && c != '<' && c != '"';
}

void escape_add(struct buf *out, struct span bytes, enum escape escape)
{
	size_t at = 0, len;
	uint32_t code;

	while (at < bytes.len) {
		for (len = 0; at + len < bytes.len && is_plain(bytes.data[at + len]); len++)
			;
		buf_add(out, bytes.data + at, len);
		at += len;
		if (at == bytes.len)
			return;
		code = 0;
		len = utf8_decode(bytes.data + at, bytes.len - at, &code);
		if (bytes.data[at] == '<')
			buf_adds(out, !looks_like_placeholder(span_cut(bytes, at, bytes.len)) ? "<"
				      : escape == ESCAPE_JSON ? "\\u003c"
							      : "\\<");
		else if (escape == ESCAPE_TEXT)
			add_code(out, len ? code : 0, bytes.data + at, len);
		else
			json_add_escaped(out, (const char *)bytes.data + at, len ? len : 1);
		at += len ? len : 1;
	}
}
