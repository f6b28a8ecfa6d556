#include "store/decode.h"

#include "base/base64.h"
#include "base/own.h"
#include "base/utf8.h"
#include "event/field.h"
#include "iotrace/capture.h"
#include "store/draft.h"

#include <errno.h>
#include <string.h>

/* Longer ones are none of the format's. */
#define WORD_MAX 32U

/* SCM_MAX_FD, and more than anybody passes. */
#define FDS_MAX 1024U

struct decoder {
	uint64_t payload_max;
	struct draft draft;
	struct buf word;
	uint64_t part;
	struct buf next_file;
};

struct decoder *decoder_new(uint64_t payload_max)
{
	struct decoder *decoder = own_zalloc(sizeof(*decoder));

	decoder->payload_max = payload_max;
	draft_init(&decoder->draft);
	return decoder;
}

void decoder_free(struct decoder *decoder)
{
	if (!decoder)
		return;
	draft_done(&decoder->draft);
	buf_done(&decoder->word);
	buf_done(&decoder->next_file);
	free(decoder);
}

static void *member(struct decoder *decoder, const struct field *field)
{
	return (char *)decoder->draft.event + field->offset;
}

/* Where the text is in the draft's, in *ret_offset. */
static int read_text(struct decoder *decoder, struct source *source, size_t *ret_offset)
{
	struct buf *texts = &decoder->draft.texts;
	size_t offset = texts->len;
	uint64_t len;
	int result;

	buf_reserve(texts, 1);
	result = source->ops->text(source, texts, CAPTURE_EVENT_MAX, &len);
	if (result)
		return result;
	if (len > CAPTURE_EVENT_MAX || texts->len > 2 * CAPTURE_EVENT_MAX)
		return -EBADMSG;
	draft_end_text(&decoder->draft, offset);
	*ret_offset = offset;
	return 0;
}

/* A word of the format's own, in decoder->word; longer ones are none. */
static int read_word(struct decoder *decoder, struct source *source)
{
	uint64_t len;
	int result;

	decoder->word.len = 0;
	result = source->ops->text(source, &decoder->word, WORD_MAX, &len);
	if (len > WORD_MAX)
		decoder->word.len = 0;
	return result;
}

static int word_index(const struct decoder *decoder, const char *const *names, size_t count)
{
	const struct buf *word = &decoder->word;

	return word->len ? event_name_find(names, count, word->data, word->len) : -1;
}

static bool word_is(const struct decoder *decoder, const char *text)
{
	const struct buf *word = &decoder->word;

	return word->len == strlen(text) && !memcmp(word->data, text, word->len);
}

static bool key_is(const struct source_key *key, const char *text)
{
	return key->len == strlen(text) && !memcmp(key->text, text, key->len);
}

static int read_i32(struct source *source, int32_t *ret_value)
{
	struct source_number number;
	int result = source->ops->number(source, &number);

	if (!result && number.value > INT32_MAX)
		result = -EBADMSG;
	if (!result)
		*ret_value = number.negative ? -1 - (int32_t)number.value : (int32_t)number.value;
	return result;
}

static int read_unsigned(struct source *source, uint64_t max, uint64_t *ret_value)
{
	struct source_number number;
	int result = source->ops->number(source, &number);

	if (!result && (number.negative || number.value > max))
		result = -EBADMSG;
	if (!result)
		*ret_value = number.value;
	return result;
}

static int read_name(struct decoder *decoder, struct source *source, const struct field *field,
		     int *ret_value)
{
	int result = read_word(decoder, source), index;

	if (result)
		return result;
	index = word_index(decoder, field->names, field->name_count);
	/* A newer version's family or protocol is left out, but what an event is must be known. */
	if (index < 0 && field->rule == RULE_ALWAYS)
		return -EBADMSG;
	if (index >= 0)
		*ret_value = index;
	return 0;
}

static int read_comm(struct decoder *decoder, struct source *source, char comm[EVENT_COMM_MAX])
{
	struct buf *texts = &decoder->draft.texts;
	size_t offset, len;
	int result = read_text(decoder, source, &offset);

	if (result)
		return result;
	len = strlen(texts->data + offset);
	if (len > EVENT_COMM_MAX - 1)
		len = utf8_valid_prefix(texts->data + offset, EVENT_COMM_MAX - 1);
	memcpy(comm, texts->data + offset, len);
	comm[len] = '\0';
	texts->len = offset;
	return 0;
}

static int read_strings(struct decoder *decoder, struct source *source,
			struct event_strings *ret_strings)
{
	struct buf *texts = &decoder->draft.texts;
	size_t start = texts->len, offset;
	int result = source->ops->enter(source, false);

