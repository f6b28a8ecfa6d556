	.section .rodata
	.globl	agent_blob, agent_blob_end
agent_blob:
	.incbin	"agent.bin"
agent_blob_end:
	.section .note.GNU-stack, "", @progbits
