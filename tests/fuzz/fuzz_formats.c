/* Any capture in all formats; for packets, through the assembler of streams, both layers. */
#include "fuzz.h"
#include "store/reader.h"
#include "view/format.h"
#include "view/view.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SINKS_MAX 32

static struct sink *open_sink(const struct format *format, int fd, bool plain)
{
	const struct format_options options = { .color = plain,
						.relative = plain,
						.pcap_plain = plain,
						.pcap_raw = plain,
						.redact = plain,
						.level = plain ? LEVEL_WHOLE : LEVEL_LINES,
						.columns = plain ? 100 : 0 };

	return format->open(out_from_fd(fd, "null"), &options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct reader_options options = { .payload_max = 1 << 16 };
	static int null = -1;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct sink *sinks[SINKS_MAX];
	size_t count = 0;
	struct reader *reader;
	struct event *event;

	if (null < 0)
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
		abort();
	for (const struct format *format = formats; format->name; format++) {
		sinks[count++] = open_sink(format, null, false);
		sinks[count++] = open_sink(format, null, true);
	}
	reader = reader_from_fd(fd, "-", &options);
	while (reader_next(reader, &event) > 0) {
		for (size_t i = 0; i < count; i++)
			sink_emit(sinks[i], event);
		event_unref(event);
	}
	for (size_t i = 0; i < count; i++)
		sink_finish(sinks[i]);
	reader_free(reader);
	return 0;
}
