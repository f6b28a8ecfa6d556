#include "cmd/golden_file.h"

#include "base/log.h"
#include "base/own.h"
#include "store/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RULES_NAME ".iotrace-rules"

int check_worse(int status, int other)
{
	static const int order[] = { CHECK_USAGE, CHECK_MISSING,    CHECK_REFUSED, CHECK_FAILED,
				     CHECK_ENDED, CHECK_INCOMPLETE, CHECK_DIFFERS };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (status == order[i] || other == order[i])
			return order[i];
	return status ? status : other;
}

int golden_file_read(const char *name, size_t max, struct buf *ret_text)
{
	int fd auto_close = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, buf_reserve(ret_text, 1 << 16), 1 << 16);
		if (n > 0)
			ret_text->len += (size_t)n;
	} while ((n > 0 && ret_text->len <= max) || (n < 0 && errno == EINTR));
	if (n < 0)
		return -errno;
	return ret_text->len > max ? -EFBIG : 0;
}

static int write_all(int fd, const struct buf *text)
{
	for (size_t at = 0; at < text->len;) {
		ssize_t n = write(fd, text->data + at, text->len - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* A golden holds no secrets and belongs into a repository: it gets the usual rights. */
int golden_file_write(const char *name, const struct buf *text)
{
	char *path auto_free = own_printf("%s.tmp%d", name, (int)getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	int error = fd < 0 ? -errno : write_all(fd, text);

	if (fd >= 0 && close(fd) && !error)
		error = -errno;
	if (!error && rename(path, name))
		error = -errno;
	if (error && fd >= 0)
		unlink(path);
	if (error)
		log_errno(-error, "cannot write %s", name);
	return error;
}

static char *rules_beside(const char *golden)
{
	const char *slash = strrchr(golden, '/');
	char *path =
		own_printf("%.*s%s", slash ? (int)(slash + 1 - golden) : 0, golden, RULES_NAME);

	if (!access(path, F_OK))
		return path;
	free(path);
	return NULL;
}

int golden_file_rules(const char *name, const char *beside, struct rules *ret_rules)
{
	char *path auto_free = name ? own_strdup(name) : beside ? rules_beside(beside) : NULL;
	struct buf text auto_buf = { 0 };
	struct rules_error error;
	int result;

	if (!path)
		return 0;
	result = golden_file_read(path, RULES_FILE_MAX, &text);
	if (result) {
		log_errno(-result, "cannot read the rules %s", path);
		return CHECK_USAGE;
	}
	if (rules_parse(ret_rules, span_of(text.data, text.len), &error))
		return 0;
	log_error("%s:%u:%u: %s", path, error.line, error.column, error.text);
	return CHECK_USAGE;
}

void golden_file_unused(const struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->items[i];
		struct buf text auto_buf = { 0 };

		if (rule->hits)
			continue;
		rule_add_text(&text, rule);
		log_error("the rule in line %u was not used: %s", rule->line, buf_cstr(&text));
	}
}

static void doubt_damage(const char *name, const struct reader *reader, struct gather *gather)
{
	const struct reader_damage *damage = reader_damage(reader);

	if (damage->places)
		gather_doubt(gather, "%s is damaged: %lu bytes from %lu on cannot be read", name,
			     damage->bytes, damage->offset);
	if (damage->backwards)
		gather_doubt(gather, "%s: numbers of %lu events go back", name, damage->backwards);
	if (damage->missing)
		gather_doubt(gather, "the next part, %s, cannot be read", damage->missing);
	if (reader_cut(reader))
		gather_doubt(gather, "%s: %lu messages are longer than what is read", name,
			     reader_cut(reader));
}

int golden_file_capture(const char *name, struct gather *gather)
{
	struct reader_options options = { .payload_max = READER_PAYLOAD };
	struct reader *reader;
	struct event *event;
	int error, result;

	reader = reader_open(name, &options, &error);
	if (!reader) {
		log_errno(-error, "cannot open %s", name);
		return error == -ENOENT ? CHECK_USAGE : CHECK_FAILED;
	}
	while ((result = reader_next(reader, &event)) > 0) {
		sink_emit(gather_sink(gather), event);
		event_unref(event);
	}
	if (result < 0) {
		log_errno(-result, "cannot read %s", name);
		result = CHECK_FAILED;
	} else if (reader_damage(reader)->empty || reader_damage(reader)->foreign) {
		log_error("%s is %s", name,
			  reader_damage(reader)->empty ? "empty"
						       : "neither a capture nor a golden");
		result = CHECK_USAGE;
	} else {
		doubt_damage(name, reader, gather);
	}
	reader_free(reader);
	return result;
}

static int parse(struct golden_file *file, const char *name)
{
	struct golden_error error;

	file->model = golden_parse(span_of(file->text.data, file->text.len), &error);
	if (file->model)
		return 0;
	if (error.line)
		log_error("%s:%u: %s", name, error.line, error.text);
	else
		log_error("%s: %s", name, error.text);
	return CHECK_USAGE;
}

int golden_file_load(const char *name, struct golden_file *ret_file)
{
	int error = golden_file_read(name, GOLDEN_MAX, &ret_file->text), result;

	if (error == -ENOENT)
		return CHECK_MISSING;
	if (error) {
		log_errno(-error, "cannot read %s", name);
		return CHECK_FAILED;
	}
	result = parse(ret_file, name);
	if (!result && ret_file->model->builtin > BUILTIN_VERSION) {
		log_error("%s was made with built-in rules of version %u, this iotrace has version "
			  "%d: use a newer one, or write it anew with --update",
			  name, ret_file->model->builtin, BUILTIN_VERSION);
		result = CHECK_USAGE;
	}
	return result;
}

void golden_file_parse(struct golden_file *file)
{
	parse(file, "this run");
}

void golden_file_done(struct golden_file *file)
{
	model_free(file->model);
	buf_done(&file->text);
	file->model = NULL;
}

int golden_file_level(const char *name)
{
	for (int i = 0; i < GOLDEN_LEVELS; i++)
		if (!name ? i == LEVEL_FULL : !strcmp(name, golden_level_names[i]))
			return i;
	log_error("--level is peers, requests or full, not '%s'", name);
	return -1;
}
