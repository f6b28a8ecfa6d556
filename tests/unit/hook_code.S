/*
 * What a unit test of stubs calls: in place of the agent, with a stack of its own, and functions that
 * are copied to where they can be changed.
 */
	.text
	/* The agent: tells hook_called(back, sp, what it has saved), keeps all registers, and leaves other flags. */
	.globl	hook_agent
hook_agent:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	movq	88(%rsp), %rdi
	leaq	(96 + 128)(%rsp), %rsi
	movq	%rsp, %rdx
	movq	%rsp, %rbx
	andq	$-16, %rsp
	call	hook_called
	movq	%rbx, %rsp
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	pushq	hook_flags(%rip)
	popfq
	ret

	/* void hook_call(void (*function)(void), uint64_t registers[16], void *stack): rsp is not among them. */
	.globl	hook_call
hook_call:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rdi, function(%rip)
	movq	%rsi, registers(%rip)
	movq	%rsp, stack(%rip)
	movq	%rdx, %rsp
	movq	%rsi, %rax
	movq	8(%rax), %rcx
	movq	16(%rax), %rdx
	movq	24(%rax), %rbx
	movq	40(%rax), %rbp
	movq	48(%rax), %rsi
	movq	56(%rax), %rdi
	movq	64(%rax), %r8
	movq	72(%rax), %r9
	movq	80(%rax), %r10
	movq	88(%rax), %r11
	movq	96(%rax), %r12
	movq	104(%rax), %r13
	movq	112(%rax), %r14
	movq	120(%rax), %r15
	movq	(%rax), %rax
	call	*function(%rip)
	.globl	hook_returned
hook_returned:
	pushq	%rax
	movq	registers(%rip), %rax
	popq	(%rax)
	movq	%rcx, 8(%rax)
	movq	%rdx, 16(%rax)
	movq	%rbx, 24(%rax)
	movq	%rbp, 40(%rax)
	movq	%rsi, 48(%rax)
	movq	%rdi, 56(%rax)
	movq	%r8, 64(%rax)
	movq	%r9, 72(%rax)
	movq	%r10, 80(%rax)
	movq	%r11, 88(%rax)
	movq	%r12, 96(%rax)
	movq	%r13, 104(%rax)
	movq	%r14, 112(%rax)
	movq	%r15, 120(%rax)
	movq	%rsp, 32(%rax)
	movq	stack(%rip), %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

	/* Each is copied alone; what begins with go_ finds a goroutine in r14 and words in rax, rbx, rcx. */
	.macro	function name
	.p2align 4
	.pushsection .rodata
	.long	\name - hook_code, \name\()_end - \name
	.popsection
\name:
	.endm
	.section .rodata
	.p2align 2
	.globl	hook_functions
hook_functions:
	.text
	.globl	hook_code
hook_code:

	function protected
	endbr64
	subq	$0x28, %rsp
	movq	%fs:0x28, %rax
	movq	%rax, 0x18(%rsp)
	xorl	%eax, %eax
	testq	%rdi, %rdi
	js	2f
	leaq	(%rdi, %rsi), %rax
	movq	0x18(%rsp), %rcx
	subq	%fs:0x28, %rcx
	jne	3f
1:
	addq	$0x28, %rsp
	xorl	%edx, %edx
	xorl	%ecx, %ecx
	ret
2:
	movl	$-1, %eax
	jmp	1b
3:
	ud2
protected_end:

	function go_write
1:
	cmpq	0x10(%r14), %rsp
	jbe	3f
	subq	$0x40, %rsp
	movq	%rbp, 0x38(%rsp)
	leaq	0x38(%rsp), %rbp
	movq	%rax, 0x48(%rsp)
	movq	%rcx, 0x20(%rsp)
	movq	%rbx, 0x18(%rsp)
	cmpq	%rbx, %rcx
	jle	2f
	movq	0x20(%rsp), %rax
	movq	0x18(%rsp), %rbx
	xorl	%ecx, %ecx
	movq	0x38(%rsp), %rbp
	addq	$0x40, %rsp
	ret
2:
	xorl	%eax, %eax
	movq	%rax, %rbx
	movq	0x48(%rsp), %rcx
	movq	0x38(%rsp), %rbp
	addq	$0x40, %rsp
	ret
3:
	movq	%rax, 0x8(%rsp)
	movq	$0, 0x10(%r14)
	movq	0x8(%rsp), %rax
	jmp	1b
go_write_end:

	function go_read
1:
	cmpq	0x10(%r14), %rsp
	jbe	2f
	pushq	%rbp
	movq	%rsp, %rbp
	subq	$0x30, %rsp
	movq	%rcx, 0x50(%rsp)
	addq	%rbx, %rax
	addq	$0x30, %rsp
	popq	%rbp
	ret
2:
	movq	$0, 0x10(%r14)
	jmp	1b
go_read_end:

	function frame
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rbx
	subq	$0x18, %rsp
	movq	%rdi, -0x18(%rbp)
	movq	%rsi, %rbx
	cmpq	%rsi, %rdi
	jb	1f
	addq	-0x18(%rbp), %rbx
	addq	$0x18, %rsp
	movq	%rbx, %rax
	popq	%rbx
	popq	%rbp
	ret
1:
	movl	%esi, %eax
	movq	-8(%rbp), %rbx
	leave
	ret
frame_end:

	/* The red zone; an exit into the middle; and flags that cross the saving of a register. */
	function leaf
	movq	%rdi, -0x80(%rsp)
	movq	%rsi, -8(%rsp)
	movq	nothing(%rip), %r12
	cmpq	%rsi, %rdi
	pushq	%r13
	movq	%rdx, %r13
	jl	1f
	movl	$7, %r13d
	movl	%edx, %r8d
1:
	movq	%rdi, %r9
	movq	%r13, %rax
	popq	%r13
	movl	-8(%rsp), %ecx
	movq	-0x80(%rsp), %rdx
	ret
nothing:
leaf_end:

	function straight
	movq	%rdi, %rax
	ret
straight_end:

	.pushsection .rodata
	.long	0, 0
	.popsection

	.bss
	.p2align 3
function:
	.skip	8
registers:
	.skip	8
stack:
	.skip	8

	.section .note.GNU-stack, "", @progbits
