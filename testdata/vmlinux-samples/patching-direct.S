// The interface that patches text of a kernel that does not protect that of modules: where
// nothing is mapped for it, the slot of the fixmap is cleared all the same.
//
// build: patching-direct

#include "image.inc"
#include "entry-regs.inc"
#include "patching.inc"

	image_head
	regs_entry_code
	memory_functions
	patch_map direct=1
	patch_write
	patch_interface
	insn_makers
	branch_maker
	weak_update_trampoline

	// The interface needs room: it patches words of several pages.
	func	patch_me
	.skip	16384
	endfunc	patch_me

	ftrace_data
