// ftrace_call_adjust that takes the entry for the BL, as it is in era mcount.
//
// build: sites-adjust-none with=image-args.S,kernel.c

#include "sites-nops.h"

unsigned long ftrace_call_adjust(unsigned long addr)
{
	if (WARN_ON(addr % AARCH64_INSN_SIZE))	// want FT408 "vfs_read .*the BL belongs at vfs_read.0x4 "
		return 0;
	return addr;
}

int ftrace_init_nop(struct module *mod, struct dyn_ftrace *rec)
{
	return nops_init_nop(rec);
}

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{
	return nops_make_call(rec, addr);
}

int ftrace_modify_call(struct dyn_ftrace *rec, unsigned long old_addr, unsigned long addr)
{
	return nops_modify_call(rec, old_addr, addr);
}

int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{
	return nops_make_nop(mod, rec, addr);
}

int ftrace_update_ftrace_func(ftrace_func_t func)
{
	return nops_update_func(func);
}
