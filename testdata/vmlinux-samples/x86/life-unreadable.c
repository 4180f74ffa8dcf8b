// A callsite that cannot be read is taken for one where another instruction stands.
//
// build: life-unreadable link=static with=good.c,image-good.S,kernel.c

#define OWN_MAKE_NOP
#include "sites.h"
#include "sites-rest.h"

int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{	// want FT409 "ftrace_make_nop returns -22, -14 was expected.*the callsite cannot be read"
	struct insn now;

	if (addr != MCOUNT_ADDR || copy_from_kernel_nofault(&now, (void *)rec->ip, CALL_SIZE))
		return -EINVAL;
	return change(rec->ip, call_insn(rec->ip, addr), nop_insn());
}
