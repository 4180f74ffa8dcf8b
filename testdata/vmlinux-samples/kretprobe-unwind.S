// No stack trace goes through a trampoline, in a kernel that would unwind through
// it: it has no frame record of its own.
//
// build: kretprobe-unwind

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
	kretprobe_trampoline record=0	// want FT113 "^__kretprobe_trampoline does not preserve.*the frame record at trampoline_probe_handler .* a stack trace from a probe does not come to the probed function's caller\nfix: "
	ftrace_data
