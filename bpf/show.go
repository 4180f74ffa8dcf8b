package bpf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/a64"
)

// A Part is one word of a trampoline, and what it is for.
type Part struct {
	Addr    uint64
	Word    uint32
	Label   string // not "": here begins what leads to this call
	Note    string
	Purpose Purpose
	Name    string  // of the stretch that the word belongs to: "save", "fentry 1"; "" if Purpose is Unused
	Leaves  bool    // execution went from here out of the trampoline
	Emitter Emitter // the instruction of the generator that emitted it
}

// A Purpose is what a stretch of a trampoline is for.
type Purpose uint8

const (
	Unused  Purpose = iota // it was not executed
	Saving                 // saves the arguments and registers, as the callsite left them
	Holding                // calls __bpf_tramp_enter() or __bpf_tramp_exit(), which hold the trampoline and let it go
	Running                // calls a program, with its enter and exit function
	Calling                // calls the traced function
	Ending                 // restores registers, and returns
)

// purposes are those of the stretches that lead to the kinds of steps.
var purposes = [...]Purpose{trampEnter: Holding, trampExit: Holding, progEnter: Running, progRun: Running, progExit: Running, function: Calling, back: Ending}

// A Listing is a trampoline, laid out.
type Listing struct {
	Case  Case
	Size  int32 // what arch_bpf_trampoline_size() returned, in bytes
	Parts []Part
	While string // what happened in the first execution that differs from the model, as in Failed
	Diffs []Diff // its differences

	saved uint64 // index behind the last part that saves a register as the callsite left it
}

// Show builds the trampoline of a case and executes it, to see what each of its words
// is for.
func (k *Kernel) Show(c *Case) (*Listing, error) {
	b := newBench(k)
	t := b.build(c, true)
	switch {
	case t.Err != nil:
		return nil, t.Err
	case len(b.w.Faults) > 0:
		return nil, fmt.Errorf("%s", b.w.Faults[0].What)
	case t.refused:
		return nil, fmt.Errorf("the generator does not support %v (-ENOTSUPP)", c.Proto)
	case t.Ret <= 0 || len(t.Code) == 0:
		return nil, fmt.Errorf("the generator returns %d, and generates nothing", t.Ret)
	}
	l := &Listing{Case: *c, Size: t.Size}
	for i, w := range words(t.Code[:t.Ret]) {
		addr := t.Addr + uint64(i)*a64.Size
		l.Parts = append(l.Parts, Part{Addr: addr, Word: w, Emitter: b.emit[addr]})
	}
	for _, s := range c.scenarios(false) {
		diffs, err := b.execute(c, t, &s, l.watch)
		if err != nil {
			return nil, err
		}
		if len(l.Diffs) == 0 {
			l.While, l.Diffs = c.while(&s), diffs
		}
	}
	for i := range l.Parts[:l.saved] {
		if p := &l.Parts[i]; p.Purpose != Unused {
			p.Purpose, p.Name = Saving, "save"
		}
	}
	for _, note := range []struct {
		at   uint64
		what string
	}{{t.AfterCall, "ip_after_call: becomes a branch to ip_epilogue when the trampoline is given up"}, {t.Epilogue, "ip_epilogue"}} {
		if i := (note.at - t.Addr) / a64.Size; note.at >= t.Addr && i < uint64(len(l.Parts)) {
			l.Parts[i].Note = strings.TrimPrefix(l.Parts[i].Note+"; "+note.what, "; ")
		}
	}
	return l, nil
}

// watch notes what an instruction at pc did in a run, for which next is due.
func (l *Listing) watch(r *runner, pc uint64, before [31]uint64) {
	i := (pc - r.t.Addr) / a64.Size
	if pc < r.t.Addr || i >= uint64(len(l.Parts)) {
		return
	}
	p := &l.Parts[i]
	due := r.steps[min(r.next, len(r.steps)-1)]
	if r.segment != r.next+1 {
		r.segment = r.next + 1
		if p.Label == "" {
			p.Label = "to " + r.name(due)
		}
	}
	if p.Purpose == Unused {
		p.Purpose, p.Name = purposes[due.kind], r.stretch(due)
	}
	p.Leaves = p.Leaves || r.b.w.M.PC-r.t.Addr >= uint64(len(r.t.Code))
	if p.Note == "" {
		p.Note = r.meaning(p.Word, pc, before)
	}
	if regs, load := moved(p.Word); r.next == 0 && !load {
		for _, reg := range regs {
			if before[reg] == r.before[reg] {
				l.saved = max(l.saved, i+1)
			}
		}
	}
}

