// A probed function returns, as in 6.1: the trampoline calls its handler.
//
// build: kretprobe-good

#include "image.inc"
#include "entry-regs.inc"
#include "kretprobe.inc"

	image_head
	regs_entry_code
	site_functions
	traced	vfs_read
	weak_update_trampoline
	kretprobe_core
	kretprobe_recover
	kretprobe_handler
	kretprobe_trampoline
	ftrace_data
