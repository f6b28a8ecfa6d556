#include "cmd/opt.h"

#include "base/log.h"
#include "base/own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
	const struct opt_group *groups;
	void *settings;
	int argc, at;
	char *const *argv;
};

void opt_list_add(struct opt_list *list, const char *item)
{
	list->items = own_realloc(list->items, (list->count + 1) * sizeof(*list->items));
	list->items[list->count++] = item;
}

void opt_list_done(struct opt_list *list)
{
	free(list->items);
	*list = (struct opt_list){ 0 };
}

struct unit {
	const char *suffix;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "", 1 },           { "k", 1ULL << 10 }, { "K", 1ULL << 10 },
	{ "M", 1ULL << 20 }, { "G", 1ULL << 30 }, { NULL, 0 },
};

static const struct unit time_units[] = {
	{ "", 1000000000ULL },
	{ "ms", 1000000ULL },
	{ "us", 1000ULL },
	{ "s", 1000000000ULL },
	{ "m", 60000000000ULL },
	{ "h", 3600000000000ULL },
	{ NULL, 0 },
};

static bool parse_number(const char *text, const struct unit *units, uint64_t *ret_value)
{
	char *end;
	double value;

	if (text[0] != '.' && (text[0] < '0' || text[0] > '9'))
		return false;
	errno = 0;
	value = strtod(text, &end);
	for (const struct unit *unit = units; unit->suffix; unit++) {
		if (strcmp(end, unit->suffix))
			continue;
		value *= (double)unit->factor;
		if (errno || value < 0 || value > 9e18)
			return false;
		*ret_value = (uint64_t)value;
		return true;
	}
	return false;
}

static bool parse_count(const char *text, uint64_t *ret_value)
{
	uint64_t value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end)
		return false;
	*ret_value = value;
	return true;
}

static bool set_value(const struct opt_row *row, void *target, const char *value)
{
	switch (row->kind) {
	case OPT_FLAG:
		*(bool *)target = true;
		return true;
	case OPT_LEVEL:
		++*(int *)target;
		return true;
	case OPT_TEXT:
		*(const char **)target = value;
		return true;
	case OPT_LIST:
		opt_list_add(target, value);
		return true;
	case OPT_COUNT:
		return parse_count(value, target);
	case OPT_SIZE:
		return parse_number(value, size_units, target);
	case OPT_TIME:
		return parse_number(value, time_units, target);
	case OPT_END:
		break;
	}
	return false;
}

static const struct opt_row *find(const struct cursor *cursor, const char *name, size_t len,
				  char letter, size_t *ret_offset)
{
	for (const struct opt_group *group = cursor->groups; group->rows; group++) {
		for (const struct opt_row *row = group->rows; row->kind != OPT_END; row++) {
			bool hit = name ? row->name && strlen(row->name) == len &&
						   !memcmp(row->name, name, len)
					: row->letter == letter;

			if (hit) {
				*ret_offset = group->offset + row->offset;
				return row;
			}
		}
	}
	return NULL;
}

static bool apply(struct cursor *cursor, const struct opt_row *row, size_t offset,
		  const char *shown, const char *value)
{
	if (row->arg && !value) {
		if (cursor->at >= cursor->argc) {
			log_error("option %s needs a value (%s)", shown, row->arg);
			return false;
		}
		value = cursor->argv[cursor->at++];
	}
	if (set_value(row, (char *)cursor->settings + offset, value))
		return true;
	log_error("option %s: '%s' is no %s", shown, value ? value : "",
		  row->arg ? row->arg : "value");
	return false;
}

static bool parse_long(struct cursor *cursor, const char *word)
{
	const char *name = word + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name), offset = 0;
	const struct opt_row *row = find(cursor, name, len, 0, &offset);

	if (!row) {
		log_error("there is no option %.*s; --help lists them", (int)len + 2, word);
		return false;
	}
	if (equals && !row->arg) {
		log_error("option --%s takes no value", row->name);
		return false;
	}
	return apply(cursor, row, offset, word, equals ? equals + 1 : NULL);
}

static bool parse_letters(struct cursor *cursor, const char *word)
{
	for (const char *letter = word + 1; *letter; letter++) {
		char shown[3] = { '-', *letter, '\0' };
		size_t offset = 0;
		const struct opt_row *row = find(cursor, NULL, 0, *letter, &offset);

		if (!row) {
			log_error("there is no option %s; --help lists them", shown);
			return false;
		}
		if (row->arg)
			return apply(cursor, row, offset, shown, letter[1] ? letter + 1 : NULL);
		apply(cursor, row, offset, shown, NULL);
	}
	return true;
}

static bool parse_option(struct cursor *cursor)
{
	const char *word = cursor->argv[cursor->at++];

	return word[1] == '-' ? parse_long(cursor, word) : parse_letters(cursor, word);
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

int opt_parse(const struct opt_group *groups, int argc, char *const *argv, void *settings)
{
	struct cursor cursor = { groups, settings, argc, 1, argv };

	while (cursor.at < argc && is_option(argv[cursor.at])) {
		if (!strcmp(argv[cursor.at], "--"))
			return cursor.at + 1;
		if (!parse_option(&cursor))
			return -1;
	}
	return cursor.at;
}

int opt_parse_mixed(const struct opt_group *groups, int argc, char *const *argv, void *settings,
		    struct opt_list *ret_words)
{
	struct cursor cursor = { groups, settings, argc, 1, argv };

	while (cursor.at < argc) {
		if (!strcmp(argv[cursor.at], "--"))
			return cursor.at + 1;
		if (!is_option(argv[cursor.at]))
			opt_list_add(ret_words, argv[cursor.at++]);
		else if (!parse_option(&cursor))
			return -1;
	}
	return cursor.at;
}

#define HELP_COLUMN 26

static void print_row(const struct opt_row *row)
{
	char left[80];
	int n;

	n = snprintf(left, sizeof(left), "  %c%c%s%s%s%s%s", row->letter ? '-' : ' ',
		     row->letter ? row->letter : ' ', row->letter && row->name ? ", " : "  ",
		     row->name ? "--" : "", row->name ? row->name : "", row->arg ? " " : "",
		     row->arg ? row->arg : "");
	if (n >= HELP_COLUMN)
		printf("%s\n%*s%s\n", left, HELP_COLUMN, "", row->help);
	else
		printf("%-*s%s\n", HELP_COLUMN, left, row->help);
}

void opt_print_help(const struct opt_group *groups)
{
	for (const struct opt_group *group = groups; group->rows; group++) {
		printf("\n%s:\n", group->title);
		for (const struct opt_row *row = group->rows; row->kind != OPT_END; row++)
			print_row(row);
	}
}
