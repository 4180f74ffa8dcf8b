// A writer that, where its copy fails, leaves the page mapped writable.
//
// build: patching-leaves-mapped

#include "image.inc"
#include "entry-regs.inc"
#include "patching.inc"

	image_head
	regs_entry_code
	memory_functions
	patch_map
	patch_write keeps=1	// want FT118 "^aarch64_insn_write does not patch.*executed on a word of text, where the copy fails.*it leaves the page of .* mapped writable, at fixmap slot 0x4.*so does aarch64_insn_patch_text_nosync"
	patch_interface
	insn_makers
	branch_maker
	weak_update_trampoline

	// The interface needs room: it patches words of several pages.
	func	patch_me
	.skip	16384
	endfunc	patch_me

	ftrace_data
