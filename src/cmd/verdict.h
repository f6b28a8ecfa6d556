/* Where the verdict of check and diff goes: standard output, files, GitHub's step. */
#ifndef CMD_VERDICT_H
#define CMD_VERDICT_H

#include "cmd/opt.h"
#include "golden/report.h"

struct verdict_settings {
	const char *junit, *html, *color;
};

extern const struct opt_row verdict_options[];

/* Sentences about a run, besides what differs. */
struct problems {
	char **items;
	size_t count;
};

void problems_add(struct problems *problems, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void problems_done(struct problems *problems);

/* 0, or -1 after a message where one of the files cannot be written. */
int verdict_tell(const struct verdict_settings *settings, struct verdict *verdict,
		 const struct problems *problems);

#endif
