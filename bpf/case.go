package bpf

import (
	"fmt"
	"slices"
	"strings"
)

// An Arg is an argument of a traced function.
type Arg struct {
	Size   int  // in bytes, 1 to 16
	Struct bool // a structure or a union
	Wide   bool // it has to be aligned to 16 bytes: __int128, or a structure of one
}

// A Proto is the prototype of a traced function. Ret is the size of what it returns
// in bytes, 0 to 8.
type Proto struct {
	Args []Arg
	Ret  int
}

// String is the prototype in C: "long f(int, struct 12)".
func (p Proto) String() string {
	var args []string
	for _, a := range p.Args {
		args = append(args, a.String())
	}
	if len(args) == 0 {
		args = []string{"void"}
	}
	ret := "void"
	if p.Ret > 0 {
		ret = (Arg{Size: p.Ret}).String()
	}
	return ret + " f(" + strings.Join(args, ", ") + ")"
}

func (a Arg) String() string {
	names := map[int]string{1: "char", 2: "short", 4: "int", 8: "long", 16: "__int128"}
	switch name, ok := names[a.Size]; {
	case a.Struct && a.Wide:
		return fmt.Sprintf("struct of %d bytes, 16-byte aligned", a.Size)
	case a.Struct || !ok:
		return fmt.Sprintf("struct of %d bytes", a.Size)
	default:
		return name
	}
}

// slots is the number of 8-byte words that an argument takes in a context.
func (a Arg) slots() int { return (a.Size + 7) / 8 }

// Slots is the number of words that the arguments take in a context.
func (p Proto) Slots() (n int) {
	for _, a := range p.Args {
		n += a.slots()
	}
	return n
}

// A where is the place of one word of an argument: register reg or, where reg is -1,
// the stack at SP+off. size is how many of the word's bytes have a meaning.
type where struct {
	reg  int
	off  uint64
	size int
}

// places are the places of the words of the arguments (AAPCS64, 6.8.2: C.9 to
// C.17), and the bytes of stack that they take. A structure is whole in registers
// or whole on the stack.
func (p Proto) places() (words []where, stack uint64) {
	ngrn := 0 // next general register
	for _, a := range p.Args {
		n := a.slots()
		if a.Wide && ngrn < 8 {
			ngrn += ngrn & 1 // C.10
		}
		if ngrn+n > 8 { // C.13: no later argument is in a register
			ngrn = 8
			if a.Wide {
				stack = (stack + 15) &^ 15 // C.14
			}
		}
		for i := range n {
			w := where{reg: -1, off: stack, size: min(8, a.Size-8*i)}
			if ngrn < 8 {
				w.reg, w.off = ngrn, 0
				ngrn++
			} else {
				stack += 8
			}
			words = append(words, w)
		}
	}
	return words, stack
}

// plain reports whether every kernel that builds trampolines supports such functions:
// they have no structures, and no arguments on the stack.
func (p Proto) plain() bool {
	return p.inRegisters() && !slices.ContainsFunc(p.Args, func(a Arg) bool { return a.Struct || a.Size > 8 })
}

// inRegisters reports whether no argument is on the stack, and none has to be aligned
// more than others.
func (p Proto) inRegisters() bool {
	_, stack := p.places()
	return stack == 0 && !slices.ContainsFunc(p.Args, func(a Arg) bool { return a.Wide })
}

// A Kind is a kind of program.
type Kind uint8

// Kinds of programs, in the order in which they run.
const (
	Fentry Kind = iota
	ModifyReturn
	Fexit
)

func (k Kind) String() string { return [...]string{"fentry", "fmod_ret", "fexit"}[k] }

// A Prog is a program on a trampoline.
type Prog struct {
	Kind      Kind
	Type      ProgType
	Cookie    uint64
	Sleepable bool
	Interp    bool // it is not compiled: the interpreter gets its instructions
	Session   int  // not 0: this fentry and the fexit of the same number are a session, which has a cookie of its own
}

// A ProgType is what a program is attached as.
type ProgType uint8

const (
	Tracing   ProgType = iota
	LSM                // an LSM hook: an fmod_ret without recursion checks
	LSMCgroup          // of a cgroup
	StructOps          // an implementation of a structure of functions
)

// A Place says where things are.
type Place uint8

