/* Both slots of a trampoline that is in place. */
static int aim(const struct tramp *t, struct ftrace_ops *ops)
{
	unsigned long mem = (unsigned long)t->mem;
	int ret = patch(mem + t->graph, graph_target(), AARCH64_INSN_BRANCH_NOLINK);

	if (ret)
		return ret;
	return patch(mem + t->call, (unsigned long)ftrace_ops_get_func(ops), AARCH64_INSN_BRANCH_LINK);
}
