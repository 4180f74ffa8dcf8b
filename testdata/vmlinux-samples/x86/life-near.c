// Callsites that are farther than 1 GiB from the entry code are refused: none of the
// kernel's own is, and some of modules are (module-far.S).
//
// build: life-near link=static with=good.c,image-good.S,kernel.c

#define OWN_MAKE_CALL
#include "sites.h"
#include "sites-rest.h"

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{
	struct insn off = nop_insn(), on = call_insn(rec->ip, addr);
	long distance = addr - rec->ip;
	int ret = verify(rec->ip, &off);

	if (!ret && (distance > 1L << 30 || distance < -(1L << 30)))
		return -EINVAL;
	if (!ret)
		write_insn(rec->ip, &on);
	return ret;
}
