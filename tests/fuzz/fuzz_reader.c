/* Any bytes as a capture. What comes out must be events that can be looked at. */
#include "fuzz.h"
#include "store/encode.h"
#include "store/reader.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct reader_options options = { .payload_max = 1 << 20 };
	static const struct encode_options encoding;
	struct buf buf = { 0 };
	struct event *event;
	struct reader *reader;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
		abort();
	reader = reader_from_fd(fd, "-", &options);
	while (reader_next(reader, &event) > 0) {
		buf.len = 0;
		encode_event(&buf, event, &encoding);
		buf_add(&buf, event->data.payload, encode_payload_len(event));
		event_unref(event);
	}
	buf_done(&buf);
	reader_free(reader);
	return 0;
}
