// A range check, inlined, that takes +128 MiB for reachable: the last is 4 bytes
// less.
//
// build: sites-range-up with=image-regs.S,kernel.c

#include "sites.h"

static inline bool reachable_by_bl(unsigned long pc, unsigned long target)
{
	long offset = target - pc;

	return offset >= -SZ_128M && offset <= SZ_128M;
}

#define bl_reaches reachable_by_bl
#include "sites-nops.h"

int ftrace_init_nop(struct module *mod, struct dyn_ftrace *rec)
{
	return nops_init_nop(rec);
}

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{				// want FT206 "128 ?MiB|0x8000000"
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