const (
	Near        Place = iota // everything is in reach
	ImageAbove               // the trampoline is beyond +128 MiB of the kernel and of the programs
	ImageBelow               // it is beyond -128 MiB
	ProgsFar                 // the programs are beyond 128 MiB of the trampoline and of the kernel
	FuncFar                  // the traced function is a BPF program, beyond 128 MiB of the trampoline
	TaggedImage              // the same as ImageAbove, and struct bpf_tramp_image has a tag in its address's top byte (KASAN)
	WideImage                // the same, and struct bpf_tramp_image is at an address of 52 bits
	Apart                    // the trampoline and the programs are near each other, beyond +128 MiB of the kernel
)

var placeNames = [...]string{
	ImageAbove:  "the trampoline beyond +128 MiB of the kernel",
	ImageBelow:  "the trampoline beyond -128 MiB of the kernel",
	ProgsFar:    "the programs beyond 128 MiB",
	FuncFar:     "the traced program beyond 128 MiB",
	TaggedImage: "the trampoline beyond +128 MiB, struct bpf_tramp_image at a tagged address",
	WideImage:   "the trampoline beyond +128 MiB, struct bpf_tramp_image at a 52-bit address",
	Apart:       "the trampoline and the programs beyond 128 MiB of the kernel",
}

func (p Place) String() string { return placeNames[p] }

// far reports whether something that code branches to is out of a branch's reach.
func (p Place) far() bool { return p >= ImageAbove }

// An Origin says where the traced function is.
type Origin uint8

const (
	Site     Origin = iota // a function of the kernel, with a callsite
	Program                // a BPF program, whose entry is patched
	Indirect               // nowhere: the trampoline is called through a pointer
)

// A Case is what a trampoline is built for.
type Case struct {
	Name  string // "" if the rest says it all
	Proto Proto
	Progs []Prog // by Kind
	Flags uint32
	From  Origin
	Place Place
	Fail  Failure
	Short uint64 // bytes that the buffer lacks, in kernels that compute no size before
}

// A Failure is a call that fails: number N, from 1, of those to Func, or of the
// allocations.
type Failure struct {
	Func string
	N    int
}

// list are the indices of the programs of a kind.
func (c *Case) list(kind Kind) (list []int) {
	for i, p := range c.Progs {
		if p.Kind == kind {
			list = append(list, i)
		}
	}
	return list
}

// String says what the trampoline is for: "fentry, 2 fexit on int f(long), IP_ARG,
// the programs beyond 128 MiB".
func (c *Case) String() string {
	var progs []string
	for kind := Fentry; kind <= Fexit; kind++ {
		switch n := len(c.list(kind)); {
		case n == 1:
			progs = append(progs, kind.String())
		case n > 1:
			progs = append(progs, fmt.Sprintf("%d %v", n, kind))
		}
	}
	if len(progs) == 0 {
		progs = []string{"no program"}
	}
	if c.From == Indirect {
		progs = []string{"struct_ops"}
	}
	s := strings.Join(progs, ", ") + " on " + c.Proto.String()
	if c.From == Program {
		s = strings.Join(progs, ", ") + " on a program " + c.Proto.String()
	}
	for _, more := range []string{c.Name, c.flagNames(), c.Place.String()} {
		if more != "" {
			s += ", " + more
		}
	}
	if c.Short > 0 {
		s += fmt.Sprintf(", a buffer that lacks %d bytes", c.Short)
	}
	if c.Fail.Func != "" {
		s += ", " + c.Fail.Func + " failing"
	}
	return s
}

// flagNames are the flags that are not those that the kernel sets for such
// programs.
func (c *Case) flagNames() string {
	names := []string{"RESTORE_REGS", "CALL_ORIG", "SKIP_FRAME", "IP_ARG", "RET_FENTRY_RET", "ORIG_STACK", "", "TAIL_CALL_CTX", "INDIRECT"}
	usual := c.usualFlags()
	var out []string
	for i, name := range names {
		switch bit := uint32(1) << i; {
		case c.Flags&bit != 0 && usual&bit == 0:
			out = append(out, name)
		case c.Flags&bit == 0 && usual&bit != 0:
			out = append(out, "no "+name)
		}
	}
	return strings.Join(out, ", ")
}

// usualFlags are the flags that the kernel sets for such programs: see
// bpf_trampoline_update() and bpf_struct_ops_prepare_trampoline().
func (c *Case) usualFlags() uint32 {
	switch {
	case c.From == Indirect && c.Proto.Ret > 0:
		return flagIndirect | flagRetFentryRet
	case c.From == Indirect:
		return flagIndirect
	case len(c.list(ModifyReturn))+len(c.list(Fexit)) > 0:
		return flagCallOrig | flagSkipFrame
	}
	return flagRestoreRegs
}
