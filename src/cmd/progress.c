#include "cmd/progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BEFORE_NS 1000000000ULL
#define EVERY_NS  100000000ULL
#define WIDTH     40

void progress_begin(struct progress *progress)
{
	*progress =
		(struct progress){ .wanted = isatty(STDERR_FILENO), .started = clock_monotonic() };
}

static void draw(const struct progress *progress, uint64_t done, uint64_t total, uint64_t now)
{
	double seconds = (double)(now - progress->started) / 1e9;
	double part = total ? (double)done / (double)total : 0;
	char bar[WIDTH + 1];
	int filled = part < 1 ? (int)(part * WIDTH) : WIDTH;

	memset(bar, ' ', WIDTH);
	memset(bar, '#', (size_t)filled);
	bar[WIDTH] = '\0';
	if (total)
		fprintf(stderr, "\r[%s] %3.0f %%  %.0f MB/s\x1b[K", bar, part * 100,
			(double)done / 1e6 / seconds);
	else
		fprintf(stderr, "\r%.0f MB  %.0f MB/s\x1b[K", (double)done / 1e6,
			(double)done / 1e6 / seconds);
}

void progress_update(struct progress *progress, uint64_t done, uint64_t total)
{
	uint64_t now;

	if (!progress->wanted)
		return;
	now = clock_monotonic();
	if (now - progress->started < BEFORE_NS || now - progress->last < EVERY_NS)
		return;
	progress->last = now;
	progress->shown = true;
	draw(progress, done, total, now);
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\x1b[K", stderr);
	progress->shown = false;
}
