// The arm64 RFC's template ("arm64/ftrace: support dynamically allocated
// trampolines", January 2020), label for label: every *_end label stands on
// the last instruction instead of after it, and what is copied is the live,
// patched kernel text.
//
// build: rfc-trampoline
// build: rfc-trampoline-nodwarf strip=debug
// build: rfc-trampoline-dwarf4 dwarf=4
// build: rfc-trampoline-dwarf5 dwarf=5
// build: rfc-trampoline-zlib compress=zlib asdef=LONG_LINES
// build: rfc-trampoline-zlib-gnu compress=zlib-gnu asdef=LONG_LINES
// build: rfc-trampoline-zstd compress=zstd asdef=LONG_LINES
// build: rfc-trampoline-debuglink debuglink=yes
// build: rfc-trampoline-debian as=debian/build/build_arm64_none_cloud-arm64/arch/arm64/kernel/entry-ftrace.S
// build: rfc-trampoline-absolute dwarf=4 as=/usr/src/linux-6.1/arch/arm64/kernel/entry-ftrace.S

#include "image.inc"
#include "entry-dyntramp.inc"

	image_head
	builder
	site_functions

	entry	ftrace_regs_caller
	save_callsite 1
	label	ftrace_regs_caller_end
	b	ftrace_common		// want FT104 "ftrace_regs_caller_end.*b.*ftrace_common"
	endentry ftrace_regs_caller

	entry	ftrace_caller
	save_callsite 0
	label	ftrace_caller_end
	b	ftrace_common		// want FT104 "ftrace_caller_end.*b.*ftrace_common"
	endentry ftrace_caller

	entry	ftrace_common
	sub	x0, x30, #4		// want FT112 "ftrace_common|ftrace_caller"
	mov	x1, x9
	label	function_trace_op_ptr
	load_var x2, function_trace_op
	mov	x3, sp
	label	ftrace_call
	bl	ftrace_stub
	label	ftrace_graph_call
	nop
ftrace_common_return:
	restore_callsite
	label	ftrace_common_end
	ret	x9			// want FT104 "ftrace_common_end.*ret"
	endentry ftrace_common

	tramp_rest

	traced	vfs_read
	traced	vfs_write
	ftrace_data

#ifdef LONG_LINES
#include "long-lines.inc"		// a line table worth compressing
#endif
