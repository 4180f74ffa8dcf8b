static int build(const struct tramp *t, struct ftrace_ops *ops)
{
	int ret = copy(t);

	if (ret)
		return ret;
	clear_slots(t);
	ret = load_op(t, ops);
	if (ret)
		return ret;
	ret = protect(t);
	if (ret)
		return ret;
	return aim(t, ops);
}

/* All or nothing: what fails leaves no memory and no trace in the ops. */
static int create(struct tramp *t, struct ftrace_ops *ops)
{
	t->mem = allocate(t->size);
	if (!t->mem)
		return -ENOMEM;
	if (!in_reach(t) || build(t, ops)) {
		release(t->mem);
		return -EINVAL;
	}
	ops->trampoline = (unsigned long)t->mem;
	ops->trampoline_size = t->size;
	ops->flags |= FTRACE_OPS_FL_ALLOC_TRAMP;
	return 0;
}
