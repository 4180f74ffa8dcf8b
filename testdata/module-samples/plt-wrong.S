// Nothing is wrong with the module: its kernel writes a PLT entry that leads
// past the entry point.
//
// kernel: kernel-plt-wrong
// build: plt-wrong link=module

#include "module.inc"
#include "sites-callops.inc"

	module	plt_wrong, "6.12.0-sample SMP mod_unload aarch64"
	plts	init=1
	traced	read_device	// want FT409 "module_finalize does with.*executed on callsite read_device.*PLT entry.*does not come to ftrace_caller"
