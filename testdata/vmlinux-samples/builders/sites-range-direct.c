// No function has a callsite call ftrace_caller for a direct trampoline that is
// out of its reach: all refuse it. ftrace_caller could go there.
//
// build: sites-range-direct with=image-callops.S,kernel.c

#include "sites-callops.h"

unsigned long ftrace_call_adjust(unsigned long addr)
{
	return callops_adjust(addr);
}

int ftrace_init_nop(struct module *mod, struct dyn_ftrace *rec)
{
	return callops_init_nop(rec);
}

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{				// want FT206 "\+0x8000000 bytes .*so it must take ftrace_caller here" FT206 "-0x8000004 bytes" FT409 "a direct trampoline"
	if (!bl_reaches(rec->ip, addr))
		return -EINVAL;
	return callops_make_call(rec, addr);
}

int ftrace_modify_call(struct dyn_ftrace *rec, unsigned long old_addr, unsigned long addr)
{
	if (!bl_reaches(rec->ip, old_addr) || !bl_reaches(rec->ip, addr))
		return -EINVAL;
	return callops_modify_call(rec, old_addr, addr);
}

int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{
	if (!bl_reaches(rec->ip, addr))
		return -EINVAL;
	return callops_make_nop(mod, rec, addr);
}

int ftrace_update_ftrace_func(ftrace_func_t func)
{
	return 0;		// the entry code asks the ops
}
