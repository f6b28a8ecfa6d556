#include "secret/command.h"

/* Commands whose arguments from a number on are secrets. */
static const struct row {
	const char *command;
	size_t from;
	const char *behind; /* an argument that must come first; NULL: none */
} rows[] = {
	{ "AUTH", 0, NULL },
	{ "HELLO", 0, "AUTH" },
	{ "MIGRATE", 0, "AUTH" },
	{ "MIGRATE", 0, "AUTH2" },
	{ "ACL", 2, "SETUSER" },
	{ "CONFIG", 0, "requirepass" },
	{ "CONFIG", 0, "masterauth" },
	{ "CONFIG", 0, "tls-key-file-pass" },
	{ "CONFIG", 0, "tls-client-key-file-pass" },
	{ "SENTINEL", 0, "auth-pass" },
	{ "Password", 0, NULL },
	{ NULL, 0, NULL },
};

/* The number of the argument behind that one; SIZE_MAX: it is not there. */
static size_t argument_behind(const struct message *message, struct span word)
{
	size_t number = 0;

	for (size_t i = 0; i < message->attr_count; i++) {
		if (message->attrs[i].key != ATTR_ARG)
			continue;
		number++;
		if (span_equal_nocase(message->attrs[i].value, word))
			return number;
	}
	return SIZE_MAX;
}

size_t secret_argument(const struct message *message)
{
	struct span command = message_value(message, ATTR_COMMAND);

	for (const struct row *row = rows; row->command; row++) {
		size_t number;

		if (!span_equal_nocase(command, span_text(row->command)))
			continue;
		number = row->behind ? argument_behind(message, span_text(row->behind)) : row->from;
		if (number != SIZE_MAX)
			return number > row->from ? number : row->from;
	}
	return SIZE_MAX;
}
