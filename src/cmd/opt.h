/*
 * Command-line options as tables. --help, the parser and the check of the man page read the same
 * rows; a row says where in the command's settings its value goes.
 */
#ifndef CMD_OPT_H
#define CMD_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_kind {
	OPT_FLAG,  /* bool: true */
	OPT_TEXT,  /* const char * */
	OPT_LIST,  /* struct opt_list: may be repeated */
	OPT_COUNT, /* uint64_t */
	OPT_SIZE,  /* uint64_t: bytes, with k, M, G */
	OPT_TIME,  /* uint64_t: nanoseconds, from seconds or with ms, s, m, h */
	OPT_LEVEL, /* int: counts how often it was given */
	OPT_END,   /* ends a table */
};

struct opt_list {
	const char **items;
	size_t count;
};

struct opt_row {
	enum opt_kind kind;
	char letter;      /* 0: none */
	const char *name; /* without the dashes; NULL: none */
	const char *arg;  /* the value's name in the help, NULL: takes none */
	const char *help;
	size_t offset;
};

/* A table, for a part of the settings. */
struct opt_group {
	const char *title;
	const struct opt_row *rows;
	size_t offset;
};

/*
 * Parses argv from index 1 on up to the first word that is no option, or behind "--". Returns the
 * index of what follows, or -1 after a message.
 */
int opt_parse(const struct opt_group *groups, int argc, char *const *argv, void *settings);

/* The same, but words that are no options may stand between options: they are collected. */
int opt_parse_mixed(const struct opt_group *groups, int argc, char *const *argv, void *settings,
		    struct opt_list *ret_words);

void opt_print_help(const struct opt_group *groups);

void opt_list_add(struct opt_list *list, const char *item);
void opt_list_done(struct opt_list *list);

#endif
