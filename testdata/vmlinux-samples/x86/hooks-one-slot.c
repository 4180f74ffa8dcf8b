// Where a tracer asks for registers, the entry code calls the callback that was there before.
//
// build: hooks-one-slot link=static with=good.c,image-good.S,kernel.c

#define OWN_UPDATE_FUNC
#include "sites.h"
#include "sites-rest.h"

int ftrace_update_ftrace_func(ftrace_func_t func)
{	// want FT117 "ftrace_update_ftrace_func.*leaves `call ftrace_stub` at ftrace_regs_call, `call .*` was expected"
	set_slot(ftrace_call, func);
	return 0;
}
