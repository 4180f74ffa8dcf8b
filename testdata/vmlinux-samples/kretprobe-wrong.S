// A probed function does not return as it should: SP is saved where the unwinder
// looks for FP, the handler returns something else than the return address, and
// the trampoline loses X8 and X9.
//
// build: kretprobe-wrong

#include "image.inc"
#include "entry-regs.inc"
#include "kretprobe.inc"

	image_head
	regs_entry_code
	site_functions
	traced	vfs_read
	weak_update_trampoline
	kretprobe_core frame=REGS_SP	// want FT113 "^arch_prepare_kretprobe does not preserve.*the frame is not saved: 0x[0-9a-f]+ is at \+40 of the instance, FP \(0x[0-9a-f]+\) was expected\nfix: "
	kretprobe_recover
	kretprobe_handler result=0	// want FT113 "^trampoline_probe_handler does not preserve.*it returns 0x[0-9a-f]+, the return address, 0x[0-9a-f]+, was expected\nfix: "
	kretprobe_trampoline x8=0	// want FT113 "^__kretprobe_trampoline does not preserve.*x8 comes back as 0x[0-9a-f]+, 0x[0-9a-f]+ was expected.*x9 comes back as"
	ftrace_data
