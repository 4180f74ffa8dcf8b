// The call is replaced by five NOPs of one byte, between which a processor can stand.
//
// build: life-short-nops link=static with=good.c,image-good.S,kernel.c

#define OWN_MAKE_NOP
#include "sites.h"
#include "sites-rest.h"

int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{	// want FT409 "ftrace_make_nop.*leaves `nop` .90 90 90 90 90. at the callsite"
	struct insn nops = { { 0x90, 0x90, 0x90, 0x90, 0x90 } };

	if (addr != MCOUNT_ADDR)
		return -EINVAL;
	return change(rec->ip, call_insn(rec->ip, addr), nops);
}
