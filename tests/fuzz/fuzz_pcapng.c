/* Any capture through the assembler of streams into packets, of both layers. */
#include "fuzz.h"
#include "sink/format.h"
#include "store/reader.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct sink *open_sink(int fd, bool plain)
{
	const struct format_options options = { .pcap_plain = plain, .pcap_raw = plain };

	return format_by_name("pcapng")->open(out_from_fd(fd, "null"), &options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct reader_options options = { .payload_max = 1 << 20 };
	static int null = -1;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct sink *sinks[2];
	struct reader *reader;
	struct event *event;

	if (null < 0)
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
		abort();
	sinks[0] = open_sink(null, false);
	sinks[1] = open_sink(null, true);
	reader = reader_from_fd(fd, "-", &options);
	while (reader_next(reader, &event) > 0) {
		sink_emit(sinks[0], event);
		sink_emit(sinks[1], event);
		event_unref(event);
	}
	sink_finish(sinks[0]);
	sink_finish(sinks[1]);
	reader_free(reader);
	return 0;
}
