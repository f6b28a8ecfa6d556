/* docs/capture-format.md has exactly the keys and names that are written: its CDDL is made here as well. */
#include "base/buf.h"
#include "event/field.h"
#include "unit.h"

#include <ctype.h>

static void add(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

/* What means something: no comments, white space and commas. */
static void add_clean(struct buf *buf, const char *text, const char *end)
{
	for (; text < end; text++) {
		if (*text == ';')
			while (text < end && *text != '\n')
				text++;
		else if (!isspace((unsigned char)*text) && *text != ',')
			buf_addc(buf, *text);
	}
}

/* The schema in the document. */
static void read_schema(struct buf *buf)
{
	static const char fence[] = "\n```cddl\n";
	int fd = open(CAPTURE_DOC, O_RDONLY | O_CLOEXEC);
	char *text = unit_content(fd, NULL), *begin, *end;

	begin = strstr(text, fence);
	assert_non_null(begin);
	begin += sizeof(fence) - 1;
	end = strstr(begin, "\n```");
	assert_non_null(end);
	add_clean(buf, begin, end);
	free(text);
	close(fd);
}

static void add_names(struct buf *buf, const struct field *field)
{
	const char *before = "\"";

	for (size_t i = 0; i < field->name_count; i++) {
		if (!field->names[i])
			continue;
		add(buf, before);
		add(buf, field->names[i]);
		add(buf, "\"");
		before = "/\"";
	}
}

static void add_fields(struct buf *buf, const struct field *fields);

static void add_group(struct buf *buf, const struct field *field)
{
	add(buf, "{");
	add_fields(buf, field->members);
	add(buf, "}");
}

static void add_type(struct buf *buf, const struct field *field)
{
	static const char *const types[] = {
		[FIELD_I32] = "int",      [FIELD_U32] = "uint",   [FIELD_U64] = "uint",
		[FIELD_COMM] = "tstr",    [FIELD_TEXT] = "tstr",  [FIELD_STRINGS] = "[*tstr]",
		[FIELD_ADDR] = "address", [FIELD_ERROR] = "tstr", [FIELD_FDS] = "[*int]",
		[FIELD_PAYLOAD] = "bstr",
	};

	if (field->kind == FIELD_FLAGS)
		add(buf, "[*");
	if (field->names == event_proto_names)
		add(buf, "proto");
	else if (field->names)
		add_names(buf, field);
	else if (field->rule == RULE_CRED)
		add(buf, "cred");
	else if (field->members)
		add_group(buf, field);
	else
		add(buf, types[field->kind]);
	if (field->kind == FIELD_FLAGS)
		add(buf, "]");
}

static void add_fields(struct buf *buf, const struct field *fields)
{
	for (const struct field *field = fields; field->kind != FIELD_END; field++) {
		/* Of JSON Lines. */
		if (field->kind == FIELD_PAYLOAD_TEXT || field->kind == FIELD_PAYLOAD_BASE64)
			continue;
		add(buf, field->rule == RULE_ALWAYS || field->needed ? "" : "?");
		buf_add(buf, field->key, field->key_len);
		add(buf, ":");
		add_type(buf, field);
	}
}

static void expect_rule(struct buf *schema, struct buf *rule)
{
	CHECK(strstr(buf_cstr(schema), buf_cstr(rule)), "not in the document: %s", buf_cstr(rule));
}

static void events(void **state)
{
	struct buf schema auto_buf = { 0 }, all auto_buf = { 0 };

	(void)state;
	read_schema(&schema);
	add(&all, "event=");
	for (int type = 0; type < EVENT_TYPES; type++) {
		struct buf rule auto_buf = { 0 };

		add(&all, type ? "/" : "");
		add(&all, event_type_names[type]);
		add(&rule, event_type_names[type]);
		add(&rule, "={type:\"");
		add(&rule, event_type_names[type]);
		add(&rule, type == EVENT_IOTRACE ? "\"head?part:uint" : "\"head");
		add_fields(&rule, field_bodies[type]);
		add(&rule, "}");
		expect_rule(&schema, &rule);
	}
	add(&all, "head=("); /* what comes behind it */
	expect_rule(&schema, &all);
}

static void parts_of_events(void **state)
{
	const struct field *body = field_bodies[EVENT_DATA];
	struct buf schema auto_buf = { 0 }, head auto_buf = { 0 }, proto auto_buf = { 0 },
			  cred auto_buf = { 0 };

	(void)state;
	read_schema(&schema);
	add(&head, "head=(");
	add_fields(&head, field_head);
	add(&head, ")");
	expect_rule(&schema, &head);
	add(&proto, "proto=");
	add_names(&proto, field_find(body, "proto", 5));
	add(&proto, "cred=");
	expect_rule(&schema, &proto);
	add(&cred, "cred=");
	add_group(&cred, field_find(body, "cred", 4));
	expect_rule(&schema, &cred);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events),
		cmocka_unit_test(parts_of_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
