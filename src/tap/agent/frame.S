/* Included: what both ways into the agent have in common; rsp is at the frame (include/iotrace/ring.h). */
	.macro	save_args_and_saved
	movq	%rdi, FRAME_ARGS(%rsp)
	movq	%rsi, FRAME_ARGS+8(%rsp)
	movq	%rdx, FRAME_ARGS+16(%rsp)
	movq	%r10, FRAME_ARGS+24(%rsp)
	movq	%r8, FRAME_ARGS+32(%rsp)
	movq	%r9, FRAME_ARGS+40(%rsp)
	movq	%rbx, FRAME_SAVED(%rsp)
	movq	%rbp, FRAME_SAVED+8(%rsp)
	movq	%r12, FRAME_SAVED+16(%rsp)
	movq	%r13, FRAME_SAVED+24(%rsp)
	movq	%r14, FRAME_SAVED+32(%rsp)
	movq	%r15, FRAME_SAVED+40(%rsp)
	.endm

	.macro	restore_args
	movq	FRAME_ARGS(%rsp), %rdi
	movq	FRAME_ARGS+8(%rsp), %rsi
	movq	FRAME_ARGS+16(%rsp), %rdx
	movq	FRAME_ARGS+24(%rsp), %r10
	movq	FRAME_ARGS+32(%rsp), %r8
	movq	FRAME_ARGS+40(%rsp), %r9
	.endm
