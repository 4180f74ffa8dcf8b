// One kernel, then the same at other addresses, then a newer one: for ftlint diff.
// In the newer one
//   - loses_callsite() has no callsite, gains_callsite() has one
//   - renamed() became renamed.isra.0(), and is_gone() is no more; is_new() is new
//   - do_nothing_at_all() asks for its argument otherwise: not ftrace's code
//   - arch_ftrace_trampoline_free() returns another value: ftrace's code
//
// build: changes-old def=LAYOUT_6_12 asdef=OLD
// build: changes-moved def=LAYOUT_6_12 def=BASE=0xffff800088000000 asdef=OLD asdef=MOVED
// build: changes-new def=LAYOUT_6_12

#include "image.inc"
#include "entry-callops.inc"

	image_head

#ifdef MOVED // what another order of the files does
	.text
	.skip	0x5000, 0
	.section .rodata
	.skip	0x1230, 0
	.text
#endif
	callops_entry_code
	site_functions adjust=callops, far=caller

	.text
	weak_update_trampoline
#ifdef OLD
	traced	loses_callsite
	notrace	gains_callsite
	traced	renamed
	traced	is_gone
#else
	notrace	loses_callsite
	traced	gains_callsite
	traced	renamed.isra.0
	traced	is_new
#endif

	func	do_nothing_at_all
#ifdef OLD
	mov	x0, x1
#else
	mov	x0, x2
#endif
	ret
	endfunc	do_nothing_at_all

	// Code that the comparison has to read without addresses: a page and an offset,
	// a literal, a text, branches within and out of the function.
	func	arch_ftrace_trampoline_free
	adrp	x1, what_it_says
	add	x1, x1, #:lo12:what_it_says
	adrp	x2, of_trampolines
	ldr	x2, [x2, #:lo12:of_trampolines]
	ldr	x3, 2f
	cbz	x2, 1f
	ldr	x2, [x2]
#ifdef OLD
	mov	w0, #0
#else
	mov	w0, #1
#endif
1:	ret
	.balign	8
2:	.quad	of_trampolines
	endfunc	arch_ftrace_trampoline_free

	.section .rodata
what_it_says:
	.asciz	"no trampoline is freed"
	.data
	.balign	8
	.globl	of_trampolines
	.type	of_trampolines, %object
of_trampolines:
	.quad	0
	.size	of_trampolines, . - of_trampolines

	ftrace_data
