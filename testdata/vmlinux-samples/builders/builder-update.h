/*
 * The hooks. An ops without a trampoline gets one, or is served by
 * ftrace_caller; one that has a trampoline of ours gets its slots set anew.
 */
void arch_ftrace_update_trampoline(struct ftrace_ops *ops)
{
	struct tramp t;

	lay_out(&t, ops);
	if (!ops->trampoline) {
		create(&t, ops);
	} else if (ops->flags & FTRACE_OPS_FL_ALLOC_TRAMP) {
		t.mem = (char *)ops->trampoline;
		WARN_ON(aim(&t, ops));
	}
}

void arch_ftrace_trampoline_free(struct ftrace_ops *ops)
{
	if (!(ops->flags & FTRACE_OPS_FL_ALLOC_TRAMP))
		return;
	release((void *)ops->trampoline);
	ops->trampoline = 0;
	ops->flags &= ~(unsigned long)FTRACE_OPS_FL_ALLOC_TRAMP;
}
