// A generator that notes the epilogue behind the call of __bpf_tramp_exit: a
// trampoline that is given up is never left.
//
// build: bpf-epilogue-late btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-calls.h"

static inline void end_function_not(struct gen *g, const struct tramp *t)
{
	call_tramp(g, t, __bpf_tramp_exit);
	note_epilogue(g, t);	// want FT712 "the trampoline given up.*the caller of the traced function is called, __bpf_tramp_exit was due"
}

#define end_function end_function_not
#include "bpf-rest.h"
