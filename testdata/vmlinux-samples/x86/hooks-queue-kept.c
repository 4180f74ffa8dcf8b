// What was to be changed stays in the queue.
//
// build: hooks-queue-kept link=static with=good.c,image-good.S,kernel.c

#define OWN_POST_PROCESS
#include "sites.h"
#include "sites-rest.h"

void ftrace_arch_code_modify_post_process(void)
{	// want FT117 "ftrace_arch_code_modify_post_process does not finish the queue"
	ftrace_poke_late = 0;
	mutex_unlock(&text_mutex);
}
