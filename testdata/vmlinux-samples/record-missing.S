// Functions that begin with the NOPs of a callsite and have no entry in the
// table, and functions whose NOPs are for something else.
//
// build: record-missing

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions
	weak_update_trampoline

	traced	vfs_read

	func	vfs_write
	nop	// want FT413 "vfs_write and 1 other function have the NOPs of a callsite and no entry.*the others: vfs_open"
	nop
	frame_and_return
	endfunc	vfs_write

	func	vfs_open
	bti	c
	nop
	nop
	frame_and_return
	endfunc	vfs_open

	// An alternative takes the place of these.
	func	copy_page
10:	nop
	nop
	frame_and_return
	endfunc	copy_page
11:	prfm	pldl1strm, [x1, #128]
	prfm	pldl1strm, [x1, #256]

	// A jump label takes the place of one.
	func	update_load
20:	nop
	nop
	frame_and_return
	endfunc	update_load

	// One NOP is no callsite, nor are NOPs further on.
	func	one_nop
	nop
	frame_and_return
	endfunc	one_nop
	func	nops_further_on
	paciasp
	nop
	nop
	autiasp
	ret
	endfunc	nops_further_on

	.section .noinstr.text, "ax"
	func	enter_from_kernel_mode
	nop
	nop
	frame_and_return
	endfunc	enter_from_kernel_mode

	.section .altinstructions, "a"
	.long	10b - .
	.long	11b - .
	.hword	5
	.byte	8, 8
	.section __jump_table, "aw"
	.balign	8
	.long	20b - .
	.long	update_load - .
	.quad	0
	ftrace_data
