// The hooks without a defect as KCOV has them compiled: each block of code calls a
// function first, which leaves something in x0. What the core calls before and after it
// changes callsites returns nothing, as since 5.19, or 0, as before.
//
// build: hooks-kcov-good with=image-graph-func.S,kernel.c,hooks-core.c,kcov.S cc=-fsanitize-coverage=trace-pc
// build: hooks-kcov-good-5.18 with=image-graph-func.S,kernel.c,hooks-core.c,kcov.S cc=-fsanitize-coverage=trace-pc cc=-DRETURNS_INT

#include "hooks-func-good.c"

#ifdef RETURNS_INT
int __attribute__((weak)) ftrace_arch_code_modify_prepare(void)
{
	return 0;
}

int __attribute__((weak)) ftrace_arch_code_modify_post_process(void)
{
	return 0;
}
#else
void __attribute__((weak)) ftrace_arch_code_modify_prepare(void)
{
}

void __attribute__((weak)) ftrace_arch_code_modify_post_process(void)
{
}
#endif
