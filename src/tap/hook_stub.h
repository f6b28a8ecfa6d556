/*
 * The code that the jump in a probed function leads to. One per place:
 *
 *   0: the program's instruction, if it comes in front      (up to 15 bytes)
 *  15: lea -128(%rsp), %rsp                                 the red zone
 *  20: call *(entry)                                        the agent
 *  26: lea 128(%rsp), %rsp
 *  34: jc 62
 *  36: the program's instruction, if it comes behind
 *  51: jmp *(next)
 *  62: int3                                                 as it stood in the program
 *  64: struct ring_hook
 */
#ifndef TAP_HOOK_STUB_H
#define TAP_HOOK_STUB_H

#include "code/insn.h"
#include "iotrace/ring.h"

#include <errno.h>
#include <string.h>

/* Makes the HOOK_SIZE bytes of the stub at `addr`. 0, -ERANGE: the instruction does not reach so far. */
static inline int hook_stub_make(uint8_t code[HOOK_SIZE], uint64_t addr,
				 const struct ring_hook *hook, const struct insn *insn,
				 const uint8_t *bytes)
{
	static const uint8_t lower[] = { 0x48, 0x8d, 0x64, 0x24, 0x80 };
	static const uint8_t call[] = { 0xff, 0x15, HOOK_DATA - HOOK_BACK, 0, 0, 0 };
	static const uint8_t raise[] = { 0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0 };
	static const uint8_t if_traced[] = { 0x72, HOOK_TRACED - HOOK_BEFORE };
	static const uint8_t jump[] = { 0xff, 0x25, HOOK_DATA + 8 - (HOOK_NEXT + 6), 0, 0, 0 };
	const size_t place = hook->after ? 0 : HOOK_BEFORE;
	int64_t distance;
	int32_t disp;

	memset(code, 0x90, HOOK_NEXT);
	memset(code + HOOK_NEXT, 0xcc, HOOK_DATA - HOOK_NEXT);
	memcpy(code + place, bytes, insn->len);
	memcpy(code + HOOK_LOWER, lower, sizeof(lower));
	memcpy(code + HOOK_CALL, call, sizeof(call));
	memcpy(code + HOOK_BACK, raise, sizeof(raise));
	memcpy(code + HOOK_RAISED, if_traced, sizeof(if_traced));
	memcpy(code + HOOK_NEXT, jump, sizeof(jump));
	memcpy(code + HOOK_DATA, hook, sizeof(*hook));
	if (insn->kind != INSN_RIP)
		return 0;
	memcpy(&disp, bytes + insn->disp_at, sizeof(disp));
	distance = disp + (int64_t)(hook->site - (addr + place));
	if (distance != (int32_t)distance)
		return -ERANGE;
	disp = (int32_t)distance;
	memcpy(code + place + insn->disp_at, &disp, sizeof(disp));
	return 0;
}

#endif