// stretch is the name of what leads to a step, and of a program with its enter and
// exit function.
func (r *runner) stretch(s step) string {
	switch s.kind {
	case trampEnter:
		return "enter"
	case trampExit:
		return "exit"
	case function:
		return "function"
	case back:
		return "return"
	}
	return strings.Replace(r.progName(s.prog), " program", "", 1)
}

// moved are the registers that an instruction stores or loads, of 64 bits with an
// immediate offset; none if it is another instruction.
func moved(w uint32) (regs []int, load bool) {
	regs = []int{a64.Rd(w)}
	switch {
	case w&0xffc00000 == 0xf9000000: // STR
	case w&0xffc00000 == 0xf9400000: // LDR
		load = true
	case w&0xfe400000 == 0xa8000000: // STP
		regs = append(regs, int(w>>10&31))
	case w&0xfe400000 == 0xa8400000: // LDP
		regs, load = append(regs, int(w>>10&31)), true
	default:
		return nil, false
	}
	return slices.DeleteFunc(regs, func(reg int) bool { return reg > 30 }), load
}

// meaning is what an instruction was for, by the values that it moved; "" if they have
// no meaning of their own.
func (r *runner) meaning(w uint32, pc uint64, before [31]uint64) string {
	m := r.b.w.M
	switch kind := a64.Classify(w); {
	case kind == a64.Landing:
		return "landing pad"
	case m.PC-r.t.Addr >= uint64(len(r.t.Code)) && (kind == a64.Call || kind == a64.BLR || kind == a64.BR || kind == a64.Ret || kind == a64.Branch):
		return "goes to " + r.target(m.PC)
	}
	regs, load := moved(w)
	var parts []string
	for _, reg := range regs {
		v := before[reg]
		if load {
			v = m.X[reg]
		}
		if what := r.valued(v); what != "" {
			parts = append(parts, what)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	verb := "saves "
	if load {
		verb = "loads "
	}
	return verb + strings.Join(parts, " and ")
}

// valued is what a value is; "" if that is not known.
func (r *runner) valued(v uint64) string {
	for n, arg := range r.args {
		if v == arg {
			return fmt.Sprintf("word %d of the arguments", n)
		}
	}
	for i, p := range r.c.Progs {
		if p.Cookie != 0 && v == p.Cookie {
			return "the cookie of " + r.progName(i)
		}
		if v == startTime+uint64(i)<<32 {
			return "the start time"
		}
		if ret := r.s.Ret[i]; ret != 0 && v == ret {
			return "what " + r.progName(i) + " has returned"
		}
	}
	switch v {
	case r.s.FuncRet:
		return "the return value"
	case r.body:
		return "the address of the function's body"
	case r.before[30]:
		return "the address in the function's caller"
	case r.t.fn:
		return "the function's address"
	case uint64(len(r.words)):
		return "the number of words of the arguments"
	}
	for i := 18; i < 30; i++ {
		if v == r.before[i] {
			return fmt.Sprintf("x%d of the caller", i)
		}
	}
	return ""
}

// target is the name of where execution goes.
func (r *runner) target(pc uint64) string {
	if i := slices.Index(r.t.codes, pc); i >= 0 {
		return r.progName(i)
	}
	switch pc {
	case r.body:
		return "the function's body"
	case r.b.caller():
		return "the function's caller"
	}
	return r.b.Image.Name(pc)
}

// baseTypes are types of C and of the kernel by name, with their sizes in bytes.
var baseTypes = map[string]int{
	"void": 0, "bool": 1, "_Bool": 1, "char": 1, "short": 2, "int": 4, "long": 8, "unsigned": 4, "signed": 4, "size_t": 8, "ssize_t": 8, "loff_t": 8,
	"u8": 1, "s8": 1, "u16": 2, "s16": 2, "u32": 4, "s32": 4, "u64": 8, "s64": 8, "__int128": 16, "pid_t": 4, "gfp_t": 4, "umode_t": 2,
}

// ParseProto reads a prototype in C, "int f(struct path, long)", or the name of a
// function that BTF describes. Structures are those of the kernel.
func (k *Kernel) ParseProto(text string) (Proto, error) {
	head, args, ok := strings.Cut(text, "(")
	if !ok {
		p, err := k.Types.Prototype(strings.TrimSpace(text))
		if err != nil {
			return Proto{}, err
		}
		proto, why, err := k.protoOf(p)
		if why != "" {
			return Proto{}, fmt.Errorf("no BPF program can be attached to %s: %s", text, why)
		}
		return proto, err
	}
	args, rest, ok := strings.Cut(args, ")")
	if !ok || strings.TrimSpace(rest) != "" {
		return Proto{}, fmt.Errorf("%q is not a prototype: int f(struct path, long)", text)
	}
	var proto Proto
	head = strings.TrimSpace(head)
	if i := strings.LastIndexAny(head, " *"); i >= 0 { // without the function's name
		head = head[:i+1]
	}
	ret, err := k.parseType(head)
	if err != nil {
		return proto, err
	}
	if ret.Struct {
		return proto, fmt.Errorf("no BPF program can be attached to a function that returns a structure")
	}
	proto.Ret = ret.Size
	if args = strings.TrimSpace(args); args == "" || args == "void" {
		return proto, nil
	}
	for _, arg := range strings.Split(args, ",") {
		a, err := k.parseType(arg)
		switch {
		case err != nil:
			return proto, err
		case a.Size == 0 || a.Size > maxSize:
			return proto, fmt.Errorf("%q has %d bytes: an argument has 1 to %d", strings.TrimSpace(arg), a.Size, maxSize)
		}
		proto.Args = append(proto.Args, a)
	}
	if len(proto.Args) > k.MaxArgs() {
		return proto, fmt.Errorf("%d arguments, at most %d are supported", len(proto.Args), k.MaxArgs())
	}
	return proto, nil
}

// parseType reads a type, perhaps with the name of an argument behind it.
func (k *Kernel) parseType(text string) (a Arg, err error) {
	if strings.Contains(text, "*") {
		return long, nil
	}
	names := slices.DeleteFunc(strings.Fields(text), func(s string) bool { return s == "const" || s == "volatile" })
	if len(names) == 0 {
		return a, fmt.Errorf("an argument has no type")
	}
	switch names[0] {
	case "struct", "union":
		if len(names) < 2 {
			return a, fmt.Errorf("%q has no name", text)
		}
		s, err := k.Types.Struct(names[1])
		if err != nil {
			return a, err
		}
		wide, err := k.isWide(s, 0)
		return Arg{Size: int(min(s.Size, 1<<16)), Struct: true, Wide: wide}, err
	case "enum":
		return num, nil
	}
	size, ok := 0, false
	for _, name := range names {
		n, known := baseTypes[name]
		if known && (!ok || name != "int") { // "long int", "unsigned char"
			size, ok = n, true
		}
	}
	if !ok {
		return a, fmt.Errorf("the type %q is not known: it can be one of C, one of the kernel's short names (u32), "+
			"a pointer, or a structure that BTF has", strings.TrimSpace(text))
	}
	return Arg{Size: size, Wide: size == 16}, nil
}

// ParsePrograms reads a list of programs, "fentry,fexit", and makes a case of it.
func (k *Kernel) ParsePrograms(proto Proto, list string) (*Case, error) {
	c := &Case{Proto: proto, From: k.from()}
	for _, name := range strings.Split(list, ",") {
		switch strings.TrimSpace(name) {
		case "fentry":
			c.Progs = append(c.Progs, Prog{Kind: Fentry})
		case "fmod_ret":
			c.Progs = append(c.Progs, Prog{Kind: ModifyReturn})
		case "fexit":
			c.Progs = append(c.Progs, Prog{Kind: Fexit})
		case "struct_ops":
			c.From, c.Progs = Indirect, append(c.Progs, Prog{Kind: Fentry, Type: StructOps})
		default:
			return nil, fmt.Errorf("%q is not a kind of program: fentry, fmod_ret, fexit, struct_ops", name)
		}
	}
	if c.From == Indirect && len(c.Progs) > 1 {
		return nil, fmt.Errorf("struct_ops is one program")
	}
	slices.SortStableFunc(c.Progs, func(a, b Prog) int { return int(a.Kind) - int(b.Kind) })
	if n := len(c.Progs); n > k.maxProgs {
		return nil, fmt.Errorf("%d programs, at most %d are supported", n, k.maxProgs)
	}
	c.Flags = c.usualFlags()
	return c, nil
}
