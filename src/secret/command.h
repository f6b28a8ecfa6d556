/* Commands whose arguments are secrets. */
#ifndef SECRET_COMMAND_H
#define SECRET_COMMAND_H

#include "event/message.h"

/* Number of the first argument (ATTR_ARG) that is secret, from 0; SIZE_MAX: none. */
size_t secret_argument(const struct message *message);

#endif
