// Built for BTI, with landing pads that are no "bti c": BTI JC takes every
// indirect branch, PACIASP takes BLR and a PLT's BR, BTI J takes a BR x17.
//
// build: entry-other-pads

#include "image.inc"
#include "entry-callops.inc"

	image_head
	site_functions adjust=callops, far=caller

	notrace	ftrace_return_to_handler

	entry	ftrace_caller
	bti	jc
	bic	x11, x30, #7
	ldr	x11, [x11, #-16]
	save_callsite
	sub	x0, x30, #4
	mov	x1, x9
	mov	x2, x11
	mov	x3, sp
	ldr	x4, [x2, #OPS_FUNC]
	blr	x4
	ldp	x0, x1, [sp]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldr	x8, [sp, #64]
	ldr	x29, [sp, #FR_FP]
	ldr	x30, [sp, #FR_LR]
	ldr	x9, [sp, #FR_PC]
	add	sp, sp, #FRAME
	ret	x9
	endentry ftrace_caller

	func	ftrace_stub
	paciasp
	autiasp
	ret
	endfunc	ftrace_stub
	entry_stub_graph

	func	ftrace_stub_direct_tramp
	bti	j
	mov	x10, x30
	mov	x30, x9
	ret	x10
	endfunc	ftrace_stub_direct_tramp

	entry_return

	traced	vfs_read, bti=1
	traced	vfs_write, bti=1
	ftrace_data
