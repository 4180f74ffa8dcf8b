// A generator that hands programs the low 32 bits of their cookie.
//
// build: bpf-cookie-short btf=yes with=image-callops.S,kernel.c,sites-callops-good.c

#include "bpf-gen.h"

static inline void set_cookie_not(struct gen *g, const struct tramp *t, u64 cookie)
{
	emit(g, MOVZ(X10, cookie & 0xffff, 0));
	emit(g, MOVK(X10, cookie >> 16 & 0xffff, 1));
	emit(g, STR(X10, SP, t->run_ctx));	// want FT701 "the cookie of fentry program 4 is 0x23456789, 0x123456789 was expected.*seen in . cases"
}

#define set_cookie set_cookie_not
#include "bpf-rest.h"
