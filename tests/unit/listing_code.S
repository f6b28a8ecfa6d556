/*
 * Functions as compilers make them. In front of an instruction stands where a jump may be put: `enters`,
 * at the entry, and `leaves`, at the next return; with the bytes up to the return address.
 */
	.macro	row kind, below=0, after=0
	.pushsection .rodata
	.long	.Lat\@ - listing_code, \kind, \below, \after
	.popsection
.Lat\@:
	.endm
	.macro	function name
	.p2align 4
	row	0
\name\()_code:
	.endm
	.macro	enters below=0
	row	1, \below
	.endm
	.macro	leaves below, after=0
	row	2, \below, \after
	.endm
	.macro	returns
	row	2
	row	3
	ret
	.endm

	.section .rodata
	.p2align 4
	.globl	listing_rows
listing_rows:
	.text
	.p2align 6
	.globl	listing_code
listing_code:

	/* OpenSSL's, with a stack protector. */
	function ssl
	enters	0
	endbr64
	enters	0
	subq	$0x28, %rsp
	enters	0x28
	movq	%fs:0x28, %rax
	movq	%rax, 0x18(%rsp)
	xorl	%eax, %eax
	testl	%edx, %edx
	js	2f
	call	listing_code
	movq	0x18(%rsp), %rcx
	subq	%fs:0x28, %rcx
	jne	3f
1:
	leaves	0x28
	addq	$0x28, %rsp
	leaves	0, 1
	xorl	%edx, %edx
	leaves	0, 1
	xorl	%ecx, %ecx
	leaves	0, 1
	xorl	%esi, %esi
	returns
2:
	movl	$-1, %eax
	jmp	1b
3:
	call	listing_code

	/* Go's: it begins anew with a larger stack. */
	function go
1:
	enters	0
	cmpq	0x10(%r14), %rsp
	jbe	3f
	enters	0
	subq	$0x40, %rsp
	enters	0x40
	movq	%rbp, 0x38(%rsp)
	enters	0x40
	leaq	0x38(%rsp), %rbp
	enters	0x40
	movq	%rax, 0x48(%rsp)
	enters	0x40
	testq	%rcx, %rcx
	jle	2f
	call	listing_code
	leaves	0x40, 1
	movq	0x20(%rsp), %rax
	leaves	0x40, 1
	movq	0x18(%rsp), %rbx
	leaves	0x40, 1
	xorl	%ecx, %ecx
	leaves	0x40, 1
	movq	0x38(%rsp), %rbp
	leaves	0x40
	addq	$0x40, %rsp
	returns
2:
	leaves	0x40, 1
	xorl	%eax, %eax
	leaves	0x40, 1
	movq	%rax, %rbx
	leaves	0x40, 1
	movq	0x38(%rsp), %rbp
	leaves	0x40
	addq	$0x40, %rsp
	returns
3:
	movq	%rax, 0x8(%rsp)
	call	listing_code
	movq	0x8(%rsp), %rax
	jmp	1b

	/* Since 1.21. */
	function go_new
1:
	enters	0
	cmpq	0x10(%r14), %rsp
	jbe	2f
	enters	0
	pushq	%rbp
	enters	8
	movq	%rsp, %rbp
	enters	8
	subq	$0x30, %rsp
	enters	0x38
	movq	%rcx, 0x50(%rsp)
	call	listing_code
	leaves	0x38
	addq	$0x30, %rsp
	leaves	8
	popq	%rbp
	returns
2:
	call	listing_code
	jmp	1b

	/* A stack of more than what is left without a look: compared otherwise. */
	function go_large
1:
	enters	0
	leaq	-0x100(%rsp), %r12
	enters	0
	cmpq	0x10(%r14), %r12
	jbe	2f
	pushq	%rbp
	leaves	8, 1
	movq	%rsp, %rbp
	leaves	8
	popq	%rbp
	returns
2:
	call	listing_code
	jmp	1b

	/* With a frame pointer. */
	function frame
	enters	0
	pushq	%rbp
	enters	8
	movq	%rsp, %rbp
	enters	8
	pushq	%rbx
	enters	16
	subq	$0x18, %rsp
	enters	0x28
	movl	%edi, -0x14(%rbp)
	call	listing_code
	leaves	16, 1
	movq	%rbx, %rax
	leaves	16
	popq	%rbx
	leaves	8
	popq	%rbp
	returns
	movq	-8(%rbp), %rbx
	leave
	returns
	leaq	-8(%rbp), %rsp
	leaves	16
	popq	%rbx
	leaves	8
	popq	%rbp
	returns

	/* An early exit leads into the middle. */
	function early
	enters	0
	pushq	%rbx
	enters	8
	movq	%rdi, %r12
	enters	8
	xorl	%eax, %eax
	testq	%rdi, %rdi
	je	1f
	call	listing_code
	movl	%ebx, %edx
	xorl	%ecx, %ecx
