// The rest of an image whose callsite table begins with an entry that the build has
// made blank.

#include "image.inc"

	.section __mcount_loc, "a"
	.quad	0
	image_head
	entry_stub
	caller
	regs_caller
	image_rest
