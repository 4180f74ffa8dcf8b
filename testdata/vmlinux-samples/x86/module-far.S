// A module for a kernel whose functions refuse callsites that are farther than 1 GiB away.
// Modules are, where many of them are loaded.
//
// kernel: life-near
// build: module-far link=module

#include "module.inc"

	module	module_far, "6.12.0-sample SMP mod_unload"
	func	read_device
	.pushsection __mcount_loc, "a"
	.balign	8
	.quad	read_device + 4
	.popsection
	call	__fentry__	// want FT409 "^ftrace_make_call does with a callsite what it must not.*executed on callsite read_device.*while its module is loaded to 0xfffffffffeffe000.*returns -22, 0 was expected"
	ret
	endfunc	read_device
	.section .init.text, "ax"
	func	init_module
	ret
	endfunc	init_module
