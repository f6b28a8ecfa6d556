/* The commands: one file each, a row each in main.c's table. */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stdbool.h>

struct command {
	const char *name;    /* NULL: what is run where no other is named */
	const char *usage;   /* behind "iotrace " */
	const char *summary; /* one line */
	/* argv[0] is the command's name. The program's exit status. */
	int (*run)(int argc, char **argv);
};

/* Exit statuses of a trace (docs/iotrace.1). */
enum exit_status {
	EXIT_IOTRACE_FAILED = 125,
	EXIT_CANNOT_EXECUTE = 126,
	EXIT_NOT_FOUND = 127,
};

/* All commands; the last has no run. */
extern const struct command commands[];

int trace_main(int argc, char **argv);
int probes_main(int argc, char **argv);
int show_main(int argc, char **argv);
int export_main(int argc, char **argv);
int summary_main(int argc, char **argv);
int check_main(int argc, char **argv);
int diff_main(int argc, char **argv);
int rules_main(int argc, char **argv);
int learn_main(int argc, char **argv);

/* Wireshark asks by options alone; they are no command of the user's. */
bool extcap_is_meant(int argc, char *const *argv);
int extcap_main(int argc, char **argv);

#endif
