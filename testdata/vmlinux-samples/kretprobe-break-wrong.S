// The trampoline is a BRK for something else, and the handler leaves PC at the
// trampoline, which is executed again without end.
//
// build: kretprobe-break-wrong

#include "image.inc"
#include "entry-callops.inc"
#include "kretprobe.inc"

	image_head
	callops_entry_code
	site_functions adjust=callops, far=caller
	traced	vfs_read
	weak_update_trampoline
	kretprobe_core
	kretprobe_recover
	kretprobe_break_handler pc=0	// want FT113 "^kretprobe_brk_handler does not preserve.*leaves __kretprobe_trampoline .* in pc, the return address, 0x[0-9a-f]+, was expected\nfix: "
	kretprobe_break imm=6	// want FT113 "^__kretprobe_trampoline does not preserve.*it begins with brk #0x6, `brk #0x7` was expected, for which the kernel calls kretprobe_brk_handler\nfix: "
	ftrace_data
