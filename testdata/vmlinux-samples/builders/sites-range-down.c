// A range check, a function of its own, that takes -128 MiB for unreachable.
//
// build: sites-range-down with=image-callops.S,kernel.c

#include "sites.h"

static noinline bool reachable_by_bl(unsigned long pc, unsigned long target)
{
	long offset = target - pc;

	return offset > -SZ_128M && offset < SZ_128M;
}

#define bl_reaches reachable_by_bl
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
{				// want FT206 "takes ftrace_caller for a target that BL reaches.*-0x8000000 bytes "
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
