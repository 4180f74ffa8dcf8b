// A maker of branches that cuts the distance to 32 bits: a target 4 GiB away counts
// as near.
//
// build: encoder-wraps

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
	branch_maker wraps=1	// want FT119 "^aarch64_insn_gen_branch_imm makes a wrong.*, 0x1\) returns 9[4-7][0-9a-f]* .* it is d4202000"
	weak_update_trampoline

	// The interface needs room: it patches words of several pages.
	func	patch_me
	.skip	16384
	endfunc	patch_me

	ftrace_data
