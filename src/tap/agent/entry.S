/*
 * The agent's way in and out, and its one system call instruction. Entered from a stub with the stub's
 * address in rcx; rcx and r11 are free, as the instruction that was here before clobbers them, and so
 * are the flags. The stack is the program's: a goroutine's has some 600 bytes left. The labels are for
 * pull.c, which moves a thread that is stopped anywhere in here back to its own code.
 */
#include "iotrace/ring.h"
#include "tap/agent/frame.S"

/*
 * read, write, close, pread64, pwrite64, readv, writev, accept, sendto, recvfrom, sendmsg, recvmsg, shutdown;
 * and accept4, which has a number beyond these.
 */
#define TAPPED \
	((1 << 0) | (1 << 1) | (1 << 3) | (1 << 17) | (1 << 18) | (1 << 19) | (1 << 20) | (1 << 43) | \
	 (1 << 44) | (1 << 45) | (1 << 46) | (1 << 47) | (1 << 48))

/* asm/unistd_64.h (recvmsg is behind sendmsg), fcntl(2), mmap(2), sigprocmask(2) */
#define NR_MMAP         9
#define NR_SIGPROCMASK  14
#define NR_ACCEPT       43
#define NR_SENDMSG      46
#define NR_FCNTL        72
#define NR_ACCEPT4      288
#define DUPFD_CLOEXEC   1030
#define PROTECTION_EXEC 4
#define UNBLOCK         1

	.text
	/*
	 * Of attached processes: what a filter would do. Only numbers in the table are seen, of mmap only
	 * what maps code, of fcntl only what makes a descriptor; of rt_sigprocmask what can block is changed.
	 */
	.globl	tap_filter
tap_filter:
	cmpl	$(RING_NUMBER_MAX - 1), %eax
	ja	tap_pass
	btl	%eax, RING_CONTROL + RING_NUMBERS
	jnc	tap_pass
	cmpl	$NR_MMAP, %eax
	je	1f
	cmpl	$NR_SIGPROCMASK, %eax
	je	2f
	cmpl	$NR_FCNTL, %eax
	jne	tap_entry
	testl	%esi, %esi
	jz	tap_untrusted
	cmpl	$DUPFD_CLOEXEC, %esi
	je	tap_untrusted
	jmp	tap_pass
1:	testb	$PROTECTION_EXEC, %dl
	jz	tap_pass
	jmp	tap_untrusted
2:	testq	%rsi, %rsi
	jz	tap_pass
	cmpl	$UNBLOCK, %edi
	je	tap_pass
	cmpq	$8, %r10
	jne	tap_pass
	cmpl	$0, RING_CONTROL + RING_DISABLED
	jne	tap_pass
	movl	$RING_FD_OTHER, %r11d
	jmp	tap_lower

	.globl	tap_entry
tap_entry:
	cmpl	$48, %eax
	ja	2f
	movabsq	$TAPPED, %r11
	btq	%rax, %r11
	jnc	tap_untrusted
3:	cmpl	$(RING_FDS - 1), %edi
	ja	tap_untrusted
	cmpl	$0, RING_CONTROL + RING_DISABLED
	jne	tap_untrusted
	movl	%edi, %r11d
	movzbl	RING_FD_STATES(%r11), %r11d
	cmpl	$RING_FD_OTHER, %r11d
	jb	tap_untrusted
	jne	tap_lower
	/* Descriptors of sockets can come with a message on what is none that we record, or be accepted. */
	cmpl	$NR_ACCEPT, %eax
	je	tap_untrusted
	cmpl	$NR_SENDMSG, %eax
	jb	tap_plain
tap_lower:
	leaq	-(FRAME_RED_ZONE + FRAME_SIZE)(%rsp), %rsp
	.globl	tap_lowered
tap_lowered:
	movq	%rcx, FRAME_STUB(%rsp)
	movq	%rax, FRAME_NR(%rsp)
	save_args_and_saved
	movq	%r11, FRAME_GEN(%rsp)
	/* and FRAME_TRACED */
	movq	$0, FRAME_STATE(%rsp)
	movq	$0, FRAME_CREDIT(%rsp)
	movq	$0, FRAME_RESERVED(%rsp)
	movabsq	$FRAME_MAGIC_VALUE, %r11
	xorq	%rsp, %r11
	movq	%r11, FRAME_MAGIC(%rsp)
	.globl	tap_framed
tap_framed:
	movq	%rsp, %rdi
	call	tap_record
	.globl	tap_leave
tap_leave:
	restore_args
	movq	FRAME_STUB(%rsp), %rcx
	movl	FRAME_TRACED(%rsp), %r11d
	.globl	tap_unmark
tap_unmark:
	movq	$0, FRAME_MAGIC(%rsp)
	leaq	(FRAME_RED_ZONE + FRAME_SIZE)(%rsp), %rsp
	.globl	tap_raised
tap_raised:
	testl	%r11d, %r11d
	jnz	tap_untrusted
	jmpq	*STUB_RET(%rcx)

