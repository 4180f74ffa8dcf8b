// A module without a callsite table whose function has the NOPs of a callsite,
// beside functions whose NOPs are for an alternative and a jump label.
//
// kernel: kernel-callops
// build: record-missing link=module

#include "module.inc"

	module	record_missing, "6.12.0-sample SMP mod_unload aarch64"
	plts	init=1
	.balign	8
	nop
	nop
	func	read_device
	nop	// want FT413 "^read_device .*has the NOPs of a callsite.*the module has no section __patchable_function_entries"
	nop
	frame_and_return
	endfunc	read_device

	.balign	8
	nop
	nop
	func	write_device
10:	nop
	nop
	frame_and_return
	endfunc	write_device
11:	dsb	ish
	isb

	.balign	8
	nop
	nop
	func	poll_device
20:	nop
	nop
	frame_and_return
	endfunc	poll_device

	.section .altinstructions, "a"
	.long	10b - .
	.long	11b - .
	.hword	5
	.byte	8, 8
	.section __jump_table, "aw"
	.balign	8
	.long	20b - .
	.long	poll_device - .
	.quad	counter
