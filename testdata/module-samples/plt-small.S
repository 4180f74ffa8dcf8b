// Nothing is wrong with the module, which has a tail call: its kernel makes no room
// for the PLT entry.
//
// kernel: kernel-plt-small
// build: plt-small link=module

#include "module.inc"
#include "sites-callops.inc"

	module	plt_small, "6.12.0-sample SMP mod_unload aarch64"
	plts	init=1
	traced	read_device
	func	put_device_away	// want-image FT208 "^module_frob_arch_sections does not give.*executed on the module, it makes \.plt 0x18 bytes large, it must hold 3 PLT entries of 12 bytes"
	b	put_device
	endfunc	put_device_away
	func	put_module_away
	b	module_put
	endfunc	put_module_away
