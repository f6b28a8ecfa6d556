/* The formats that can be written: one row each, by name and by suffix. */
#ifndef VIEW_FORMAT_H
#define VIEW_FORMAT_H

#include "sink/format.h"

/* All formats; the last has no name. */
extern const struct format formats[];

const struct format *format_by_name(const char *name);
/* NULL where the file's suffix says nothing. One of ".zst" behind it is not looked at. */
const struct format *format_by_suffix(const char *file);

/* True where the name says that the file is compressed. */
bool format_is_compressed(const char *file);

#endif
