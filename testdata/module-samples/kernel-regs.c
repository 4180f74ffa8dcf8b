// A kernel of era regs that loads modules, as 5.10 and 6.1 do: module_alloc_base
// and PLTs, and a second PLT entry for ftrace, to ftrace_regs_caller.
//
// build: kernel-regs with=../vmlinux-samples/builders/image-regs.S,../vmlinux-samples/builders/kernel.c

#define VERMAGIC "6.1.0-sample SMP mod_unload aarch64"
#define NO_INIT_PLT
#define HAVE_REGS_CALLER
#include "loader.h"
#include "../vmlinux-samples/builders/sites.h"

static inline bool callable(struct module *mod, unsigned long pc, unsigned long *target)
{
	struct plt_entry *plts;

	if (bl_reaches(pc, *target))
		return true;
	mod = module_of(mod, pc);
	plts = mod ? ftrace_plts(mod, pc) : NULL;
	if (!plts)
		return false;
	if (*target == (unsigned long)ftrace_caller)
		*target = (unsigned long)plts;
	else if (*target == (unsigned long)ftrace_regs_caller)
		*target = (unsigned long)(plts + 1);
	else
		return false;
	return true;
}

int ftrace_init_nop(struct module *mod, struct dyn_ftrace *rec)
{
	return replace(rec->ip - AARCH64_INSN_SIZE, aarch64_insn_gen_nop(), save_lr());
}

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{
	if (!callable(NULL, rec->ip, &addr))
		return -EINVAL;
	return replace(rec->ip, aarch64_insn_gen_nop(), bl(rec->ip, addr));
}

int ftrace_modify_call(struct dyn_ftrace *rec, unsigned long old_addr, unsigned long addr)
{
	if (!callable(NULL, rec->ip, &old_addr) || !callable(NULL, rec->ip, &addr))
		return -EINVAL;
	return replace(rec->ip, bl(rec->ip, old_addr), bl(rec->ip, addr));
}

int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{
	if (!callable(mod, rec->ip, &addr))
		return -EINVAL;
	return replace(rec->ip, bl(rec->ip, addr), aarch64_insn_gen_nop());
}

int ftrace_update_ftrace_func(ftrace_func_t func)
{
	unsigned long pc = (unsigned long)ftrace_call;

	return aarch64_insn_patch_text_nosync((void *)pc, bl(pc, (unsigned long)func));
}
