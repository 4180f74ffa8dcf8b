package tracing

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"maps"
	"strings"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/ktypes"
	"github.com/ftlint/ftlint/world"
)

// bpf answers for programs of type fentry and fexit, in the order of the kernel: the
// verifier first, then the builder of trampolines, then ftrace.
func (k *Kernel) bpf(u *unit) {
	all := func(a Answer) {
		for i := range u.functions {
			f := &u.functions[i]
			f.Fentry, f.Fexit, f.FmodRet = a, a, a
		}
	}
	switch {
	case !k.caps.bpf:
		all(Answer{Why: NoBPF})
		return
	case k.types == nil && k.caps.btf:
		all(Answer{About: "its BTF is damaged"})
		return
	case k.types == nil:
		all(Answer{Why: NoBTF})
		return
	}
	described := make(map[string]ktypes.Func, len(u.described))
	for _, f := range u.described {
		if _, twice := described[f.Name]; !twice {
			described[f.Name] = f
		}
	}
	denied, noreturn := idSet(k.Image, "btf_id_deny"), idSet(k.Image, "noreturn_deny")
	modified := k.modifiable()
	first := make(map[string]*Function, len(u.functions))
	for i := range u.functions {
		f := &u.functions[i]
		of, ok := described[f.Name]
		if first[f.Name] == nil && u.listed(f.Addr) {
			first[f.Name] = f
		}
		f.BTF = of.ID
		switch {
		case ok:
			f.Fentry = k.fentry(u, f, of, first[f.Name], denied)
		case isMade(f.Name):
			f.Fentry = Answer{Why: Renamed}
		default:
			f.Fentry = Answer{Why: NotInBTF}
		}
		f.Fexit, f.FmodRet = f.Fentry, f.Fentry
		switch f.Fentry.Why {
		case Prototype, NoSymbol, OtherFirst, NotInBTF, Renamed:
		default: // the verifier looks at the type of the program now
			if f.Fentry.Why != Denied && noreturn[of.ID] {
				f.Fexit, f.FmodRet = Answer{Why: Noreturn}, Answer{Why: Noreturn}
			}
			if !modified(f, of) {
				f.FmodRet = Answer{Why: Unmodified}
			}
		}
	}
}

// modifiable reports for a function whether its return value may be changed: by its
// name, by the list of error injection, or by the sets of BTF that subsystems register.
func (k *Kernel) modifiable() func(f *Function, of ktypes.Func) bool {
	im := k.Image
	listed := map[uint64]bool{}
	if s := spanOf(im, "", "__start_error_injection_whitelist", "__stop_error_injection_whitelist"); s.hi > s.lo {
		const entry = 16 // struct error_injection_entry: an address, and a number
		for at := s.lo; at+entry <= s.hi; at += entry {
			addr, _ := im.Uint64(at)
			listed[addr] = true
		}
	}
	set := map[uint32]bool{}
	im.EachSymbol(func(addr uint64, name []byte, _ elf.SymType) bool {
		if bytes.HasPrefix(name, []byte("__BTF_ID__set8__")) && (bytes.HasSuffix(name, []byte("_fmodret_ids")) || bytes.HasSuffix(name, []byte("_modify_return_ids"))) {
			maps.Copy(set, flaggedIDs(im, addr))
		}
		return true
	})
	return func(f *Function, of ktypes.Func) bool {
		return strings.HasPrefix(f.Name, "security_") || listed[f.Addr] || set[of.ID]
	}
}

// isMade reports whether the name is that of a function that the compiler has made of
// another.
func isMade(name string) bool {
	for _, mark := range []string{".isra.", ".constprop.", ".part.", ".cold"} {
		if strings.Contains(name, mark) {
			return true
		}
	}
	return false
}

