// The types of samples of hooks, in BTF. There is one variable: of several gcc writes
// the order by chance.
//
// build: hooks-retp link=static btf=yes with=hooks-retp.c,good.c,image-good.S,kernel.c
// build: hooks-lock-good link=static btf=yes with=hooks-lock-good.c,good.c,image-good.S,kernel.c
// build: hooks-lock-shared link=static btf=yes with=hooks-lock-shared.c,good.c,image-good.S,kernel.c
// build: hooks-tramp-func-good link=static btf=yes with=hooks-tramp-func-good.c,good.c,image-good.S,kernel.c
// build: hooks-tramp-func link=static btf=yes with=hooks-tramp-func.c,good.c,image-good.S,kernel.c

#include "sites.h"

struct ftrace_ret_stack {
	unsigned long	ret, func;
	unsigned long	*retp;
};

struct {
	struct task_struct	*task;
	struct ftrace_ops	*ops;
	struct dyn_ftrace	*rec;
	struct ftrace_ret_stack	*call;
} hook_types;
