// ftrace_make_nop that takes the first NOP for the last: one word before the BL.
//
// build: sites-make-nop-first with=image-mcount.S,kernel.c

#include "sites-mcount.h"

unsigned long ftrace_call_adjust(unsigned long addr)
{
	return addr;		// the table names the BL
}

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{
	return mcount_make_call(rec, addr);
}

int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{				// want FT409 "ftrace_make_nop"
	unsigned long pc = rec->ip;

	if (!mcount_callable(mod, pc, &addr))
		return -EINVAL;
	return aarch64_insn_patch_text_nosync((void *)(pc - AARCH64_INSN_SIZE), aarch64_insn_gen_nop());
}

int ftrace_update_ftrace_func(ftrace_func_t func)
{
	return mcount_update_func(func);
}
