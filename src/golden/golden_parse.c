/* The text of a golden as a model: hostile bytes, errors by line. */
#include "base/own.h"
#include "base/utf8.h"
#include "golden/golden.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "#iotrace-golden"

struct parser {
	struct model *model;
	struct section *section;
	struct unit *unit;
	uint32_t line, conn;
	bool level, ended, builtin;
	struct buf marked;
	struct golden_error *error;
};

static bool fail(struct parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool fail(struct parser *parser, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	parser->error->line = parser->line;
	vsnprintf(parser->error->text, sizeof(parser->error->text), format, args);
	va_end(args);
	return false;
}

bool golden_is(struct span text)
{
	return span_starts(text, SPAN(MAGIC));
}

/* Length of "<type#12>" at the beginning, 0: there is none. */
static size_t placeholder(struct span text, struct span *ret_type, struct span *ret_number)
{
	size_t at = 1, digits;

	while (at < text.len &&
	       ((text.data[at] >= 'a' && text.data[at] <= 'z') || text.data[at] == '-'))
		at++;
	if (at == 1 || at > 40 || at >= text.len || text.data[at] != '#')
		return 0;
	*ret_type = span_cut(text, 1, at - 1);
	for (digits = ++at; at < text.len && text.data[at] >= '0' && text.data[at] <= '9'; at++)
		;
	if (at == digits || at - digits > 9 || at >= text.len || text.data[at] != '>')
		return 0;
	*ret_number = span_cut(text, digits, at - digits);
	return at + 1;
}

/* The text with marks for its placeholders; valid until the next call. */
static const char *mark(struct parser *parser, struct span text)
{
	struct values *values = &parser->model->values;
	struct span type, number;
	struct value *value;
	uint64_t digits;
	size_t len;

	parser->marked.len = 0;
	for (size_t at = 0; at < text.len; at += len) {
		struct span rest = span_cut(text, at, text.len);

		len = 1;
		if (rest.data[0] == '\\' && rest.len > 1)
			len = 2;
		if (rest.data[0] != '<' || !(len = placeholder(rest, &type, &number))) {
			len = len ? len : 1;
			buf_add(&parser->marked, rest.data, len);
			continue;
		}
		value = values_add(values, values_type(values, type), number);
		if (span_number(number, 10, &digits))
			value->number = (uint32_t)digits;
		value_add_mark(&parser->marked, value);
	}
	return buf_cstr(&parser->marked);
}

static bool parse_level(struct parser *parser, struct span rest)
{
	for (int i = 0; i < GOLDEN_LEVELS; i++)
		if (span_equal(rest, span_text(golden_level_names[i]))) {
			parser->model->level = (enum golden_level)i;
			parser->level = true;
			return true;
		}
	return fail(parser, "the level is peers, requests or full");
}

static bool parse_rules(struct parser *parser, struct span rest)
{
	uint64_t version;

	if (!span_starts(rest, SPAN("builtin ")) ||
	    !span_number(span_cut(rest, 8, rest.len), 10, &version) || version > 1000000)
		return fail(parser, "'rules builtin VERSION' was expected");
	parser->model->builtin = (unsigned int)version;
	parser->builtin = true;
	return true;
}

static bool parse_ended(struct parser *parser, struct span rest)
{
	struct model *model = parser->model;
	struct span word = span_split(&rest, ' ');
	uint64_t status = 0;

	parser->ended = true;
	if (span_equal(word, SPAN("unknown")) && !rest.len)
		return true;
	model->ended = span_equal(word, SPAN("signal")) ? ENDED_SIGNAL : ENDED_EXIT;
	if ((model->ended == ENDED_EXIT && !span_equal(word, SPAN("exit"))) ||
	    !span_number(rest, 10, &status) || status > 255)
		return fail(parser, "'ended exit STATUS' or 'ended signal NUMBER' was expected");
	model->status = (int)status;
	return true;
}

static bool ends_with(struct span *text, const char *end)
{
	size_t len = strlen(end);

	if (text->len < len || memcmp(text->data + text->len - len, end, len))
		return false;
	text->len -= len;
	return true;
}

static bool parse_section(struct parser *parser, struct span whole)
{
	bool any = ends_with(&whole, " any order"), strict = ends_with(&whole, " strict order");

	if (!parser->level || !parser->ended || !parser->builtin)
		return fail(parser, "'level', 'rules' and 'ended' come before the first peer");
	parser->section = model_add_section(parser->model, mark(parser, whole));
	parser->section->any = any;
	parser->section->strict = strict;
	parser->section->number = parser->line;
	parser->unit = NULL;
	parser->conn = 0;
	return true;
}

static bool parse_exchange(struct parser *parser, struct span rest)
{
	if (!parser->section)
		return fail(parser, "an exchange before the first peer");
	if (!parser->section->any && !parser->conn)
		return fail(parser, "an exchange before the first 'connection'");
	parser->unit = model_unit(parser->model, mark(parser, rest));
	parser->unit->conn = parser->conn;
	parser->unit->number = parser->line;
	model_add_unit(parser->section, parser->unit);
	return true;
}

static bool parse_connection(struct parser *parser, struct span rest)
{
	(void)rest;
	if (!parser->section || parser->section->any)
		return fail(parser, "a connection where none can be");
	parser->conn = ++parser->section->conns;
	parser->unit = NULL;
	return true;
}

static bool parse_times(struct parser *parser, struct span rest)
{
	uint64_t times = 0;

	if (!parser->unit || parser->unit->count || parser->unit->times != 1)
		return fail(parser, "'times' stands right below its exchange, once");
	if (span_equal(rest, SPAN("any"))) {
		parser->unit->times = TIMES_ANY;
		return true;
	}
	if (!span_number(rest, 10, &times) || times < 2 || times >= TIMES_ANY)
		return fail(parser, "'times' is 'any' or a number above 1");
	parser->unit->times = (uint32_t)times;
	return true;
}

struct keyword {
	const char *name;
	bool (*parse)(struct parser *parser, struct span rest);
	bool whole; /* it is given the line with the word */
};

static const struct keyword keywords[] = {
	{ "level ", parse_level, false },
	{ "rules ", parse_rules, false },
	{ "ended ", parse_ended, false },
	{ "peer ", parse_section, true },
	{ "served ", parse_section, true },
	{ "connection", parse_connection, false },
	{ "exchange ", parse_exchange, false },
	{ "  times ", parse_times, false },
	{ NULL, NULL, false },
};

static bool is_conflict(struct span line)
{
	return span_starts(line, SPAN("<<<<<<<")) || span_starts(line, SPAN("=======")) ||
	       span_starts(line, SPAN(">>>>>>>")) || span_starts(line, SPAN("|||||||"));
}

static bool parse_content(struct parser *parser, struct span line)
{
	struct line *added;

	if (!parser->unit)
		return fail(parser, "a line of an exchange before the first exchange");
	added = model_add_line(parser->model, parser->unit, LINE_OTHER, NULL,
			       span_text(mark(parser, span_cut(line, 2, line.len))));
	added->number = parser->line;
	return true;
}

static bool parse_line(struct parser *parser, struct span line)
{
	if (!line.len || line.data[0] == '#')
		return true;
	if (is_conflict(line))
		return fail(parser, "a merge conflict: resolve it, or write the golden anew with "
				    "--update");
	if (!utf8_valid(line.data, line.len) || memchr(line.data, '\0', line.len) ||
	    memchr(line.data, MARK_BEGIN, line.len) || memchr(line.data, MARK_END, line.len))
		return fail(parser, "this is no text of iotrace's: the file is damaged");
	for (const struct keyword *word = keywords; word->name; word++)
		if (span_starts(line, span_text(word->name)))
			return word->parse(
				parser,
				span_cut(line, word->whole ? 0 : strlen(word->name), line.len));
	if (line.len > 3 && span_starts(line, SPAN("  ")) && line.data[3] == ' ' &&
	    (line.data[2] == '>' || line.data[2] == '<'))
		return parse_content(parser, line);
	return fail(parser, "not understood: '%.*s'", line.len < 40 ? (int)line.len : 40,
		    (const char *)line.data);
}

static bool parse_magic(struct parser *parser, struct span line)
{
	uint64_t version;

	if (!golden_is(line))
		return fail(parser, "no golden of iotrace: the first line must be '" MAGIC " %d'",
			    GOLDEN_VERSION);
	line = span_trim(span_cut(line, strlen(MAGIC), line.len), " \r");
	if (!span_number(line, 10, &version) || !version)
		return fail(parser, "'" MAGIC " VERSION' was expected");
	if (version > GOLDEN_VERSION)
		return fail(parser,
			    "a golden of version %lu: this iotrace reads up to version %d, a newer "
			    "one wrote it",
			    version, GOLDEN_VERSION);
	return true;
}

static bool parse_all(struct parser *parser, struct span text)
{
	struct model *model = parser->model;
	size_t room = 0;

	while (text.len) {
		struct span line = span_split(&text, '\n');

		while (line.len && line.data[line.len - 1] == '\r')
			line.len--;
		if (model->line_count == room) {
			room = room ? room * 2 : 256;
			model->lines = own_realloc(model->lines, room * sizeof(line));
		}
		model->lines[model->line_count++] = line;
		parser->line++;
		if (!(parser->line == 1 ? parse_magic(parser, line) : parse_line(parser, line)))
			return false;
	}
	if (!parser->level || !parser->ended || !parser->builtin)
		return fail(parser, "the file ends before 'level', 'rules' and 'ended' were there");
	return true;
}

struct model *golden_parse(struct span text, struct golden_error *ret_error)
{
	struct parser parser = { .model = model_new(LEVEL_FULL), .error = ret_error };
	bool good;

	*ret_error = (struct golden_error){ 0 };
	if (!text.len)
		good = fail(&parser, "it is empty");
	else if (text.len > GOLDEN_MAX)
		good = fail(&parser, "it is longer than %u bytes", GOLDEN_MAX);
	else
		good = parse_all(&parser, text);
	buf_done(&parser.marked);
	if (good)
		return parser.model;
	model_free(parser.model);
	return NULL;
}
