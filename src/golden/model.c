#include "golden/model.h"

#include "base/own.h"

#include <string.h>

const char *const golden_level_names[GOLDEN_LEVELS] = { "peers", "requests", "full" };

struct model *model_new(enum golden_level level)
{
	struct model *model = own_zalloc(sizeof(*model));

	model->version = GOLDEN_VERSION;
	model->level = level;
	return model;
}

static void free_section(struct section *section)
{
	for (size_t i = 0; i < section->count; i++) {
		free(section->units[i]->lines);
		free(section->units[i]);
	}
	free(section->units);
	free(section);
}

void model_free(struct model *model)
{
	if (!model)
		return;
	for (size_t i = 0; i < model->count; i++)
		free_section(model->sections[i]);
	free(model->sections);
	free(model->lines);
	values_done(&model->values);
	arena_done(&model->arena);
	free(model);
}

const char *model_text(struct model *model, struct span text)
{
	return (const char *)arena_copy(&model->arena, text).data;
}

static void grow(void *items, size_t count, size_t *room, size_t size)
{
	void **slot = items;

	if (count < *room)
		return;
	*room = *room ? *room * 2 : 4;
	*slot = own_realloc(*slot, *room * size);
}

struct section *model_add_section(struct model *model, const char *head)
{
	struct section *section = own_zalloc(sizeof(*section));

	section->head = model_text(model, span_text(head));
	grow(&model->sections, model->count, &model->room, sizeof(section));
	model->sections[model->count++] = section;
	return section;
}

struct section *model_section(struct model *model, const char *head)
{
	for (size_t i = 0; i < model->count; i++)
		if (!strcmp(model->sections[i]->head, head))
			return model->sections[i];
	return model_add_section(model, head);
}

struct unit *model_unit(struct model *model, const char *title)
{
	struct unit *unit = own_zalloc(sizeof(*unit));

	unit->title = model_text(model, span_text(title));
	unit->times = 1;
	return unit;
}

void model_add_unit(struct section *section, struct unit *unit)
{
	grow(&section->units, section->count, &section->room, sizeof(unit));
	section->units[section->count++] = unit;
}

struct line *model_add_line(struct model *model, struct unit *unit, enum line_kind kind,
			    const char *where, struct span text)
{
	struct line *line;

	grow(&unit->lines, unit->count, &unit->room, sizeof(*unit->lines));
	line = &unit->lines[unit->count++];
	*line = (struct line){
		.text = model_text(model, text),
		.kind = kind,
		.where = where ? model_text(model, span_text(where)) : NULL,
	};
	return line;
}

void model_add_ended(struct buf *out, const struct model *model)
{
	static const char *const names[] = { "unknown", "exit", "signal" };

	buf_adds(out, names[model->ended]);
	if (model->ended != ENDED_UNKNOWN)
		buf_addf(out, " %d", model->status);
}
