/* How the tables' rows say where a value is: initializers of struct place. Included by the tables alone. */
#ifndef PROBE_PLACE_H
#define PROBE_PLACE_H

#include "probe/row.h"

#define ARG(i)                                  \
	{                                       \
		.kind = PLACE_ARG, .index = (i) \
	}
#define RESULT                                   \
	{                                        \
		.kind = PLACE_RESULT, .index = 0 \
	}
/* In what the first argument points to. */
#define FIELD(o, s)                                                         \
	{                                                                   \
		.kind = PLACE_FIELD, .index = 0, .offset = (o), .size = (s) \
	}

#endif
