// Symbols of arm64 that look like x86's.
//
// build: x86-symbols-near

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions

	traced	bpf_arch_text_poke
	traced	aarch64_insn_patch_text
	notrace	ftrace_modify_all_code
	notrace	ideal_nops_are_for_others, local

	traced	vfs_read
	traced	vfs_write
	ftrace_data
