/* Every stream of tests/golden/streams: its messages are those of the file beside it, however it is cut. */
#include "recorded.h"
#include "unit.h"

#include <dirent.h>

static char *read_file(const char *name, const char *suffix)
{
	char path[512];
	int fd;
	char *text;

	snprintf(path, sizeof(path), "%s/%s%s", STREAMS_DIR, name, suffix);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return calloc(1, 1);
	text = unit_content(fd, NULL);
	close(fd);
	return text;
}

/* IOTRACE_UPDATE=1 makes what comes out the golden text: to be looked at before it is committed. */
static void update(const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.messages", STREAMS_DIR, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void check_stream(const char *name)
{
	const struct decode_options options = { .body_max = 4096 };
	char *text = read_file(name, ".stream"), *expected = read_file(name, ".messages"), *got;
	struct recorded *recorded = recorded_parse(text);

	got = recorded_decode_all(recorded, &options, name);
	if (getenv("IOTRACE_UPDATE"))
		update(name, got);
	else
		CHECK(!strcmp(got, expected), "%s: got\n%s", name, got);
	recorded_free(recorded);
	free(got);
	free(expected);
	free(text);
}

static void golden_streams(void **state)
{
	DIR *dir = opendir(STREAMS_DIR);
	const struct dirent *entry;
	size_t count = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name), suffix = strlen(".stream");
		char name[256];

		if (len <= suffix || strcmp(entry->d_name + len - suffix, ".stream"))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - suffix), entry->d_name);
		check_stream(name);
		count++;
	}
	closedir(dir);
	assert_true(count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(golden_streams) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
