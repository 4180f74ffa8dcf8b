// Functions whose callsite is another NOP, a CALL of another function, and a NOP of 5 bytes that the kernel does not use.
//
// build: site-malformed link=static with=good.c,sites-good.c,kernel.c

#include "image.inc"

	image_head
	entry_stub
	caller
	regs_caller

	.macro	odd name, bytes:vararg
	func	\name
	.pushsection __mcount_loc, "a"
	.quad	773f
	.popsection
773:	.byte	\bytes
	.endm

	odd	short_nop, 0x90, 0x90, 0x90, 0x90, 0x90	// want FT401 "callsite short_nop has other instructions"
	ret
	endfunc	short_nop
	odd	half_nop, 0x0f, 0x1f, 0x44, 0x00	// want FT401 "callsite half_nop has other instructions"
	ret
	endfunc	half_nop
	odd	not_the_tracer, 0xe8, 0x00, 0x00, 0x00, 0x00	// want FT401 "callsite not_the_tracer has other instructions"
	ret
	endfunc	not_the_tracer
	image_rest
