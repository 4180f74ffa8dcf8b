// Package tracing is about what can be traced in a kernel: what the kernel as a whole
// can do, and what ftrace, BPF, kprobes and livepatch can do with each function.
//
// Each answer comes from the image: its symbols, callsites, sections and types, and
// from what the kernel's own functions return when they are executed. No answer
// comes from the kernel's version.
package tracing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/ktypes"
)

// A Reason says why something can be done, or why not.
type Reason uint8

// Reasons. All but Can are obstacles.
const (
	Unknown Reason = iota // the image does not say
	Can

	// The kernel has no means to do it.
	NoTracer    // function tracing
	NoBPF       // BPF programs of type tracing
	NoDirect    // ftrace's direct calls
	NoBuilder   // BPF trampolines
	NoBTF       // types
	NoKprobes   // kprobes
	NoLivepatch // livepatch

	// The function has no callsite.
	Init     // it lies in memory that the kernel frees
	Range    // it lies in a part of the text that is not to be traced
	Part     // it is a cold part of another function
	NoRecord // it has the NOPs of a callsite, and no entry in the table
	NoTable  // its module has no callsite table
	Notrace  // it was built without a callsite

	// BPF cannot use it.
	NotInBTF   // no type describes it
	Renamed    // the compiler made it of a function with other arguments; no type describes it
	NoSymbol   // the kernel does not have its symbol (kallsyms)
	OtherFirst // another function of the name is found first
	Denied     // the verifier has it on a list
	Noreturn   // the verifier has it on a list of functions that do not return
	Prototype  // the verifier refuses its prototype
	Arguments  // the builder of trampolines refuses its arguments
	Unmodified // it is on no list of functions whose return value may be changed

	// Kprobes cannot use it.
	NotText     // it is not in the kernel's text
	Blacklisted // it is blacklisted
	JumpLabel   // its first instruction is patched by a jump label
	StaticCall  // its first instruction is a static call, which is patched
	Trap        // its first instruction is in the table of traps
	Fixup       // its first instruction is in the table of exceptions
	Insn        // its first instruction can be neither stepped nor simulated
	CFI         // its name is that of data for control-flow integrity
	NoEvent     // kprobe_events, perf and BPF refuse it as it has no callsite; a probe of a module's own would do
)

// Kernel error numbers that attaching fails with.
const (
	ENOENT  = 2
	EINVAL  = 22
	ENOTSUP = 524 // ENOTSUPP, which C libraries have no name for
)

// An Answer is the answer about one use of one function.
type Answer struct {
	Why   Reason
	About string // more about Why: the name of a range, of another function, the words of the verifier; of Unknown, what did not answer
	errno int    // of functions without a callsite: the error that this kernel fails with; 0: ENOTSUP
}

// OK reports whether the use is possible.
func (a Answer) OK() bool { return a.Why == Can }

// OfKernel reports whether the answer is no because the kernel as a whole has no means
// for the use.
func (a Answer) OfKernel() bool { return NoTracer <= a.Why && a.Why <= NoLivepatch }

// Errno is the number of the error that attaching an fentry or fexit program fails
// with; 0 for answers that are not about BPF programs, and for Can. A function that
// has no type is not found by its loader: the kernel is not asked.
func (a Answer) Errno() int {
	switch a.Why {
	case NoSymbol:
		return ENOENT
	case Init, Range, Part, NoRecord, NoTable, Notrace:
		return cmp.Or(a.errno, ENOTSUP)
	case NoBuilder, NoDirect, Arguments:
		return ENOTSUP
	case Denied, Noreturn, Prototype, Unmodified:
		return EINVAL
	}
	return 0
}

// A Function is one symbol of a function, with the answer for each use.
type Function struct {
	Name       string
	Addr, Size uint64
	Call       uint64 // address of the call of its callsite; 0 if it has none
	BTF        uint32 // number of its type in BTF; 0 if it has none
	Same       int    // how many other functions have its name
	Ftrace     Answer
	Fentry     Answer
	Fexit      Answer
	FmodRet    Answer
	Kprobe     Answer
	Livepatch  Answer
}

// A Kernel is what can be traced in one kernel.
type Kernel struct {
	Image        *elfscan.Image
	Capabilities []finding.Capability
	Functions    []Function // by address
	Stray        []uint64   // calls of callsites that belong to no function: of weak functions that others override
	Unknown      []*Gap     // what did not answer, each once

	caps     *capabilities
	types    *ktypes.Types // nil if the kernel has no BTF
	verifier *verifier
	poker    *poker
	decoder  *decoder
}

// Of answers for all functions of a kernel image.
func Of(im *elfscan.Image) (*Kernel, error) {
	table, err := callsite.Of(im)
	if err != nil {
		return nil, err
	}
	k := &Kernel{Image: im, caps: capabilitiesOf(table)}
	k.Capabilities = k.caps.list()
	if k.types, err = ktypes.FromBTF(im); err != nil {
		k.unknown("BTF", "", err)
	}
	k.verifier, k.poker, k.decoder = newVerifier(k), newPoker(k), newDecoder(k)
	u := &unit{im: im, table: table, quiet: quiet(im), listed: kallsyms(im)}
	text := spanOf(im, "text", "_stext", "_etext")
	init := spanOf(im, "init", "__init_begin", "__init_end")
	u.text, u.init = text.has, init.has
	if k.types != nil {
		u.described = k.types.Functions()
	}
	u.black = k.blacklist()
	u.labels = relative(im, "__start___jump_table", "__stop___jump_table", jumpEntry)
	u.traps = relative(im, "__start___bug_table", "__stop___bug_table", k.sizeOf("bug_entry"))
	u.fixups = relative(im, "__start___ex_table", "__stop___ex_table", k.sizeOf("exception_table_entry"))
	u.calls = relative(im, "__start_static_call_sites", "__stop_static_call_sites", callSite)
	u.patched = k.patched()
	k.Functions, k.Stray = k.answer(u)
	return k, nil
}

