// An alternative, a jump label and an exception-table entry for instructions that
// are copied: in the copy they would never be patched, or never be fixed up.
//
// build: metadata-copied
// build: metadata-copied-typed asdef=TYPED_FIXUPS

#include "image.inc"
#include "entry-dyntramp.inc"

#include "metadata.inc"

	image_head
	builder
	site_functions

	metadata_targets
	tramp_regs_caller

	entry	ftrace_caller
	alternative 1f
1:	nop				// want FT115 "(?i)alternative|altinstr"
	save_callsite 0
	b	ftrace_common
	endentry ftrace_caller
	label	ftrace_caller_end

	entry	ftrace_common
	sub	x0, x30, #4		// want FT112 "ftrace_common|ftrace_caller"
	mov	x1, x9
	label	function_trace_op_ptr
	load_var x2, function_trace_op
	mov	x3, sp
	jump_label 1f
1:	nop				// want FT115 "(?i)jump"
	fixup	1f
1:	ldr	x4, [x1]		// want FT115 "(?i)exception|ex_table"
	tramp_common_call
	endentry ftrace_common
	label	ftrace_common_end

	tramp_rest

	traced	vfs_read
	traced	vfs_write
	ftrace_data
