// Symbols that only x86 has: a text patching function, a trampoline label, and a
// table of NOPs in data.
//
// build: x86-symbols

#include "image.inc"
#include "entry-regs.inc"

// want-image FT504 "ideal_nops"

	image_head
	regs_entry_code
	site_functions

	func	text_poke_bp
	paciasp				// want FT504 "text_poke_bp"
	autiasp
	ret
	endfunc	text_poke_bp

	label	ftrace_caller_op_ptr
	nop				// want FT504 "ftrace_caller_op_ptr"

	.section .rodata
	.balign	8
	.globl	ideal_nops
	.type	ideal_nops, %object
	.size	ideal_nops, 8
ideal_nops:
	.quad	0
	.text

	traced	vfs_read
	traced	vfs_write
	ftrace_data
