/* Models as the text of a golden. */
#include "golden/golden.h"

static void add_lines(struct buf *out, const struct model *model, const struct unit *unit)
{
	if (unit->times == TIMES_ANY)
		buf_adds(out, "  times any\n");
	else if (unit->times > 1)
		buf_addf(out, "  times %u\n", unit->times);
	for (size_t i = 0; i < unit->count; i++) {
		buf_adds(out, "  ");
		value_add_text(&model->values, out, unit->lines[i].text);
		buf_addc(out, '\n');
	}
}

void golden_add_unit(struct buf *out, const struct model *model, const struct unit *unit)
{
	buf_adds(out, "exchange ");
	value_add_text(&model->values, out, unit->title);
	buf_addc(out, '\n');
	add_lines(out, model, unit);
}

static void add_section(struct buf *out, const struct model *model, const struct section *section)
{
	uint32_t conn = 0;

	buf_addc(out, '\n');
	value_add_text(&model->values, out, section->head);
	if (section->any)
		buf_adds(out, " any order");
	else if (section->strict)
		buf_adds(out, " strict order");
	buf_addc(out, '\n');
	for (size_t i = 0; i < section->count; i++) {
		const struct unit *unit = section->units[i];

		if (unit->conn != conn || !i)
			buf_addc(out, '\n');
		if (unit->conn != conn && !section->any)
			buf_adds(out, "connection\n");
		conn = unit->conn;
		golden_add_unit(out, model, unit);
	}
}

void golden_write(struct buf *out, const struct model *model)
{
	buf_addf(out, "#iotrace-golden %u\n", model->version);
	buf_addf(out, "level %s\n", golden_level_names[model->level]);
	buf_addf(out, "rules builtin %u\n", model->builtin);
	buf_adds(out, "ended ");
	model_add_ended(out, model);
	buf_addc(out, '\n');
	for (size_t i = 0; i < model->count; i++)
		add_section(out, model, model->sections[i]);
}
