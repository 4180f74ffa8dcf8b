// A probed function returns, as in 6.12: the trampoline is a BRK.
//
// build: kretprobe-break-good

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
	kretprobe_break_handler
	kretprobe_break
	ftrace_data
