// Built with kCFI: C code checks the word before a function that it calls by a
// pointer. ftrace_stub has its type there. ftrace_stub_graph has the type of
// ftrace_stub, as it was while both were one function.
//
// build: stub-untyped def=LAYOUT_6_12

#include "image.inc"
#include "entry-args.inc"

	.globl	__kcfi_typeid_ftrace_stub, __kcfi_typeid_ftrace_stub_graph
	.set	__kcfi_typeid_ftrace_stub, 0x82ac6e61
	.set	__kcfi_typeid_ftrace_stub_graph, 0x1b7c5d09

	.purgem	entry_stub
.macro	entry_stub pad=1
	.word	__kcfi_typeid_ftrace_stub
	func	ftrace_stub
	ret
	endfunc	ftrace_stub
.endm

	image_head
	args_entry_code
	site_functions

	.word	__kcfi_typeid_ftrace_stub
	func	ftrace_stub_graph
	ret				// want FT114 "^ftrace_stub_graph has no type for kCFI.*82ac6e61 stands there; its type is 1b7c5d09"
	endfunc	ftrace_stub_graph

	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
