// Era regs as 6.1 has it: landing pads at the entry code, no slot for the
// graph tracer, the callsite table's values in .rela.dyn alone.
//
// build: regs-good
// build: regs-good-static link=static
// build: regs-good-inplace link=inplace
// build: regs-good-nodwarf strip=debug
// build: regs-good-stripped strip=all

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions

	.text
	traced	schedule_work_on
	nop				// padding between functions is no callsite
	nop
	.balign	16
	traced	do_nothing, local	// static functions are traced as well
	weak_update_trampoline

	// NOPs of its own right after a callsite
	func	nops_follow
	record	1f
1:	nop
	nop
	nop
	nop
	frame_and_return
	endfunc	nops_follow

	// its entry is the table's first, its relocation the last
	func	out_of_order
	record	1f, __mcount_loc
1:	nop
	nop
	frame_and_return
	endfunc	out_of_order

	// may be traced, for all the special sections they are in
	.section .irqentry.text, "ax"
	traced	handle_irq
	.section .softirqentry.text, "ax"
	traced	handle_softirqs
	.section .sched.text, "ax"
	traced	schedule
	.section .init.text, "ax"
	traced	start_kernel

	// may not be, and are not
	.section .noinstr.text, "ax"
	notrace	enter_from_kernel_mode
	.section .entry.text, "ax"
	notrace	el1_sync
	.section .hyp.text, "ax"
	notrace	__guest_enter
	.section .idmap.text, "ax"
	notrace	cpu_resume_mmu

	ftrace_data
