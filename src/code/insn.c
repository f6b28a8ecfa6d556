/* The only file that knows capstone. */
#include "code/insn.h"

#include <assert.h>
#include <capstone/capstone.h>
#include <string.h>

/* One handle for the program: opening one takes longer than decoding a function. */
static csh handle_64(void)
{
	static csh handle;

	if (!handle) {
		cs_err error = cs_open(CS_ARCH_X86, CS_MODE_64, &handle);

		assert(error == CS_ERR_OK);
		cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
	}
	return handle;
}

/* By number in the encoding: all 64 bits, 32, 16, the lowest 8, and the 8 above them. */
static const x86_reg registers[16][5] = {
	{ X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH },
	{ X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH },
	{ X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH },
	{ X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH },
	{ X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL },
	{ X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL },
	{ X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL },
	{ X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL },
	{ X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B },
	{ X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B },
	{ X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B },
	{ X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B },
	{ X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B },
	{ X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B },
	{ X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B },
	{ X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B },
};

/* Number of a 64-bit register in the encoding, -1 for others. */
static int reg_number(x86_reg reg)
{
	for (int i = 0; i < 16; i++)
		if (registers[i][0] == reg)
			return i;
	return -1;
}

/* The same of a register or any part of it. */
static int part_number(x86_reg reg)
{
	for (int i = 0; reg != X86_REG_INVALID && i < 16; i++)
		for (int j = 0; j < 5; j++)
			if (registers[i][j] == reg)
				return i;
	return -1;
}

static bool is_reg(const cs_x86_op *op)
{
	return op->type == X86_OP_REG && reg_number(op->reg) >= 0;
}

static bool is_stack_limit(const cs_x86_op *op)
{
	return op->type == X86_OP_MEM && op->mem.base == X86_REG_R14 &&
	       op->mem.index == X86_REG_INVALID && op->mem.disp == 16 && op->size == 8;
}

/* The 64-bit register that a 32-bit one is the lower half of, X86_REG_INVALID for others. */
static x86_reg whole_reg(x86_reg reg)
{
	for (int i = 0; i < 16; i++)
		if (registers[i][1] == reg)
			return registers[i][0];
	return X86_REG_INVALID;
}

static bool is_stack_word(const cs_x86_op *op)
{
	return op->type == X86_OP_MEM && op->mem.base == X86_REG_RSP &&
	       op->mem.index == X86_REG_INVALID && op->mem.segment == X86_REG_INVALID;
}

static void find_load(struct insn *insn, const cs_x86_op *ops)
{
	x86_reg to = ops[0].size == 4 ? whole_reg(ops[0].reg) : ops[0].reg;

	if (!is_stack_word(&ops[1]) || reg_number(to) < 0)
		return;
	insn->narrow = ops[0].size == 4;
	insn->effect = EFFECT_LOAD;
	insn->target_reg = (uint8_t)reg_number(to);
	insn->amount = ops[1].mem.disp;
}

static void find_zero(struct insn *insn, const cs_x86_op *ops)
{
	x86_reg to;

	if (ops[0].type != X86_OP_REG || ops[1].type != X86_OP_REG || ops[0].reg != ops[1].reg)
		return;
	to = ops[0].size == 4 ? whole_reg(ops[0].reg) : ops[0].reg;
	if (reg_number(to) < 0)
		return;
	insn->effect = EFFECT_ZERO;
	insn->target_reg = (uint8_t)reg_number(to);
}

static void find_move(struct insn *insn, const cs_x86_op *ops)
{
	x86_reg to, from;

	if (ops[0].type == X86_OP_REG && ops[1].type == X86_OP_MEM)
		find_load(insn, ops);
	if (ops[0].type != X86_OP_REG || ops[1].type != X86_OP_REG)
		return;
	to = ops[0].reg;
	from = ops[1].reg;
	if (ops[0].size == 4) {
		to = whole_reg(to);
		from = whole_reg(from);
		insn->narrow = true;
	}
	if (reg_number(to) < 0 || reg_number(from) < 0)
		return;
	insn->effect = EFFECT_MOVE;
	insn->target_reg = (uint8_t)reg_number(to);
	insn->source = (uint8_t)reg_number(from);
}

static void find_effect(struct insn *insn, const cs_insn *cs)
{
	const cs_x86 *x86 = &cs->detail->x86;
	const cs_x86_op *ops = x86->operands;

	switch (cs->id) {
	case X86_INS_NOP:
	case X86_INS_ENDBR64:
		insn->effect = EFFECT_NOP;
		break;
	case X86_INS_PUSH:
		if (!is_reg(&ops[0]))
			break;
		insn->effect = EFFECT_PUSH;
		insn->source = (uint8_t)reg_number(ops[0].reg);
		break;
	case X86_INS_POP:
		if (!is_reg(&ops[0]))
			break;
		insn->effect = EFFECT_POP;
		insn->target_reg = (uint8_t)reg_number(ops[0].reg);
		break;
	case X86_INS_SUB:
	case X86_INS_ADD:
		if (ops[0].type != X86_OP_REG || ops[0].reg != X86_REG_RSP ||
		    ops[1].type != X86_OP_IMM)
			break;
		insn->effect = EFFECT_ADD_SP;
		insn->amount = cs->id == X86_INS_ADD ? ops[1].imm : -ops[1].imm;
		break;
	case X86_INS_MOV:
		find_move(insn, ops);
		break;
	case X86_INS_XOR:
		find_zero(insn, ops);
		break;
	case X86_INS_LEA:
		if (!is_reg(&ops[0]) || ops[1].mem.index != X86_REG_INVALID ||
		    ops[1].mem.segment != X86_REG_INVALID || reg_number(ops[1].mem.base) < 0)
			break;
		insn->effect = EFFECT_LEA;
		insn->target_reg = (uint8_t)reg_number(ops[0].reg);
		insn->source = (uint8_t)reg_number(ops[1].mem.base);
		insn->amount = ops[1].mem.disp;
		break;
	case X86_INS_CMP:
		if (ops[0].type == X86_OP_REG && ops[0].reg == X86_REG_RSP &&
		    is_stack_limit(&ops[1]))
			insn->effect = EFFECT_CMP_SP;
		break;
	}
}