// fentry answers for a function that BTF describes. first is the function of its name
// that the kernel finds; nil if it finds none.
func (k *Kernel) fentry(u *unit, f *Function, of ktypes.Func, first *Function, denied map[uint32]bool) Answer {
	proto := k.verifier.prototype(of)
	switch {
	case proto.Why == Prototype:
		return proto
	case first == nil:
		return Answer{Why: NoSymbol}
	case first != f && first.Addr != f.Addr:
		return Answer{Why: OtherFirst, About: u.im.At(first.Addr)}
	case denied[of.ID]:
		return Answer{Why: Denied}
	case !k.caps.builder:
		return Answer{Why: NoBuilder}
	case proto.Why == Arguments:
		return proto
	case !f.Ftrace.OK():
		return k.poker.answer(u, f)
	case !k.caps.direct:
		return Answer{Why: NoDirect}
	case proto.Why == Unknown: // all obstacles that need no prototype come first
		return proto
	}
	return Answer{Why: Can}
}

// A poker executes bpf_arch_text_poke(), by which the kernel attaches to a function without
// a callsite. It refuses, each architecture with another error.
type poker struct {
	k     *Kernel
	w     *world.World // nil: the function cannot be executed, or is the core's own
	fn    uint64
	args  func(addr uint64) []uint64
	known map[string]int
}

func newPoker(k *Kernel) *poker {
	const name = "bpf_arch_text_poke"
	p := &poker{k: k, known: map[string]int{}}
	fn, ok := k.Image.Lookup(name)
	if !ok || k.types == nil || fn.Bind == elf.STB_WEAK {
		return p
	}
	var proto ktypes.Prototype
	var err error
	for _, f := range k.types.Functions() {
		if f.Name == name {
			proto, err = f.Prototype()
		}
	}
	to, _ := k.Image.Addr("ftrace_caller") // any address in reach
	switch {
	case err != nil:
	case len(proto.Params) == 4: // what stands there, the address that it calls, and the one that it is to call
		p.args = func(addr uint64) []uint64 { const call = 0; return []uint64{addr, call, 0, to} }
	case len(proto.Params) == 5: // Linux 7.0 on: what stands there, what is to stand there, both addresses
		p.args = func(addr uint64) []uint64 { const nop, call = 0, 1; return []uint64{addr, nop, call, 0, to} }
	default:
		err = fmt.Errorf("it has %d parameters", len(proto.Params))
	}
	if err != nil {
		k.unknown(name+"()", "", err)
		return p
	}
	p.w, p.fn = world.New(k.Image), fn.Addr
	return p
}

// answer is the answer for a function without a callsite.
func (p *poker) answer(u *unit, f *Function) Answer {
	a := f.Ftrace
	if p.w == nil {
		return a
	}
	const looked = 16 // bytes, of which it reads less
	key := fmt.Sprintf("%t %t %x", u.im == p.k.Image, u.init(f.Addr), u.im.Code(f.Addr, looked))
	errno, ok := p.known[key]
	if !ok {
		p.w.Enter()
		v, err := p.w.Call(p.fn, p.args(f.Addr)...)
		if err != nil {
			p.k.unknown("bpf_arch_text_poke()", f.Name+"()", err)
			p.w = nil
			return a
		}
		errno = -int(int32(v))
		p.known[key] = errno
	}
	if errno <= 0 {
		return Answer{About: "bpf_arch_text_poke() takes what stands there for a place of its own"}
	}
	a.errno = errno
	return a
}

// kallsyms reports which symbols the running kernel knows, by address: those of text
// and init text and, if it has more symbols than these, all (CONFIG_KALLSYMS_ALL).
func kallsyms(im *elfscan.Image) func(addr uint64) bool {
	parts := []span{spanOf(im, "", "_stext", "_etext"), spanOf(im, "", "_sinittext", "_einittext")}
	text := uint32(0)
	im.EachSymbol(func(addr uint64, _ []byte, _ elf.SymType) bool {
		if _, ok := spanAt(parts, addr); ok {
			text++
		}
		return true
	})
	if at, ok := im.Addr("kallsyms_num_syms"); ok {
		if b, ok := im.Bytes(at, 4); ok && binary.LittleEndian.Uint32(b) > text+text/4 {
			return func(uint64) bool { return true }
		}
	}
	return func(addr uint64) bool { _, ok := spanAt(parts, addr); return ok }
}

