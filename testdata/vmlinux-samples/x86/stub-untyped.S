// Built with kCFI, but the type before ftrace_stub is another than its pointers have.
//
// build: stub-untyped link=static with=good.c,sites-good.c,kernel.c

#include "image.inc"

	.globl	__kcfi_typeid_ftrace_stub, __kcfi_typeid_ftrace_stub_graph
	.set	__kcfi_typeid_ftrace_stub, 0x12345678
	.set	__kcfi_typeid_ftrace_stub_graph, 0x0a0b0c0d
	image_head
	func	__fentry__
	ret
	endfunc	__fentry__
	.balign	16
	.fill	11, 1, 0x90
	mov	$0x12345679, %eax
	func	ftrace_stub	// want FT114 "^ftrace_stub has no type for kCFI before it.*12345679 stands there; its type is 12345678"
	ret
	endfunc	ftrace_stub
	.balign	16
	mov	$0x0a0b0c0d, %eax
	.fill	11, 1, 0x90
	func	ftrace_stub_graph
	ret
	endfunc	ftrace_stub_graph
	caller
	regs_caller
	image_rest
