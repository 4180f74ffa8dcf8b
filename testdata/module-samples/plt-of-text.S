// Nothing is wrong with the module: its kernel sends the callsite in init text
// to the PLT of text.
//
// kernel: kernel-plt-near
// build: plt-of-text link=module

#include "module.inc"
#include "sites-callops.inc"

	module	plt_of_text, "6.12.0-sample SMP mod_unload aarch64"
	plts	init=1
	traced	read_device
	.section .init.text, "ax"
	traced	init_module	// want FT409 "ftrace_make_call leaves other words at a callsite.*executed on callsite init_module"
