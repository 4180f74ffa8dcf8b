// The callback is changed as if no other processor could execute the entry code.
//
// build: hooks-poked-early link=static with=good.c,image-good.S,kernel.c

#define OWN_UPDATE_FUNC
#include "sites.h"
#include "sites-rest.h"

static inline void set_slot_early(char *slot, ftrace_func_t func)
{
	struct insn insn = call_insn((unsigned long)slot, (unsigned long)func);

	text_poke_early(slot, &insn, CALL_SIZE);
}

int ftrace_update_ftrace_func(ftrace_func_t func)
{	// want FT117 "ftrace_update_ftrace_func.*writes to ftrace_call .* by text_poke_early.., which is not for code that other processors may execute"
	set_slot_early(ftrace_call, func);
	set_slot(ftrace_regs_call, func);
	return 0;
}
