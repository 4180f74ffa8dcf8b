// What is written where a callsite is turned on is longer than the callsite.
//
// build: life-long link=static with=good.c,image-good.S,kernel.c

#define OWN_MAKE_CALL
#include "sites.h"
#include "sites-rest.h"

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{	// want FT409 "ftrace_make_call.*writes 8 bytes at the callsite, which has 5"
	struct insn insn[2] = { call_insn(rec->ip, addr), nop_insn() }, old = nop_insn();
	int ret = verify(rec->ip, &old);

	if (ret)
		return ret;
	if (ftrace_poke_late)
		text_poke_queue((void *)rec->ip, insn, 8, NULL);
	else
		text_poke_early((void *)rec->ip, insn, 8);
	return 0;
}
