// What code that is built with KCOV calls: it keeps where it was called from, and leaves
// that in x0.

#include "../image.inc"

	.text
	func	__sanitizer_cov_trace_pc
	mov	x0, x30
	adrp	x1, kcov_area
	str	x0, [x1, #:lo12:kcov_area]
	ret
	endfunc	__sanitizer_cov_trace_pc

	.bss
	.balign	8
kcov_area:
	.quad	0
