// Symbols of x86 that arm64 has, too, or that look like arm64's.
//
// build: arm-symbols-near link=static with=good.c,sites-good.c,kernel.c

#include "image.inc"

	image_head
	entry_stub
	caller
	regs_caller

	func	flush_icache_range
	ret
	endfunc	flush_icache_range
	func	ftrace_graph_caller
	ret
	endfunc	ftrace_graph_caller
	func	aarch64_insn_read_of_others, bind=local
	ret
	endfunc	aarch64_insn_read_of_others
	image_rest
