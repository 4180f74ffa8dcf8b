// No room for PLT entries to ftrace_caller.
//
// kernel: kernel-callops-6.12
// build: no-ftrace-plt link=module

#include "module.inc"
#include "sites-callops.inc"
// want-image FT204 "2 callsites and no section \.text\.ftrace_trampoline.*module_plt_base.*refuses"

	module	no_ftrace_plt, "6.12.0-sample SMP mod_unload aarch64"
	plts	ftrace=0
	traced	read_device
	traced	write_device