2:	cmpl	$NR_ACCEPT4, %eax
	je	3b
	/* A call that is not ours, or that iotrace has to see: where it is traced, the stack untouched. */
	.globl	tap_untrusted
tap_untrusted:
	leaq	STUB_UNTRUSTED(%rcx), %rcx
	jmpq	*%rcx

	/* One that nobody wants to see. */
	.globl	tap_pass
tap_pass:
	leaq	STUB_SYSCALL(%rcx), %rcx
	jmpq	*%rcx

	/* Not a socket: no stop and no record. */
	.globl	tap_plain
tap_plain:
	leaq	-FRAME_RED_ZONE(%rsp), %rsp
	.globl	tap_plain_lowered
tap_plain_lowered:
	pushq	%rcx
	.globl	tap_plain_syscall
tap_plain_syscall:
	syscall
	.globl	tap_plain_done
tap_plain_done:
	popq	%rcx
	.globl	tap_plain_popped
tap_plain_popped:
	leaq	FRAME_RED_ZONE(%rsp), %rsp
	.globl	tap_plain_raised
tap_plain_raised:
	jmpq	*STUB_RET(%rcx)

	/* long tap_syscall(struct ring_frame *): the program's call, from the page that filters trust. */
	.globl	tap_syscall
tap_syscall:
	pushq	%rbx
	movq	%rdi, %rbx
	movl	$FRAME_CALLING, FRAME_STATE(%rbx)
	movq	FRAME_NR(%rbx), %rax
	movq	FRAME_ARGS(%rbx), %rdi
	movq	FRAME_ARGS+8(%rbx), %rsi
	movq	FRAME_ARGS+16(%rbx), %rdx
	movq	FRAME_ARGS+24(%rbx), %r10
	movq	FRAME_ARGS+32(%rbx), %r8
	movq	FRAME_ARGS+40(%rbx), %r9
	.globl	tap_trusted
tap_trusted:
	syscall
	.globl	tap_returned
tap_returned:
	movq	%rax, FRAME_RESULT(%rbx)
	movl	$FRAME_DONE, FRAME_STATE(%rbx)
	popq	%rbx
	ret

	/*
	 * uint64_t tap_copy(void *to, const void *from, uint64_t len): how many bytes were not copied. A
	 * fault in it is answered by iotrace, which lets it go on behind the copy.
	 */
	.globl	tap_copy
tap_copy:
	movq	%rdx, %rcx
	.globl	tap_copy_begin
tap_copy_begin:
	rep movsb
	.globl	tap_copy_end
tap_copy_end:
	movq	%rcx, %rax
	ret

	/*
	 * What follows takes from counters that all share and notes it in the frame. Who is stopped
	 * between the two is found out by the labels: each change is noted exactly once.
	 */

	/* int64_t tap_take(struct ring_frame *, uint64_t need): credit; what was there before. */
	.globl	tap_take
tap_take:
	movq	%rsi, %rax
	negq	%rax
	lock xaddq %rax, RING_HEADER+RING_CREDIT
	.globl	tap_taken
tap_taken:
	addq	%rsi, FRAME_CREDIT(%rdi)
	ret

	/* void tap_give(struct ring_frame *): all that it has not used. */
	.globl	tap_give
tap_give:
	movq	FRAME_CREDIT(%rdi), %rsi
	testq	%rsi, %rsi
	jz	tap_given
	movq	$0, FRAME_CREDIT(%rdi)
	.globl	tap_giving
tap_giving:
	lock addq %rsi, RING_HEADER+RING_CREDIT
	.globl	tap_given
tap_given:
	ret

	/* uint64_t tap_reserve(struct ring_frame *, uint64_t size): a place in the ring, for credit. */
	.globl	tap_reserve
tap_reserve:
	movq	%rsi, %rax
	lock xaddq %rax, RING_HEADER+RING_HEAD
	.globl	tap_reserved
tap_reserved:
	movq	%rax, FRAME_POSITION(%rdi)
	.globl	tap_placed
tap_placed:
	subq	%rsi, FRAME_CREDIT(%rdi)
	.globl	tap_charged
tap_charged:
	movq	%rsi, FRAME_RESERVED(%rdi)
	ret

	/*
	 * int64_t tap_wait(void): waits until iotrace has emptied the ring. Outside of the page that filters
	 * trust, so this call stops (in attached processes by a trap in place of the nop); iotrace knows it by
	 * its address, and it is never made: 0. Where iotrace is gone it fails.
	 * void tap_tell(void): the same, for iotrace to see what is in the frame. This call is made, and fails:
	 * a program's own filter may kill who makes the call number -1, by which others are skipped.
	 */
	.section .wait, "ax", @progbits
	.globl	tap_tell
tap_tell:
	movl	$NR_ACCEPT, %eax
	movl	$WAIT_TELL, %edi
	jmp	tap_wait_trap
	.globl	tap_wait
tap_wait:
	xorl	%eax, %eax
	movl	$WAIT_ROOM, %edi
	.globl	tap_wait_trap
tap_wait_trap:
	nop
	syscall
	.globl	tap_waited
tap_waited:
	ret

	.section .note.GNU-stack, "", @progbits