// idSet are the numbers of types in a set of the verifier's: a count, then as many
// numbers.
func idSet(im *elfscan.Image, name string) map[uint32]bool {
	at, ok := im.Addr(name)
	if !ok {
		return nil
	}
	return idsAt(im, at, 4, 4)
}

// flaggedIDs are the numbers of types in a set with flags: a count and flags, then for
// each type its number and flags.
func flaggedIDs(im *elfscan.Image, at uint64) map[uint32]bool { return idsAt(im, at, 8, 8) }

// idsAt are the numbers of a set whose entries of size bytes stand behind a header.
func idsAt(im *elfscan.Image, at uint64, header, size int) map[uint32]bool {
	const most = 1 << 16
	b, ok := im.Bytes(at, 4)
	if !ok || binary.LittleEndian.Uint32(b) > most {
		return nil
	}
	set := map[uint32]bool{}
	b, _ = im.Bytes(at+uint64(header), size*int(binary.LittleEndian.Uint32(b)))
	for ; len(b) >= size; b = b[size:] {
		set[binary.LittleEndian.Uint32(b)] = true
	}
	return set
}

// A verifier executes what the kernel does with a prototype before it attaches: it
// makes a model of the arguments (btf_distill_func_proto), and asks the builder for
// the size of the trampoline. Each is executed once for prototypes that are alike: on
// BTF that has such a prototype and no more.
type verifier struct {
	k       *Kernel
	w       *world.World
	distill uint64
	size    uint64 // address of arch_bpf_trampoline_size; 0 if the image has none
	prepare uint64 // address of the builder, which is asked where that is 0; 0 if there is nothing to ask
	btf     uint64 // address of a struct btf
	model   uint64 // address of a struct btf_func_model
	bytes   uint64 // its size
	name    uint64 // address of nameMark
	said    string // by the verifier
	byProto map[uint32]Answer
	byShape map[string]Answer
	broken  bool
	failed  Answer // where it is broken
}

const nameMark = "\x01" // stands for the function's name in the words of the verifier

// Memory for what the verifier is given.
const (
	typesMemory = 0xffff_0000_4000_0000 // pointers to types, then the types
	typesSize   = 64 << 10
	linksMemory = 0xffff_0000_4800_0000 // the lists of programs, which are empty
	linksSize   = 16 << 10
	imageMemory = 0xffff_0000_7000_0000 // for a trampoline
	imageSize   = 4096
	maxTypes    = 256
)

func newVerifier(k *Kernel) *verifier {
	v := &verifier{k: k, byProto: map[uint32]Answer{}, byShape: map[string]Answer{}}
	if k.types == nil || !k.caps.bpf {
		v.broken = true
		return v
	}
	if err := v.setUp(k.types, k.caps); err != nil {
		v.broken, v.failed = true, k.unknown("prototypes", "", err)
	}
	return v
}

