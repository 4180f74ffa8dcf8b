// A module with two callsite tables, of which the loader takes the first: the
// linker had no script that joins them.
//
// kernel: kernel-callops
// build: second-table link=module ld=--unique=__patchable_function_entries

#include "module.inc"
#include "sites-callops.inc"

	module	second_table, "6.12.0-sample SMP mod_unload aarch64"
	plts	init=1
	traced	read_device

// A callsite with its entry in a table of its own.
.macro	traced_apart name
	.balign	8
	nop
	nop
	func	\name
	nop
	nop
	frame_and_return
	endfunc	\name
	.pushsection __patchable_function_entries, "awo", %progbits, .init.text
	.balign	8
	.quad	\name - 8
	.popsection
.endm

	.section .init.text, "ax"
	traced_apart	init_module	// want FT413 "^init_module .*and 1 other function have the NOPs of a callsite.*the others: probe_device .*the module has another section __patchable_function_entries, with 2 entries, and the loader looks at the first of that name alone"
	traced_apart	probe_device
