	.section .rodata
	.globl	page_html, page_html_end
page_html:
	.incbin	"page.html"
page_html_end:
	.section .note.GNU-stack, "", @progbits
