// The rest of an image: entry code without a defect, callsites, data.

#include "image.inc"

	image_head
	entry_stub
	caller
	regs_caller
	image_rest
