/*
 * Machine instructions, as far as breakpoints and patches need them: how long, where they lead, and
 * whether one can be carried out elsewhere or by us. The disassembler is behind this.
 */
#ifndef CODE_INSN_H
#define CODE_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum insn_kind {
	INSN_BAD,   /* not an instruction, or cut off */
	INSN_PLAIN, /* does the same wherever it stands */
	INSN_RIP,   /* has a memory operand relative to the instruction pointer: disp_at */
	INSN_RET,
	INSN_JUMP,   /* to `target`, always */
	INSN_CALL,   /* of `target` */
	INSN_BRANCH, /* to `target`, on a condition */
	INSN_STOP, /* an indirect jump, a trap, a system call: nothing follows, or nobody knows what */
};

/* What the tracer can do in the instruction's place. Registers by their number in the encoding. */
enum insn_effect {
	EFFECT_NONE,   /* not one of these */
	EFFECT_NOP,    /* endbr64 and its like */
	EFFECT_PUSH,   /* push `source` */
	EFFECT_POP,    /* pop `target_reg` */
	EFFECT_ADD_SP, /* add `amount` to rsp; the flags are dead behind it (prologues, epilogues) */
	EFFECT_MOVE,   /* register to register, 64 bits, or 32 with zeroes above (`narrow`) */
	EFFECT_LEA,    /* source plus amount */
	EFFECT_CMP_SP, /* compare rsp with the memory at r14+16: Go's prologue */
	EFFECT_ZERO,   /* target_reg becomes 0, and the flags are those of that */
	EFFECT_LOAD, /* target_reg from the memory at rsp plus amount; 64 bits, or 32 (`narrow`) */
};

struct insn {
	uint8_t len;
	enum insn_kind kind;
	uint64_t target;
	uint8_t disp_at; /* INSN_RIP: where in it the 4-byte displacement stands */
	enum insn_effect effect;
	uint8_t source, target_reg;
	bool narrow;
	int64_t amount;
	uint16_t writes; /* general registers that change, if in part, a bit each by number */
	bool sets_flags;
	bool computed; /* INSN_STOP: a jump, to an address that is computed: perhaps of its function */
};

/* The longest instruction of x86. */
#define INSN_MAX 15

/* Decodes one instruction of 64-bit code that stands at addr. */
struct insn insn_decode(const uint8_t *code, size_t len, uint64_t addr);

/*
 * Decodes a function from its first byte on and calls each(ctx, offset, insn) for every instruction
 * until it returns false. Returns false where something could not be decoded before the end.
 */
bool insn_each(const uint8_t *code, size_t len, uint64_t addr,
	       bool (*each)(void *ctx, size_t offset, const struct insn *insn), void *ctx);

#endif
