/*
 * The agent's way in and out at a probed function. Called from a stub, with the red zone left alone; all
 * registers are the program's, but the flags are dead there. Carry tells the stub that it is to go on at
 * its trap. The labels are for hook_pull.c.
 */
#include "iotrace/ring.h"
#include "tap/agent/frame.S"

	.section .hooks, "ax", @progbits
	.globl	tap_hooked
tap_hooked:
	leaq	-HOOK_FRAME_SIZE(%rsp), %rsp
	.globl	tap_hook_lowered
tap_hook_lowered:
	movq	%rax, FRAME_RESULT(%rsp)
	save_args_and_saved
	movq	%rcx, HOOK_RCX(%rsp)
	movq	%r11, HOOK_R11(%rsp)
	.globl	tap_hook_saved
tap_hook_saved:
	movq	HOOK_FRAME_SIZE(%rsp), %rax
	movq	%rax, FRAME_STUB(%rsp)
	/* and FRAME_TRACED */
	movq	$0, FRAME_STATE(%rsp)
	movq	$0, FRAME_CREDIT(%rsp)
	movq	$0, FRAME_RESERVED(%rsp)
	movq	$0, FRAME_TOLD(%rsp)
	movabsq	$HOOK_FRAME_MAGIC, %r11
	xorq	%rsp, %r11
	movq	%r11, FRAME_MAGIC(%rsp)
	.globl	tap_hook_framed
tap_hook_framed:
	movq	%rsp, %rdi
	call	tap_hook_record
	.globl	tap_hook_leave
tap_hook_leave:
	movq	FRAME_RESULT(%rsp), %rax
	restore_args
	movq	HOOK_RCX(%rsp), %rcx
	movq	HOOK_R11(%rsp), %r11
	movq	$0, FRAME_MAGIC(%rsp)
	btl	$0, FRAME_TRACED(%rsp)
	leaq	HOOK_FRAME_SIZE(%rsp), %rsp
	.globl	tap_hook_raised
tap_hook_raised:
	ret

	.section .note.GNU-stack, "", @progbits
