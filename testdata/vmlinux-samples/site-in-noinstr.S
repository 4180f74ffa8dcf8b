// Callsites in text that must not be instrumented, one where such text begins.
// That of the scheduler and of interrupt handlers may be: schedule begins where
// such text ends.
//
// build: site-in-noinstr

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions

	traced	vfs_read
	.section .sched.text, "ax"
	traced	schedule
	.section .irqentry.text, "ax"
	traced	handle_irq

	.section .noinstr.text, "ax"
	traced	exit_to_kernel_mode	// want FT405 "exit_to_kernel_mode.*noinstr"
	notrace	enter_from_kernel_mode
	.section .entry.text, "ax"
	notrace	vectors
	traced	el1_sync		// want FT405 "el1_sync.*entry"
	.section .hyp.text, "ax"
	notrace	__hyp_vector
	traced	__guest_enter		// want FT405 "__guest_enter.*hyp"
	.section .hyp.idmap.text, "ax"
	notrace	__kvm_hyp_init
	traced	__kvm_init_el2		// want FT405 "__kvm_init_el2.*hyp"
	.section .idmap.text, "ax"
	traced	cpu_resume_mmu		// want FT405 "cpu_resume_mmu.*idmap"
	.text
	ftrace_data