/* What capstone 4 does not tell. */
static void find_untold_writes(struct insn *insn, const cs_insn *cs)
{
	switch (cs->id) {
	case X86_INS_CMPXCHG:
		insn->writes |= 1U << 0;
		insn->sets_flags = true;
		break;
	case X86_INS_CMPXCHG8B:
	case X86_INS_CMPXCHG16B:
		insn->writes |= 1U << 0 | 1U << 2;
		insn->sets_flags = true;
		break;
	case X86_INS_PUSH:
		insn->writes |= 1U << 4;
		break;
	case X86_INS_XLATB:
		insn->writes |= 1U << 0;
		break;
	case X86_INS_ENTER:
		insn->writes |= 1U << 4 | 1U << 5;
		break;
	case X86_INS_XADD:
	case X86_INS_LAR:
	case X86_INS_LSL:
		insn->sets_flags = true;
		break;
	}
}

static void find_writes(struct insn *insn, const cs_insn *cs)
{
	cs_regs read, write;
	uint8_t reads, writes;

	insn->writes = UINT16_MAX;
	insn->sets_flags = true;
	if (cs_regs_access(handle_64(), cs, read, &reads, write, &writes))
		return;
	insn->writes = 0;
	insn->sets_flags = false;
	for (uint8_t i = 0; i < writes; i++) {
		int number = part_number((x86_reg)write[i]);

		insn->sets_flags = insn->sets_flags || write[i] == X86_REG_EFLAGS;
		if (number >= 0)
			insn->writes |= (uint16_t)(1U << number);
	}
	find_untold_writes(insn, cs);
}

static bool is_trap(const cs_insn *cs)
{
	switch (cs->id) {
	case X86_INS_INT:
	case X86_INS_INT3:
	case X86_INS_INT1:
	case X86_INS_UD0:
	case X86_INS_UD2:
	case X86_INS_HLT:
	case X86_INS_SYSCALL:
	case X86_INS_SYSENTER:
	case X86_INS_IRET:
	case X86_INS_IRETQ:
	case X86_INS_RETF:
	case X86_INS_RETFQ:
		return true;
	default:
		return false;
	}
}

/* Conditional jumps that capstone 4 does not count among jumps. */
static bool is_loop(const cs_insn *cs)
{
	return cs->id == X86_INS_LOOP || cs->id == X86_INS_LOOPE || cs->id == X86_INS_LOOPNE;
}

static void find_kind(struct insn *insn, const cs_insn *cs)
{
	const cs_x86 *x86 = &cs->detail->x86;
	const cs_x86_op *op = &x86->operands[0];
	bool direct = x86->op_count == 1 && op->type == X86_OP_IMM;

	insn->kind = INSN_PLAIN;
	if (cs->id == X86_INS_RET) {
		/* With an operand it also pops: no compiler's work. */
		insn->kind = x86->op_count ? INSN_STOP : INSN_RET;
	} else if (cs_insn_group(handle_64(), cs, CS_GRP_CALL)) {
		insn->kind = direct ? INSN_CALL : INSN_STOP;
	} else if (cs_insn_group(handle_64(), cs, CS_GRP_JUMP) || is_loop(cs)) {
		insn->kind = !direct ? INSN_STOP : cs->id == X86_INS_JMP ? INSN_JUMP : INSN_BRANCH;
		insn->computed = !direct;
	} else if (is_trap(cs)) {
		insn->kind = INSN_STOP;
	} else {
		for (uint8_t i = 0; i < x86->op_count; i++)
			if (x86->operands[i].type == X86_OP_MEM &&
			    x86->operands[i].mem.base == X86_REG_RIP)
				insn->kind = INSN_RIP;
		insn->disp_at = x86->encoding.disp_offset;
		if (insn->kind == INSN_RIP && (!insn->disp_at || x86->encoding.disp_size != 4))
			insn->kind = INSN_STOP;
	}
	if (direct)
		insn->target = (uint64_t)op->imm;
}

/* capstone 4 does not know endbr64 in all builds; it is four bytes, a nop to older processors. */
static const uint8_t endbr64[4] = { 0xf3, 0x0f, 0x1e, 0xfa };

struct insn insn_decode(const uint8_t *code, size_t len, uint64_t addr)
{
	struct insn insn = { .kind = INSN_BAD };
	cs_insn *cs;

	if (len >= sizeof(endbr64) && !memcmp(code, endbr64, sizeof(endbr64)))
		return (struct insn){ .len = 4, .kind = INSN_PLAIN, .effect = EFFECT_NOP };
	if (!cs_disasm(handle_64(), code, len, addr, 1, &cs))
		return insn;
	insn.len = (uint8_t)cs->size;
	find_kind(&insn, cs);
	find_effect(&insn, cs);
	find_writes(&insn, cs);
	cs_free(cs, 1);
	return insn;
}

bool insn_each(const uint8_t *code, size_t len, uint64_t addr,
	       bool (*each)(void *ctx, size_t offset, const struct insn *insn), void *ctx)
{
	struct insn insn;

	for (size_t at = 0; at < len; at += insn.len) {
		insn = insn_decode(code + at, len - at, addr + at);
		if (insn.kind == INSN_BAD)
			return false;
		if (!each(ctx, at, &insn))
			break;
	}
	return true;
}
