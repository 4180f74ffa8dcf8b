// A module without callsites needs no PLT for ftrace.
//
// kernel: kernel-callops
// build: no-callsites link=module

#include "module.inc"

	module	no_callsites, "6.12.0-sample SMP mod_unload aarch64"
	plts	ftrace=0
	func	init_module
	frame_and_return
	endfunc	init_module
