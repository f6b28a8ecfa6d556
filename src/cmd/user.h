/* -u: the user that a program is to run as. */
#ifndef CMD_USER_H
#define CMD_USER_H

#include "tracer/tracer.h"

/* By name or number. 0 and the caller's groups (user_done), or -1 after a message. */
int user_find(const char *name, struct spawn_user *ret_user);
void user_done(struct spawn_user *user);

#endif
