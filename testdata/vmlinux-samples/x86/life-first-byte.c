// A callsite is turned on where the first four bytes of a NOP stand.
//
// build: life-first-byte link=static with=good.c,image-good.S,kernel.c

#define OWN_MAKE_CALL
#include "sites.h"
#include "sites-rest.h"

int ftrace_make_call(struct dyn_ftrace *rec, unsigned long addr)
{	// want FT409 "ftrace_make_call.*another NOP stands there"
	struct insn insn = call_insn(rec->ip, addr), old = nop_insn();

	old.bytes[4] = ((unsigned char *)rec->ip)[4];
	return change(rec->ip, old, insn);
}
