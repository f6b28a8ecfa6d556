/*
 * The code that a patched site leads to. One per site:
 *
 *   0: lea -7(%rip), %rcx        the stub itself
 *   7: jmp *(entry)              by the absolute address at 32
 *  13: nop                       of attached processes a trap: the call is traced
 *  14: syscall
 *  16: jmp *(ret)
 *  24: the address behind the site
 *  32: the agent's entry
 */
#ifndef TAP_STUB_H
#define TAP_STUB_H

#include "iotrace/ring.h"

#define STUB_ENTRY (STUB_RET + 8)

/* What stands at a site before it is patched: syscall. */
static const uint8_t call_code[] = { 0x0f, 0x05 };

static const uint8_t stub_code[STUB_RET] = { 0x48, 0x8d, 0x0d, 0xf9, 0xff, 0xff, 0xff, /* lea */
					     0xff, 0x25, 0x13, 0x00, 0x00, 0x00,       /* jmp *32 */
					     0x90,                                     /* nop */
					     0x0f, 0x05,                               /* syscall */
					     0xff, 0x25, 0x02, 0x00, 0x00, 0x00,       /* jmp *24 */
					     0xcc, 0xcc };

#endif
