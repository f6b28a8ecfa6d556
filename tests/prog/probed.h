/* What the program under probe and its library have in common. */
#ifndef PROBED_H
#define PROBED_H

typedef long late_function(const void *data, long len);

late_function probed, late_probed;

#endif
