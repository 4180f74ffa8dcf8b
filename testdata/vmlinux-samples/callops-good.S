// Era callops as 6.12 has it: the callsite table's values in place with
// .relr.dyn, blanked entries at its front, identity-map text behind .rodata.
//
// build: callops-good link=relr def=LAYOUT_6_12 def=RELR_BITS=0xff
// build: callops-good-rela def=LAYOUT_6_12

#include "image.inc"
#include "entry-callops.inc"

	blanked	3
	image_head
	callops_entry_code
	site_functions adjust=callops, far=caller

	.text
	traced	schedule_work_on
	traced	do_nothing, local
	weak_update_trampoline

	// what other alignment padding looks like: more NOPs than a literal
	nop
	nop
	.balign	16
	nop
	nop
	traced	after_padding

	.section .irqentry.text, "ax"
	traced	handle_irq
	.section .init.text, "ax"
	traced	start_kernel

	.section .noinstr.text, "ax"
	notrace	enter_from_kernel_mode
	.section .cpuidle.text, "ax"
	notrace	cpu_do_idle
	.section .hyp.text, "ax"
	notrace	__guest_enter
	.section .idmap.text, "ax"
	notrace	cpu_resume_mmu

	ftrace_data
