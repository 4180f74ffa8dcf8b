// Symbols that only arm64 has.
//
// build: arm-symbols link=static with=good.c,sites-good.c,kernel.c

#include "image.inc"

	image_head
	entry_stub
	caller
	regs_caller

	func	aarch64_insn_patch_text_nosync	// want FT504 "aarch64_insn_patch_text_nosync is a name that only arm64 has"
	xor	%eax, %eax
	ret
	endfunc	aarch64_insn_patch_text_nosync
	func	icache_inval_all_pou	// want FT504 "icache_inval_all_pou is a name that only arm64 has"
	ret
	endfunc	icache_inval_all_pou
	image_rest
