/*
 * Functions as C libraries have them: each with a site for programs of one thread and a site for others,
 * and what assemblers put between them.
 */
	.macro	call_of name, nr
	.p2align 4
\name:
	cmpb	$0, text(%rip)
	je	1f
	movl	$\nr, %eax
	.globl	\name\()_site
\name\()_site:
	syscall
	cmpq	$-4096, %rax
	ja	3f
	ret
	.globl	\name\()_cave
\name\()_cave:
	.p2align 4
1:
	subq	$0x28, %rsp
	movq	%rdx, 0x18(%rsp)
	movq	%rsi, 0x10(%rsp)
	movl	%edi, 0x8(%rsp)
	call	text
	movq	0x18(%rsp), %rdx
	movq	0x10(%rsp), %rsi
	movl	%eax, %r8d
	movl	0x8(%rsp), %edi
	movl	$\nr, %eax
	.globl	\name\()_site_2
\name\()_site_2:
	syscall
	cmpq	$-4096, %rax
	ja	4f
2:
	movq	%rax, 0x8(%rsp)
	call	text
	movq	0x8(%rsp), %rax
	addq	$0x28, %rsp
	ret
	.globl	\name\()_cave_2
\name\()_cave_2:
	.p2align 4
3:
	negl	%eax
	movl	%eax, %fs:(%rdx)
	movq	%rax, %rbx
	/* Filling that is run through. */
	.globl	\name\()_no_cave
\name\()_no_cave:
	.p2align 4
4:
	negl	%eax
	movl	%eax, %fs:(%rdx)
	movq	$-1, %rax
	jmp	2b
	.globl	\name\()_cave_3
\name\()_cave_3:
	.endm

	.text
	.p2align 12
	.globl	text
text:
	.rept	64
	movq	%rax, %rbx
	pushq	%rbx
	.endr
	call_of	first, 0
	call_of	second, 1
	call_of	third, 45
	.p2align 4
	.rept	128
	movq	%rax, %rbx
	pushq	%rbx
	.endr
	.globl	text_end
text_end:

	.section .note.GNU-stack, "", @progbits