1:
	leaves	8, 1
	movl	%edx, %esi
	leaves	8
	popq	%rbx
	returns
	/* It is a return's, and nothing else. */
	function early_ret
	enters	0
	cmpl	$1, %edi
	je	1f
	call	listing_code
	addq	$8, %rsp
1:
	returns

	/* What the entry itself is: a branch leads there; or no place is. */
	function loop
1:
	enters	0
	leaq	1(%rdi), %rax
	call	listing_code
	jmp	1b
	function loop_second
	enters	0
	pushq	%rbx
1:
	nop
	call	listing_code
	jmp	1b
	function call_first
	call	listing_code
	leaves	0, 1
	movq	%rbx, %rax
	returns
	function jump_first
	jmp	listing_code
	function branch_first
	je	listing_code
	returns
	function return_first
	returns

	/* Its instruction has to reach from elsewhere. */
	function rip
	enters	0
	movq	listing_code(%rip), %r12
	enters	0
	leaq	listing_code(%rip), %rdi
	call	listing_code
	returns

	/* The result comes late. */
	function late
	enters	0
	subq	$8, %rsp
	enters	8
	movl	$1, %r12d
	enters	8
	orl	$1, (%rdi)
	call	listing_code
	xorl	%edx, %edx
	leaves	8, 1
	movl	4(%rsp), %eax
	leaves	8
	addq	$8, %rsp
	returns
	call	listing_code
	leaq	8(%rsp), %rsp
	popq	%rax
	returns
	call	listing_code
	addq	$8, %rsp
	addq	%rdx, %rax
	returns
	call	listing_code
	leaves	0, 1
	leaq	8(%rbx), %rax
	leaves	0, 1
	movl	%ecx, %ebx
	leaves	0
	leaq	8(%rbx), %rbx
	returns
	/* As many as there is room for. */
	call	listing_code
	xorl	%ebp, %ebp
	leaves	0x30, 1
	xorl	%edx, %edx
	leaves	0x30
	addq	$8, %rsp
	leaves	0x28
	popq	%rbx
	leaves	0x20
	popq	%rbp
	leaves	0x18
	popq	%r12
	leaves	0x10
	popq	%r13
	leaves	8
	popq	%r14
	returns

	/* Arguments that are changed, in part too, and flags that are looked at. */
	function parts
	enters	0
	movl	%edi, %r12d
	enters	0
	movb	$1, %dl
	pushq	%rbx
	call	listing_code
	function parts_16
	enters	0
	movw	$1, %si
	pushq	%rbx
	call	listing_code
	function flags
	enters	0
	testl	%edi, %edi
	pushq	%rbx
	je	listing_code
	function swap
	enters	0
	lock cmpxchgl %ebx, (%rdi)
	pushq	%rbx
	je	listing_code
	function swap_add
	enters	0
	lock xaddl %ebp, (%rdi)
	pushq	%rbx
	je	listing_code
	function counted
	loop	1f
	returns
1:

	/* The stack pointer is lost. */
	function aligned
	enters	0
	leaq	8(%rsp), %r12
	enters	0
	andq	$-32, %rsp
	pushq	%r12
	call	listing_code
	function other
	enters	0
	movq	%rdi, %rsp
	pushq	%rbx
	call	listing_code
	function immediate
	enters	0
	pushq	$1
	pushq	%rbx
	call	listing_code

	/* No return's where a table may lead anywhere, and nothing that is the entry's as well. */
	function table
	enters	0
	pushq	%rbx
	enters	8
	movl	%edi, %eax
	jmp	*(%rsi, %rax, 8)
	xorl	%edx, %edx
	popq	%rbx
	returns
	function tiny
	enters	0
	movq	8(%rsp), %rax
	returns
	function straight
	enters	0
	subq	$8, %rsp
	enters	8
	movq	%rdi, 0(%rsp)
	enters	8
	xorl	%edi, %edi
	leaves	8
	addq	$8, %rsp
	returns

	.p2align 4
	row	0
	row	4
	.globl	listing_code_end
listing_code_end:

	.section .note.GNU-stack, "", @progbits
