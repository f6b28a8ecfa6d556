/*
 * call_all(in, out): calls a function with all registers from `in`, and tells in `out` what is in them
 * when it has returned. hooked_regs: notes in `entered` what it was called with, and returns its second
 * argument.
 */
#define ALL_XMM 120

	.macro	store_all to
	movq	%rbx, 8(\to)
	movq	%rcx, 16(\to)
	movq	%rdx, 24(\to)
	movq	%rsi, 32(\to)
	movq	%rdi, 40(\to)
	movq	%rbp, 48(\to)
	movq	%r8, 56(\to)
	movq	%r9, 64(\to)
	movq	%r10, 72(\to)
	movq	%r11, 80(\to)
	movq	%r12, 88(\to)
	movq	%r13, 96(\to)
	movq	%r14, 104(\to)
	movq	%r15, 112(\to)
	.irp	i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	%xmm\i, ALL_XMM + 16 * \i(\to)
	.endr
	.endm

	.text
	.p2align 8
	.globl	hooked_regs
	.type	hooked_regs, @function
hooked_regs:
	.cfi_startproc
	/* Five bytes, and below the stack pointer. */
	movq	%rax, -16(%rsp)
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	leaq	entered(%rip), %rax
	store_all %rax
	pushq	-8(%rsp)
	.cfi_adjust_cfa_offset 8
	popq	(%rax)
	.cfi_adjust_cfa_offset -8
	movq	%rsi, %rax
	movq	$2, %rdx
	movq	(%rsp), %rbp
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size	hooked_regs, .-hooked_regs

	.p2align 8
	.globl	call_all
	.type	call_all, @function
call_all:
	.cfi_startproc
	endbr64
	.irp	reg, %rbx, %rbp, %r12, %r13, %r14, %r15, %rsi
	pushq	\reg
	.cfi_adjust_cfa_offset 8
	.endr
	movq	%rdi, %rax
	.irp	i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	ALL_XMM + 16 * \i(%rax), %xmm\i
	.endr
	movq	8(%rax), %rbx
	movq	16(%rax), %rcx
	movq	24(%rax), %rdx
	movq	32(%rax), %rsi
	movq	40(%rax), %rdi
	movq	48(%rax), %rbp
	movq	56(%rax), %r8
	movq	64(%rax), %r9
	movq	72(%rax), %r10
	movq	80(%rax), %r11
	movq	88(%rax), %r12
	movq	96(%rax), %r13
	movq	104(%rax), %r14
	movq	112(%rax), %r15
	movq	(%rax), %rax
	call	hooked_regs
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	movq	8(%rsp), %rax
	store_all %rax
	popq	(%rax)
	.cfi_adjust_cfa_offset -8
	.irp	reg, %rsi, %r15, %r14, %r13, %r12, %rbp, %rbx
	popq	\reg
	.cfi_adjust_cfa_offset -8
	.endr
	ret
	.cfi_endproc
	.size	call_all, .-call_all

	.section .note.GNU-stack, "", @progbits
