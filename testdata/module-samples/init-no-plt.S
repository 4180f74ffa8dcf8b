// A callsite in init text, and no room for PLT entries there, for a kernel that
// looks for it.
//
// kernel: kernel-callops
// build: init-no-plt link=module

#include "module.inc"
#include "sites-callops.inc"

	module	init_no_plt, "6.12.0-sample SMP mod_unload aarch64"
	plts
	traced	read_device
	.section .init.text, "ax"
	traced	init_module	// want FT205 "1 callsite in init text and no section \.init\.text\.ftrace_trampoline.*the first is init_module.*refuses"
