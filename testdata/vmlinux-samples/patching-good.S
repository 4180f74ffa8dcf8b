// The interface that patches text, and the makers of instructions, without a
// defect.
//
// build: patching-good

#include "image.inc"
#include "entry-regs.inc"
#include "patching.inc"

	image_head
	regs_entry_code
	memory_functions
	patch_map
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
