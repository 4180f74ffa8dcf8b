// Entry code without the end label of ftrace_regs_caller, in an image without a builder.
//
// build: label-missing link=static with=sites-good.c,kernel.c

#include "image.inc"

	image_head
	entry_stub
	caller		// want FT101 "arch_ftrace_update_trampoline is missing" FT101 "ftrace_regs_caller_end is missing"
	regs_caller_head
	restore
	add	$FRAME, %rsp
	popf
	ret
1:	mov	FRAME(%rsp), %rdi
	mov	%rdi, SS(%rsp)
	mov	%rax, FRAME(%rsp)
	restore
	add	$SS, %rsp
	popf
	ret
	endfunc	ftrace_regs_caller
	image_rest
