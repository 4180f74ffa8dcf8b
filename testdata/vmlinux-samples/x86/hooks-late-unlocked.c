// Callsites count as executed by others while another changes them.
//
// build: hooks-late-unlocked link=static with=good.c,image-good.S,kernel.c

#define OWN_PREPARE
#include "sites.h"
#include "sites-rest.h"

void ftrace_arch_code_modify_prepare(void)
{	// want FT117 "ftrace_arch_code_modify_prepare sets ftrace_poke_late before it has text_mutex"
	ftrace_poke_late = 1;
	mutex_lock(&text_mutex);
}
