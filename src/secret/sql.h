/* Passwords in SQL. Nothing outside src/secret includes this. */
#ifndef SECRET_SQL_H
#define SECRET_SQL_H

#include "secret/parts.h"

bool secret_sql_next(struct secret_parts *parts, struct secret_part *ret_part);

#endif
