// A callsite is turned on whatever stands there.
//
// build: life-unchecked link=static with=good.c,image-good.S,kernel.c

#define OWN_MAKE_CALL
#include "sites.h"
#include "sites-rest.h"

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{	// want FT409 "ftrace_make_call.*another instruction stands there.*leaves `call ftrace_caller`"
	struct insn insn = call_insn(rec->ip, addr);

	write_insn(rec->ip, &insn);
	return 0;
}
