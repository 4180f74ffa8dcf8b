/*
 * Executes test cases on an aarch64 Linux (qemu-aarch64) for the differential
 * test of emu: reads cases from standard input, writes results to standard
 * output, until the input ends. The layout of both, and the addresses, are
 * those of differential_test.go.
 *
 * A case is registers and a few instructions. They are put at CODE, in a page
 * that is full of BRK otherwise, and entered by returning from a signal
 * handler, which loads all registers. BRK, or whatever fault comes first,
 * raises a signal, whose handler finds all registers in its context: so every
 * case ends in handler(), and the next begins when that returns.
 *
 * No libc: gcc -static -nostdlib -ffreestanding.
 */
typedef unsigned long u64;
typedef unsigned int u32;

#define CODE 0x10000000000UL    /* a page, read-write-execute */
#define SCRATCH (CODE + 0x10000) /* a page, read-write */
#define PAGE 4096
#define MAXWORDS 16
#define BRK 0xd4200000

struct testcase {
	u64 x[31], sp, nzcv, seed, q[64], nwords;
	u32 words[MAXWORDS];
} in;

struct result {
	u64 sig, fault, x[31], sp, pc, nzcv, q[64];
	u64 scratch[PAGE / 8];
} out;

/* The kernel's struct ucontext for arm64. */
struct ucontext {
	u64 flags, link, stack[3], sigmask[16];
	u64 pad;
	u64 fault, x[31], sp, pc, pstate, pad2;
	struct fpsimd {
		u32 magic, size, fpsr, fpcr;
		u64 q[64];
	} fpsimd;
};

static long syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 asm("x8") = n;
	register long x0 asm("x0") = a;
	register long x1 asm("x1") = b;
	register long x2 asm("x2") = c;
	register long x3 asm("x3") = d;
	register long x4 asm("x4") = e;
	register long x5 asm("x5") = f;

	asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}

enum { READ = 63, WRITE = 64, EXIT = 93, SIGALTSTACK = 132, SIGACTION = 134, MMAP = 222 };

static void quit(int status)
{
	syscall6(EXIT, status, 0, 0, 0, 0, 0);
}

/* transfer reads or writes n bytes; it ends the process at the end of input. */
static void transfer(int call, void *p, u64 n)
{
	char *at = p;

	while (n > 0) {
		long k = syscall6(call, call == WRITE, (long)at, n, 0, 0, 0);

		if (k == 0)
			quit(0);
		if (k < 0)
			quit(2);
		at += k;
		n -= k;
	}
}

static int started;

static void handler(int sig, void *info, struct ucontext *uc)
{
	volatile u32 *code = (u32 *)CODE;
	volatile u64 *scratch = (u64 *)SCRATCH;
	int i;

	if (uc->fpsimd.magic != 0x46508001)
		quit(3);
	if (started) {
		out.sig = sig;
		out.fault = uc->fault;
		for (i = 0; i < 31; i++)
			out.x[i] = uc->x[i];
		out.sp = uc->sp;
		out.pc = uc->pc;
		out.nzcv = uc->pstate >> 28 & 15;
		for (i = 0; i < 64; i++)
			out.q[i] = uc->fpsimd.q[i];
		for (i = 0; i < PAGE / 8; i++)
			out.scratch[i] = scratch[i];
		for (i = 0; i < in.nwords; i++)
			code[i] = BRK;
		transfer(WRITE, &out, sizeof(out));
	}
	started = 1;

	transfer(READ, &in, sizeof(in));
	for (i = 0; i < in.nwords; i++)
		code[i] = in.words[i];
	asm volatile("dc cvau, %0; dsb ish; ic ivau, %0; dsb ish; isb" : : "r"(code) : "memory");
	for (i = 0; i < PAGE / 8; i++) { /* splitmix64 */
		u64 z = in.seed += 0x9e3779b97f4a7c15;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
		z = (z ^ z >> 27) * 0x94d049bb133111eb;
		scratch[i] = z ^ z >> 31;
	}
	for (i = 0; i < 31; i++)
		uc->x[i] = in.x[i];
	uc->sp = in.sp;
	uc->pc = CODE;
	uc->pstate = in.nzcv << 28;
	uc->fpsimd.fpsr = uc->fpsimd.fpcr = 0;
	for (i = 0; i < 64; i++)
		uc->fpsimd.q[i] = in.q[i];
}

static char altstack[65536] __attribute__((aligned(16)));

asm(".global restorer\nrestorer: mov x8, 139\n\tsvc 0");
void restorer(void);

void _start(void)
{
	struct { void *sp; int flags; u64 size; } stack = { altstack, 0, sizeof(altstack) };
	struct { void *handler; u64 flags; void *restorer; u64 mask; } action = {
		handler, 0x08000000 | 0x04000000 | 4, restorer, 0 /* SA_ONSTACK, SA_RESTORER, SA_SIGINFO */
	};
	static const int signals[] = { 4, 5, 7, 11 }; /* ILL, TRAP, BUS, SEGV */
	u64 i;

	for (i = 0; i < 2; i++) {
		u64 at = i ? SCRATCH : CODE;

		/* read, write, and execute for CODE; private, anonymous, fixed */
		if (syscall6(MMAP, at, PAGE, i ? 3 : 7, 0x32, -1, 0) != (long)at)
			quit(4);
	}
	for (i = 0; i < PAGE / 4; i++)
		((volatile u32 *)CODE)[i] = BRK;
	if (syscall6(SIGALTSTACK, (long)&stack, 0, 0, 0, 0, 0))
		quit(5);
	for (i = 0; i < 4; i++)
		if (syscall6(SIGACTION, signals[i], (long)&action, 0, 8, 0, 0))
			quit(6);
	asm volatile("brk 0");
}
