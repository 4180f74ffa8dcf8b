// The displacement of the call is counted from its start.
//
// build: life-from-start link=static with=good.c,image-good.S,kernel.c

#define OWN_MAKE_CALL
#include "sites.h"
#include "sites-rest.h"

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{	// want FT409 "ftrace_make_call.*leaves `call ftrace_caller.0x5`"
	return change(rec->ip, nop_insn(), call_insn(rec->ip, addr + CALL_SIZE));
}