	while (!result && (result = source->ops->next(source)) > 0)
		result = read_text(decoder, source, &offset);
	if (result)
		return result;
	ret_strings->data = draft_pointer(start);
	ret_strings->len = texts->len - start;
	return 0;
}

static int read_error(struct decoder *decoder, struct source *source, int *ret_error)
{
	int result = read_word(decoder, source);

	if (result)
		return result;
	*ret_error = field_error_number(decoder->word.data, decoder->word.len);
	return *ret_error ? 0 : -EBADMSG;
}

static int read_flags(struct decoder *decoder, struct source *source, const struct field *field,
		      uint32_t *ret_flags)
{
	int result = source->ops->enter(source, false), index;

	while (!result && (result = source->ops->next(source)) > 0) {
		result = read_word(decoder, source);
		index = word_index(decoder, field->names, field->name_count);
		if (!result && index >= 0)
			*ret_flags |= 1U << index;
	}
	return result;
}

static int read_fds(struct decoder *decoder, struct source *source)
{
	struct buf *fds = &decoder->draft.fds;
	int32_t fd = 0;
	int result = source->ops->enter(source, false);

	fds->len = 0;
	while (!result && (result = source->ops->next(source)) > 0) {
		result = read_i32(source, &fd);
		if (!result && fds->len >= FDS_MAX * sizeof(fd))
			result = -EBADMSG;
		if (!result)
			buf_add(fds, &fd, sizeof(fd));
	}
	decoder->draft.event->data.fd_count = (uint32_t)(fds->len / sizeof(fd));
	return result;
}

/* Of what is announced only payload_max bytes are kept, but its length is known. */
static int read_payload(struct decoder *decoder, struct source *source, enum field_kind kind)
{
	struct draft *draft = &decoder->draft;
	struct buf *payload = &draft->payload;
	uint64_t len, max = decoder->payload_max;
	int result;

	payload->len = 0;
	if (kind == FIELD_PAYLOAD)
		return source->ops->bytes(source, payload, max, &draft->payload_len);
	if (kind == FIELD_PAYLOAD_TEXT)
		return source->ops->text(source, payload, max, &draft->payload_len);
	result = source->ops->text(source, payload, (max + 2) / 3 * 4, &len);
	if (result)
		return result;
	if (!base64_decode(payload, 0))
		return -EBADMSG;
	/* Of what is cut the padding is not seen: at least so much. */
	draft->payload_len = len > (max + 2) / 3 * 4 ? len / 4 * 3 - 2 : payload->len;
	if (payload->len > max)
		payload->len = max;
	return 0;
}

static int read_fields(struct decoder *decoder, struct source *source,
		       const struct field *const tables[], int depth);

static int read_group(struct decoder *decoder, struct source *source, const struct field *field,
		      int depth)
{
	const struct field *const tables[] = { field->members, NULL };
	int result = source->ops->enter(source, true);

	if (field->rule == RULE_CRED)
		*((bool *)decoder->draft.event + field->present) = true;
	return result ? result : read_fields(decoder, source, tables, depth + 1);
}

static int read_value(struct decoder *decoder, struct source *source, const struct field *field,
		      int depth)
{
	void *at = member(decoder, field);
	uint64_t value = 0;
	size_t offset;
	int result;

	switch (field->kind) {
	case FIELD_I32:
		return read_i32(source, at);
	case FIELD_U32:
		result = read_unsigned(source, UINT32_MAX, &value);
		*(uint32_t *)at = (uint32_t)value;
		return result;
	case FIELD_U64:
		return read_unsigned(source, UINT64_MAX, at);
	case FIELD_NAME:
		return read_name(decoder, source, field, at);
	case FIELD_COMM:
		return read_comm(decoder, source, at);
	case FIELD_TEXT:
		result = read_text(decoder, source, &offset);
		*(const char **)at = result ? NULL : draft_pointer(offset);
		return result;
	case FIELD_STRINGS:
		return read_strings(decoder, source, at);
	case FIELD_ADDR:
		return source->ops->addr(source, at);
	case FIELD_ERROR:
		return read_error(decoder, source, at);
	case FIELD_FLAGS:
		return read_flags(decoder, source, field, at);
	case FIELD_FDS:
		return read_fds(decoder, source);
	case FIELD_GROUP:
		return read_group(decoder, source, field, depth);
	case FIELD_PAYLOAD:
	case FIELD_PAYLOAD_TEXT:
	case FIELD_PAYLOAD_BASE64:
		return read_payload(decoder, source, field->kind);
	case FIELD_END:
		break;
	}
	return -EBADMSG;
}

/* A member that is in none of the tables. */
static int read_other(struct decoder *decoder, struct source *source, const struct source_key *key,
		      int depth)
{
	if (!depth && key_is(key, CAPTURE_PART_KEY))
		return read_unsigned(source, UINT64_MAX, &decoder->part);
	return source->ops->skip(source);
}