func (v *verifier) setUp(types *ktypes.Types, c *capabilities) error {
	const name = "btf_distill_func_proto"
	var ok bool
	if v.distill, ok = c.im.Addr(name); !ok {
		return &world.Lack{What: "the image has no " + name + "()"}
	}
	if c.direct && c.builder {
		if v.size, ok = c.im.Addr("arch_bpf_trampoline_size"); !ok { // before 6.8
			v.prepare, _ = c.im.Addr(builderName)
		}
	}
	btf, err := types.Struct("btf")
	if err != nil {
		return err
	}
	model, err := types.Struct("btf_func_model")
	if err != nil {
		return err
	}
	v.bytes = model.Size
	v.w = world.New(c.im)
	v.w.Hook(v.log, "bpf_log")
	v.w.Hook(v.w.Returns(imageMemory), "bpf_jit_alloc_exec") // where the size is that of a trampoline that is made (x86)
	v.w.Hook(v.w.Returns(0), "bpf_jit_free_exec")
	v.w.Mem.Map(typesMemory, typesSize, emu.Read|emu.Write)
	v.w.Mem.Map(linksMemory, linksSize, emu.Read|emu.Write)
	v.w.Mem.Map(imageMemory, imageSize, emu.Read|emu.Write)
	v.btf, v.model, v.name = v.w.Object(btf.Size), v.w.Object(v.bytes), v.w.Object(8)
	for member, value := range map[string]uint64{"types": typesMemory, "nr_types": maxTypes} {
		m, err := types.Member(btf, member)
		if err != nil {
			return err
		}
		b := binary.LittleEndian.AppendUint64(nil, value)
		if err := v.w.Mem.Write(v.btf+m.Offset, b[:m.Type.Size]); err != nil {
			return err
		}
	}
	return v.w.Mem.Write(v.name, []byte(nameMark))
}

// log is the stand-in for bpf_log(log, format, ...).
func (v *verifier) log(string) error {
	w := v.w
	format := v.text(w.Arg(1))
	n := 2
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) || n > 7 {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch format[i] {
		case 's':
			b.WriteString(v.text(w.Arg(n)))
		default:
			fmt.Fprint(&b, int32(w.Arg(n)))
		}
		n++
	}
	v.said = strings.TrimSpace(b.String())
	w.SetInt(0)
	return nil
}

// text is the string at addr.
func (v *verifier) text(addr uint64) string {
	const longest = 256
	var out []byte
	for b := []byte{0}; len(out) < longest && v.w.Mem.Read(addr+uint64(len(out)), b) == nil && b[0] != 0; {
		out = append(out, b[0])
	}
	return string(out)
}

// prototype is the answer about the prototype of a function alone.
func (v *verifier) prototype(f ktypes.Func) Answer {
	if v.broken {
		return v.failed
	}
	a, ok := v.byProto[f.Proto]
	if !ok {
		p, err := f.Prototype()
		if err != nil {
			return v.k.unknown("prototypes in BTF", f.Name+"()", err)
		}
		shape := shapeOf(p)
		if a, ok = v.byShape[shape]; !ok {
			a = v.execute(f.Name, p)
			v.byShape[shape] = a
		}
		v.byProto[f.Proto] = a
	}
	a.About = strings.ReplaceAll(a.About, nameMark, f.Name)
	return a
}

// shapeOf is what the kernel looks at in a prototype.
func shapeOf(p ktypes.Prototype) string {
	b := make([]byte, 0, 64)
	one := func(t ktypes.Type) {
		b = append(b, byte(t.Kind))
		b = binary.AppendUvarint(b, t.Size)
		if t.Signed {
			b = append(b, 's')
		}
	}
	one(p.Result)
	for _, a := range p.Params {
		one(a.Type)
	}
	if p.Variadic {
		b = append(b, '.')
	}
	return string(b)
}

// btfKinds are the numbers of kinds of types in BTF.
var btfKinds = map[ktypes.Kind]uint32{
	ktypes.Int: 1, ktypes.Pointer: 2, ktypes.Array: 3, ktypes.Struct: 4, ktypes.Union: 5, ktypes.Enum: 6, ktypes.Function: 13, ktypes.Float: 16,
}

