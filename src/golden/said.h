/*
 * What an exchange says, in one line, so that a rule can be for one statement and not for all: the command
 * and its SQL, its arguments, its question; of HTTP the method and the target.
 */
#ifndef GOLDEN_SAID_H
#define GOLDEN_SAID_H

#include "event/message.h"
#include "golden/model.h"
#include "golden/rules.h"

/* As it was sent, in the model's arena. */
struct span said_text(struct model *model, const struct message *message);

/* A copy that lives as long as the model. */
const struct place *said_keep(struct model *model, const struct place *place);

#endif
