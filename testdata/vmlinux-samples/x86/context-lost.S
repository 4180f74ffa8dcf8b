// Entry code that does not give back R9, which has the sixth argument of the traced function.
//
// build: context-lost link=static with=good.c,sites-good.c,kernel.c

#include "image.inc"

	image_head
	entry_stub
	caller_head	// want FT113 "ftrace_caller does not preserve.*r9 comes back as"
	op_load	ftrace_caller_op_ptr
	caller_call
	mov	RBP(%rsp), %rbp
	mov	R8(%rsp), %r8
	mov	RDI(%rsp), %rdi
	mov	RSI(%rsp), %rsi
	mov	RDX(%rsp), %rdx
	mov	RCX(%rsp), %rcx
	mov	RAX(%rsp), %rax
	add	$FRAME, %rsp
	label	ftrace_caller_end
	ret
	endfunc	ftrace_caller
	regs_caller
	image_rest
