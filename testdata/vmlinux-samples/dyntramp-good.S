// Dynamic trampolines as the RFC's review asked for them: a template of its
// own in read-only, non-executable memory; the live entry code is not copied.
//
// build: dyntramp-good

#include "image.inc"
#include "entry-dyntramp.inc"

	image_head
	builder
	regs_entry_code pad=0 graph=1
	site_functions

	traced	vfs_read
	traced	vfs_write
	ftrace_data

	// copied, never run here: from the start label up to the end label, with
	// the ops pointer in a literal at the end
	.section .rodata
	.balign	8
	entry	ftrace_tramp_template
	save_callsite 0
	sub	x0, x30, #4
	mov	x1, x9
	ldr	x2, ftrace_tramp_template_ops
	mov	x3, sp
	label	ftrace_tramp_template_call
	nop
	restore_callsite
	ret	x9
	.balign	8
	label	ftrace_tramp_template_ops
	.quad	0
	endentry ftrace_tramp_template
	label	ftrace_tramp_template_end