// Shape is the shape of the kernel's callsites; nil if it is not known.
func (k *Kernel) Shape() *arch.Shape { return k.caps.table.Shape }

// Can reports whether the kernel has the capability that a use needs.
func (k *Kernel) Can(use Use) bool {
	return slices.ContainsFunc(k.Capabilities, func(c finding.Capability) bool { return c.ID == use.Capability() && c.Has })
}

// Module answers for all functions of a module of the kernel.
func (k *Kernel) Module(im *elfscan.Image) ([]Function, error) {
	table, err := callsite.Of(im)
	if err != nil {
		return nil, err
	}
	m := im.Module()
	u := &unit{im: im, table: table, listed: func(uint64) bool { return true }}
	u.text = func(a uint64) bool { return m.PartAt(a) == elfscan.Text }
	u.init = func(a uint64) bool { return m.PartAt(a).Init() }
	u.black = &blacklist{funcs: map[uint64]bool{}}
	for i, s := range m.Sections {
		switch s.Name {
		case ".noinstr.text", ".kprobes.text":
			u.quiet = append(u.quiet, span{s.Name, s.Addr, s.Addr + s.Size})
		case "_kprobe_blacklist":
			list, err := im.AddressesOf("kprobes blacklist", i)
			if err != nil {
				return nil, err
			}
			u.black.add(list.Values)
		}
	}
	u.black.spans = u.quiet
	if k.types != nil {
		if u.described, err = ktypes.ModuleFunctions(im, k.types); err != nil {
			return nil, err
		}
	}
	clear(k.verifier.byProto) // other modules have types of the same numbers
	u.labels = relativeOf(im, "__jump_table", jumpEntry)
	u.traps = relativeOf(im, "__bug_table", k.sizeOf("bug_entry"))
	u.fixups = relativeOf(im, "__ex_table", k.sizeOf("exception_table_entry"))
	u.calls = relativeOf(im, ".static_call_sites", callSite)
	u.patched = k.patchedOf(im)
	list, _ := k.answer(u)
	return list, nil
}

// A unit is a kernel image, or a module.
type unit struct {
	im    *elfscan.Image
	table *callsite.Table

	functions []Function
	stray     []uint64
	described []ktypes.Func          // by BTF
	text      func(addr uint64) bool // of the text that stays
	init      func(addr uint64) bool // of what is freed
	listed    func(addr uint64) bool // of symbols that the running kernel has
	quiet     []span                 // parts of the text that are kept from tracers

	black                 *blacklist
	labels, traps, fixups map[uint64]bool
	calls                 map[uint64]bool // static calls
	patched               map[uint64]bool // instructions that are replaced at boot
}

func (k *Kernel) answer(u *unit) ([]Function, []uint64) {
	symbols := u.im.Functions()
	u.functions = make([]Function, 0, len(symbols))
	count := make(map[string]int, len(symbols))
	for _, s := range symbols {
		if strings.HasPrefix(s.Name, "__pfx_") {
			continue // the padding in front of a function
		}
		u.functions = append(u.functions, Function{Name: s.Name, Addr: s.Addr, Size: s.Size})
		count[s.Name]++
	}
	for i := range u.functions {
		u.functions[i].Same = count[u.functions[i].Name] - 1
	}
	k.ftrace(u)
	k.kprobes(u)
	k.bpf(u)
	for i := range u.functions {
		f := &u.functions[i]
		if f.Livepatch = f.Ftrace; !k.caps.livepatch {
			f.Livepatch = Answer{Why: NoLivepatch}
		}
	}
	return u.functions, u.stray
}

// A Gap is a function of the kernel, or something else that answers come from, that did
// not give some of them.
type Gap struct {
	What  string
	First error  // why, the first time
	For   string // what was asked the first time; "" if it is always the same
	Times int
}

func (g *Gap) Error() string {
	s := g.What
	if g.For != "" {
		s += " for " + g.For
	}
	s += ": " + g.First.Error()
	if g.Times > 1 {
		s += fmt.Sprintf(", the first of %s times", plural.Number(g.Times))
	}
	return s
}

// unknown notes that something did not answer, asked about a case, which may be "". The
// result is the answer in its place.
func (k *Kernel) unknown(what, about string, err error) Answer {
	i := slices.IndexFunc(k.Unknown, func(g *Gap) bool { return g.What == what })
	if i < 0 {
		i = len(k.Unknown)
		k.Unknown = append(k.Unknown, &Gap{What: what, First: err, For: about})
	}
	k.Unknown[i].Times++
	return Answer{About: what + ": " + err.Error()}
}
