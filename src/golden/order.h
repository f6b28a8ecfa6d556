/*
 * The canonical order of a run's units, and the numbers of its placeholders, so that runs that differ
 * in nothing but their identifiers and their threads' luck give the same text.
 */
#ifndef GOLDEN_ORDER_H
#define GOLDEN_ORDER_H

#include "golden/model.h"

/*
 * Sets each unit's hashes: `blank` of its text with the types of placeholders, `colored` also with
 * where else each of its values occurs. So two units that look the same, but whose identifiers are used
 * differently, are told apart.
 */
void order_hash(struct model *model);

/*
 * Sorts sections; in them connections, or units where their order does not matter. Folds repeated units
 * and numbers the placeholders by their first appearance. After order_hash.
 */
void order_canonical(struct model *model);

/* Makes one unit of equal ones that follow each other (also far behind, where order does not matter). */
void order_fold(struct section *section);

#endif
