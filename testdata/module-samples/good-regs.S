// A module without a defect, era regs, as 6.1 builds it; and as 5.10 did, with
// PLT sections that are writable and executable until the loader rewrites them.
//
// kernel: kernel-regs
// build: good-regs link=module
// build: good-regs-wax link=module asdef=FLAGS=awx
// build: good-regs-nodwarf link=module strip=debug

#include "module.inc"
#include "sites-nops.inc"
#ifndef FLAGS
#define FLAGS ax
#endif

	module	good_regs, "6.1.0-sample SMP mod_unload aarch64"
	plts	FLAGS
	traced	read_device, local
	traced	write_device
	traced	poll_device, globl, 1	// a landing pad does no harm
	.section .init.text, "ax"
	traced	init_module