// write makes BTF of the prototype: one type for each of its types, and returns the
// address of the prototype's. Type 0 is void.
func (v *verifier) write(p ktypes.Prototype) (proto uint64, err error) {
	le := binary.LittleEndian
	pointers, types := make([]byte, 8*maxTypes), make([]byte, 12)
	const area = typesMemory + 8*maxTypes
	n := uint32(0)
	add := func(t ktypes.Type) uint32 {
		if t.Kind == ktypes.Void {
			return 0
		}
		n++
		le.PutUint64(pointers[8*n:], area+uint64(len(types)))
		types = le.AppendUint32(types, 0) // no name
		kind := btfKinds[t.Kind]
		if t.Kind == ktypes.Enum && t.Size > 4 {
			kind = 19
		}
		types = le.AppendUint32(types, kind<<24)
		size := uint32(t.Size)
		if t.Kind == ktypes.Pointer || t.Kind == ktypes.Function {
			size = 0 // a pointer to void; a function that returns void
		}
		types = le.AppendUint32(types, size)
		encoding := uint32(t.Size * 8)
		if t.Signed {
			encoding |= 1 << 24
		}
		types = le.AppendUint32(types, encoding) // of an integer
		return n
	}
	le.PutUint64(pointers, area)
	result := add(p.Result)
	var params []byte
	for _, a := range p.Params {
		params = le.AppendUint32(params, 0)
		params = le.AppendUint32(params, add(a.Type))
	}
	count := uint32(len(p.Params))
	if p.Variadic {
		count++
		params = append(params, make([]byte, 8)...)
	}
	if n >= maxTypes || len(types)+len(params) > typesSize/2 {
		return 0, fmt.Errorf("%d parameters", count)
	}
	proto = area + uint64(len(types))
	types = le.AppendUint32(types, 0)
	types = le.AppendUint32(types, 13<<24|count)
	types = le.AppendUint32(types, result)
	types = append(types, params...)
	if err := v.w.Mem.Write(typesMemory, pointers); err != nil {
		return 0, err
	}
	return proto, v.w.Mem.Write(area, types)
}

func (v *verifier) execute(name string, p ktypes.Prototype) Answer {
	w := v.w
	proto, err := v.write(p)
	if err != nil {
		return v.k.unknown("prototypes", name+"()", err)
	}
	v.said = ""
	_ = w.Mem.Write(v.model, make([]byte, v.bytes)) // mapped
	w.Enter()
	ret, err := w.Call(v.distill, 0, v.btf, proto, v.name, v.model)
	switch {
	case err != nil:
		return v.k.unknown("btf_distill_func_proto()", name+"()", err)
	case int32(ret) != 0 && v.said == "":
		return Answer{Why: Prototype, About: fmt.Sprintf("btf_distill_func_proto() returns %d", int32(ret))}
	case int32(ret) != 0:
		return Answer{Why: Prototype, About: v.said}
	case v.size == 0 && v.prepare == 0:
		return Answer{Why: Can}
	}
	w.Enter()
	const restoreRegs = 1 // BPF_TRAMP_F_RESTORE_REGS, as for fentry
	asked := "arch_bpf_trampoline_size"
	if v.size != 0 {
		ret, err = w.Call(v.size, v.model, restoreRegs, linksMemory, 0)
	} else {
		asked = builderName
		ret, err = w.Call(v.prepare, 0, imageMemory, imageMemory+imageSize, v.model, restoreRegs, linksMemory, 0)
	}
	switch {
	case err != nil:
		return v.k.unknown(asked+"()", name+"()", err)
	case int32(ret) == -ENOTSUP:
		return Answer{Why: Arguments, About: arguments(p, uint64(len(v.k.caps.table.Arch.Args)))}
	}
	return Answer{Why: Can}
}

// arguments says which argument does not fit the registers for arguments (AAPCS64,
// 6.8.2; psABI, "Parameter Passing").
func arguments(p ktypes.Prototype, registers uint64) string {
	used := uint64(0)
	for i, a := range p.Params {
		used += max(1, (a.Type.Size+7)/8)
		if used > registers {
			return fmt.Sprintf("argument %d (%s) lies on the stack", i+1, a.Name)
		}
	}
	return fmt.Sprintf("%d arguments", len(p.Params))
}
