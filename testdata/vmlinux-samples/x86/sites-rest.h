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

#ifndef OWN_UPDATE_FUNC
int ftrace_update_ftrace_func(ftrace_func_t func)
{
	set_slot(ftrace_call, func);
	set_slot(ftrace_regs_call, func);
	return 0;
}
#endif

/* Around changes of callsites: others may execute them from here on. */
#ifndef OWN_PREPARE
void ftrace_arch_code_modify_prepare(void)
{
	mutex_lock(&text_mutex);
	ftrace_poke_late = 1;
}
#endif

#ifndef OWN_POST_PROCESS
void ftrace_arch_code_modify_post_process(void)
{
	text_poke_finish();
	ftrace_poke_late = 0;
	mutex_unlock(&text_mutex);
}
#endif

/* The callback of the graph tracer: the traced function returns to return_to_handler. */
#ifndef OWN_GRAPH_FUNC
void ftrace_graph_func(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops, struct pt_regs *regs)
{
	if (!current->tracing_graph_pause)
		hook_return(ip, (unsigned long *)regs->sp);
}
#endif
