/*
 * Executes test cases on an x86-64 Linux (a processor, or qemu-x86_64) for the
 * differential test of emu/x64: reads cases from standard input, writes results to
 * standard output, until the input ends. The layout of both, and the addresses, are
 * those of differential_test.go.
 *
 * A case is registers and an instruction. The instruction is put at CODE, in a page
 * that is full of INT3 otherwise, and entered by returning from a signal handler,
 * which loads all registers. INT3, or whatever fault comes first, raises a signal,
 * whose handler finds all registers in its context.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x10000000000UL     /* a page, read-write-execute */
#define SCRATCH (CODE + 0x10000) /* a page, read-write */
#define PAGE 4096
#define MAXCODE 16

typedef unsigned long u64;

static struct testcase {
	u64 r[16], flags, seed, n;
	unsigned char code[MAXCODE];
} in;

static struct result {
	u64 sig, r[16], flags, pc, scratch[PAGE / 8];
} out;

/* rax, rcx, rdx, ... in the order of their numbers */
static const int reg[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static void all(int writing, void *p, u64 n)
{
	char *at = p;

	while (n > 0) {
		long k = writing ? write(1, at, n) : read(0, at, n);

		if (k <= 0)
			_exit(k < 0);
		at += k;
		n -= k;
	}
}

static void next(ucontext_t *u)
{
	u64 v, *scratch = (u64 *)SCRATCH;
	int i;

	all(0, &in, sizeof(in));
	memset((void *)CODE, 0xcc, PAGE);
	memcpy((void *)CODE, in.code, in.n);
	for (v = in.seed, i = 0; i < PAGE / 8; i++) { /* a xorshift */
		v ^= v << 13;
		v ^= v >> 7;
		v ^= v << 17;
		scratch[i] = v;
	}
	for (i = 0; i < 16; i++)
		u->uc_mcontext.gregs[reg[i]] = in.r[i];
	u->uc_mcontext.gregs[REG_RIP] = CODE;
	u->uc_mcontext.gregs[REG_EFL] = in.flags;
}

static void handler(int sig, siginfo_t *info, void *context)
{
	static int started;
	ucontext_t *u = context;
	int i;

	asm volatile("cld"); /* Linux clears DF for a handler, qemu-x86_64 7.2 does not */
	if (started) {
		out.sig = sig;
		for (i = 0; i < 16; i++)
			out.r[i] = u->uc_mcontext.gregs[reg[i]];
		out.flags = u->uc_mcontext.gregs[REG_EFL];
		out.pc = u->uc_mcontext.gregs[REG_RIP];
		memcpy(out.scratch, (void *)SCRATCH, PAGE);
		all(1, &out, sizeof(out));
	}
	started = 1;
	next(u);
}

int main(void)
{
	static char stack[1 << 16];
	stack_t s = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction a = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	int sigs[] = { SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS }, i;

	if (mmap((void *)CODE, PAGE, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != (void *)CODE ||
	    mmap((void *)SCRATCH, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != (void *)SCRATCH)
		return 3;
	syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, SCRATCH + PAGE / 2);
	sigaltstack(&s, 0);
	for (i = 0; i < 5; i++)
		sigaction(sigs[i], &a, 0);
	__builtin_trap();
}
