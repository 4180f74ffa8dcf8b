// ftrace_call_adjust that knows nothing of landing pads: where the function has
// one, it gives the address of the MOV.
//
// build: sites-adjust-bti with=image-callops-bti.S,kernel.c

#include "sites-callops.h"

unsigned long ftrace_call_adjust(unsigned long addr)
{
	if (WARN_ON(addr % sizeof(u64)))	// want FT408 "vfs_read .*the BL belongs at vfs_read.0x8 .*bti c"
		return 0;
	return addr + 3 * AARCH64_INSN_SIZE;
}

int ftrace_init_nop(struct module *mod, struct dyn_ftrace *rec)
{
	return callops_init_nop(rec);
}

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{
	return callops_make_call(rec, addr);
}

int ftrace_modify_call(struct dyn_ftrace *rec, unsigned long old_addr, unsigned long addr)
{
	return callops_modify_call(rec, old_addr, addr);
}

int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{
	return callops_make_nop(mod, rec, addr);
}

int ftrace_update_ftrace_func(ftrace_func_t func)
{
	return 0;		// the entry code asks the ops
}
