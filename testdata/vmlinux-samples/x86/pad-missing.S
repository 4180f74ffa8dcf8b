// Built for IBT, but what is called by pointers while there is no tracer has no landing
// pad.
//
// build: pad-missing link=static with=good.c,sites-good.c,kernel.c

#include "image.inc"

	image_head
	func	__fentry__
	ret
	endfunc	__fentry__
	.globl	ftrace_stub
	.type	ftrace_stub, @function
ftrace_stub:
	ret	// want FT114 "^ftrace_stub begins with no landing pad.*`ret` stands.*the callback of an ops that is no longer registered.*IBT is in 4 of 4 callsites"
	.size	ftrace_stub, . - ftrace_stub
	caller
	regs_caller
	image_rest
