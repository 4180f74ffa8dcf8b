static inline int build(const struct tramp *t, struct ftrace_ops *ops)
{
	if (copy(t))
		return -EFAULT;
	put_return(t);
	no_direct(t);
	relocate(t);
	load_op(t, ops);
	call(t, ftrace_ops_get_func(ops));
	return protect(t);
}

/*
 * The hooks. An ops without a trampoline gets one, or is served by
 * ftrace_caller; one that has a trampoline of ours gets another callback.
 */
void arch_ftrace_update_trampoline(struct ftrace_ops *ops)
{
	struct tramp t;

	lay_out(&t, ops);
	if (ops->trampoline) {
		if (ops->flags & FTRACE_OPS_FL_ALLOC_TRAMP) {
			t.mem = (char *)ops->trampoline;
			aim(&t, ftrace_ops_get_func(ops));
		}
		return;
	}
	t.mem = allocate(t.size);
	if (!t.mem)
		return;
	if (build(&t, ops)) {
		give_up(t.mem);
		return;
	}
	ops->trampoline = (unsigned long)t.mem;
	ops->trampoline_size = t.size;
	ops->flags |= FTRACE_OPS_FL_ALLOC_TRAMP;
}

void arch_ftrace_trampoline_free(struct ftrace_ops *ops)
{
	if (!ops || !(ops->flags & FTRACE_OPS_FL_ALLOC_TRAMP))
		return;
	release((void *)ops->trampoline);
	ops->trampoline = 0;
	ops->flags &= ~(unsigned long)FTRACE_OPS_FL_ALLOC_TRAMP;
}
