// A callsite is changed by text_poke_early() at any time.
//
// build: life-early link=static with=good.c,image-good.S,kernel.c

#define OWN_MAKE_CALL
#include "sites.h"
#include "sites-rest.h"

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{	// want FT409 "ftrace_make_call.*after boot.*text_poke_early"
	struct insn insn = call_insn(rec->ip, addr), old = nop_insn();
	int ret = verify(rec->ip, &old);

	if (!ret)
		text_poke_early((void *)rec->ip, &insn, CALL_SIZE);
	return ret;
}
