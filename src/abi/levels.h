/* Levels of socket options that older C libraries do not name; linux/socket.h. */
#ifndef ABI_LEVELS_H
#define ABI_LEVELS_H

#include <sys/socket.h>

#ifndef SOL_PACKET
#define SOL_PACKET 263
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef SOL_XDP
#define SOL_XDP 283
#endif

#endif
