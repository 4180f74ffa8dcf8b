static noinline int change(unsigned long ip, struct insn old, struct insn insn)
{
	int ret = verify(ip, &old);

	if (!ret)
		write_insn(ip, &insn);
	return ret;
}

#ifndef OWN_MAKE_CALL
int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{
	return change(rec->ip, nop_insn(), call_insn(rec->ip, addr));
}
#endif

/* The compiler's call is removed once. Nothing else is switched off here. */
#ifndef OWN_MAKE_NOP
int ftrace_make_nop(struct module *mod, struct dyn_ftrace *rec, unsigned long addr)
{
	if (addr != MCOUNT_ADDR)
		return -EINVAL;
	return change(rec->ip, call_insn(rec->ip, addr), nop_insn());
}
#endif

/* x86 changes callsites in ftrace_replace_code(). */
int ftrace_modify_call(struct dyn_ftrace *rec, unsigned long old_addr, unsigned long addr)
{
	return -EINVAL;
}

static void set_slot(char *slot, ftrace_func_t func)
{
	struct insn insn = call_insn((unsigned long)slot, (unsigned long)func);

	text_poke_bp(slot, &insn, CALL_SIZE, NULL);
}

int ftrace_update_ftrace_func(ftrace_func_t func)
{
	set_slot(ftrace_call, func);
	set_slot(ftrace_regs_call, func);
	return 0;
}