/* What every event of its type has had from the first version on. */
static bool is_required(const struct field *field)
{
	return field->rule == RULE_ALWAYS &&
	       (field->kind == FIELD_NAME || field == &field_head[0] || field == &field_head[1]);
}

/* The rows of a table that were seen; two tables are one event's. */
struct seen {
	uint64_t rows[2];
};

/* A key that comes twice, or one that is missing, is damage. */
static bool note_key(struct seen *seen, size_t table, size_t row)
{
	uint64_t bit = 1ULL << row;

	if (seen->rows[table] & bit)
		return false;
	seen->rows[table] |= bit;
	return true;
}

static bool has_required(const struct seen *seen, const struct field *const tables[])
{
	for (size_t i = 0; tables[i]; i++)
		for (size_t row = 0; tables[i][row].kind != FIELD_END; row++)
			if (is_required(&tables[i][row]) && !(seen->rows[i] & 1ULL << row))
				return false;
	return true;
}

static int read_member(struct decoder *decoder, struct source *source,
		       const struct field *const tables[], int depth, struct seen *seen)
{
	const struct field *field = NULL;
	struct source_key key;
	int result = source->ops->key(source, &key);

	if (result)
		return result;
	for (size_t i = 0; tables[i] && !field; i++) {
		field = field_find(tables[i], key.text, key.len);
		if (field && !note_key(seen, i, (size_t)(field - tables[i])))
			return -EBADMSG;
	}
	return field ? read_value(decoder, source, field, depth)
		     : read_other(decoder, source, &key, depth);
}

/* The members of a map that has been entered, whose rows are in these tables. */
static int read_fields(struct decoder *decoder, struct source *source,
		       const struct field *const tables[], int depth)
{
	struct seen seen = { 0 };
	int result;

	while ((result = source->ops->next(source)) > 0) {
		result = read_member(decoder, source, tables, depth, &seen);
		if (result)
			return result;
	}
	return result || has_required(&seen, tables) ? result : -EBADMSG;
}

static int read_event(struct decoder *decoder, struct source *source, enum event_type type,
		      struct event **ret_event)
{
	const struct field *const tables[] = { field_head, field_bodies[type], NULL };
	int result;

	draft_begin(&decoder->draft, type);
	decoder->part = 0;
	result = read_fields(decoder, source, tables, 0);
	if (!result)
		result = draft_make(&decoder->draft, ret_event);
	return result ? result : DECODED_EVENT;
}

static int read_next(struct decoder *decoder, struct source *source)
{
	struct source_key key;
	uint64_t len;
	int result;

	decoder->next_file.len = 0;
	while ((result = source->ops->next(source)) > 0) {
		result = source->ops->key(source, &key);
		if (result)
			return result;
		if (key_is(&key, CAPTURE_FILE_KEY)) {
			decoder->next_file.len = 0;
			result = source->ops->text(source, &decoder->next_file, 4096, &len);
		} else {
			result = source->ops->skip(source);
		}
		if (result)
			return result;
	}
	return result ? result : DECODED_NEXT;
}

static int read_unknown(struct source *source)
{
	struct source_key key;
	int result;

	while ((result = source->ops->next(source)) > 0) {
		result = source->ops->key(source, &key);
		if (!result)
			result = source->ops->skip(source);
		if (result)
			return result;
	}
	return result ? result : DECODED_UNKNOWN;
}

/* The first member, by which all others are understood. */
static int read_type(struct decoder *decoder, struct source *source)
{
	struct source_key key;
	int result = source->ops->enter(source, true);

	if (!result)
		result = source->ops->next(source);
	if (result <= 0)
		return result ? result : -EBADMSG;
	result = source->ops->key(source, &key);
	if (result)
		return result;
	return key_is(&key, CAPTURE_TYPE_KEY) ? read_word(decoder, source) : -EBADMSG;
}

int decoder_read(struct decoder *decoder, struct source *source, struct event **ret_event)
{
	int result, type;

	source->depth = 0;
	result = read_type(decoder, source);
	if (result)
		return result;
	type = word_index(decoder, event_type_names, EVENT_TYPES);
	if (type >= 0)
		return read_event(decoder, source, (enum event_type)type, ret_event);
	if (word_is(decoder, CAPTURE_NEXT_TYPE))
		return read_next(decoder, source);
	return read_unknown(source);
}

const char *decoder_next_file(const struct decoder *decoder)
{
	struct buf *name = (struct buf *)&decoder->next_file;

	return buf_cstr(name);
}

uint64_t decoder_part(const struct decoder *decoder)
{
	return decoder->part;
}

bool decoder_was_cut(const struct decoder *decoder)
{
	return decoder->draft.payload_len > decoder->draft.event->data.captured;
}
