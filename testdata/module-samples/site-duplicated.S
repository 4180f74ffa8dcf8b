// Two entries for one callsite.
//
// kernel: kernel-regs
// build: site-duplicated link=module

#include "module.inc"
#include "sites-nops.inc"

	module	site_duplicated, "6.1.0-sample SMP mod_unload aarch64"
	plts
	traced	read_device	// want FT404 "callsite read_device .*is in the callsite table twice"
	record	.Lsite_read_device
