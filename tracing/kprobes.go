package tracing

import (
	"encoding/binary"
	"strings"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/world"
)

// kprobes answers for a kprobe at the first instruction of each function.
func (k *Kernel) kprobes(u *unit) {
	if !k.caps.kprobes {
		for i := range u.functions {
			u.functions[i].Kprobe = Answer{Why: NoKprobes}
		}
		return
	}
	// The kernel asks about a function with a suffix (foo.isra.0) under its name without
	// the suffix, too: what it finds first of that name counts.
	first := make(map[string]*Function, len(u.functions))
	for i := range u.functions {
		if f := &u.functions[i]; first[f.Name] == nil {
			first[f.Name] = f
		}
	}
	for i := range u.functions {
		f := &u.functions[i]
		base, _, suffixed := strings.Cut(f.Name, ".")
		var whole *Function
		if suffixed {
			whole = first[base]
		}
		f.Kprobe = k.kprobe(u, f, whole)
	}
}

// kprobe answers for one function. whole is the function that f is made of; nil if
// there is none.
func (k *Kernel) kprobe(u *unit, f, whole *Function) Answer {
	by, black := u.black.at(f.Addr)
	if !black && whole != nil {
		if by, black = u.black.at(whole.Addr); black {
			by = whole.Name + ": " + by
		}
	}
	switch {
	case u.init(f.Addr):
		return Answer{Why: Init}
	case !u.text(f.Addr):
		return Answer{Why: NotText}
	case black:
		return Answer{Why: Blacklisted, About: by}
	case strings.HasPrefix(f.Name, "__cfi_"):
		return Answer{Why: CFI}
	case u.labels[f.Addr]:
		return Answer{Why: JumpLabel}
	case u.calls[f.Addr]:
		return Answer{Why: StaticCall}
	case u.traps[f.Addr]:
		return Answer{Why: Trap}
	case u.fixups[f.Addr]:
		return Answer{Why: Fixup}
	}
	if f.Ftrace.OK() && k.caps.onFtrace && f.Call-f.Addr <= landingPad {
		return Answer{Why: Can} // by its callsite: no instruction is stepped
	}
	a := k.decoder.decode(u.im, f.Addr)
	if a.Why == Insn && u.patched[f.Addr] {
		a = Answer{About: "the kernel replaces its first instruction when it boots"}
	}
	if (a.OK() || a.Why == Unknown) && !f.Ftrace.OK() && !k.caps.onNotrace() && (whole == nil || !whole.Ftrace.OK()) {
		return Answer{Why: NoEvent}
	}
	return a
}

// landingPad bounds the size of a landing pad, in bytes. A kprobe at a function's entry
// is put behind it.
const landingPad = 4

// A blacklist is what kprobes must not probe.
type blacklist struct {
	spans []span
	funcs map[uint64]bool // by NOKPROBE_SYMBOL()
}

func (b *blacklist) at(addr uint64) (by string, ok bool) {
	if s, ok := spanAt(b.spans, addr); ok {
		return s.name, true
	}
	return "NOKPROBE_SYMBOL", b.funcs[addr]
}

func (b *blacklist) add(funcs []uint64) {
	for _, a := range funcs {
		b.funcs[a] = true
	}
}

// blacklist is the kernel's list of addresses, and the parts of the text that the core
// and the architecture add. The function that adds the architecture's is executed.
func (k *Kernel) blacklist() *blacklist {
	im := k.Image
	b := &blacklist{funcs: map[uint64]bool{}}
	if s := spanOf(im, "", "__start_kprobe_blacklist", "__stop_kprobe_blacklist"); s.hi > s.lo {
		if list, err := im.Addresses("kprobes blacklist", s.lo, s.hi); err == nil {
			b.add(list.Values)
		} else {
			k.unknown("kprobes blacklist", "", err)
		}
	}
	b.spans = append(b.spans,
		spanOf(im, ".kprobes.text", "__kprobes_text_start", "__kprobes_text_end"),
		spanOf(im, ".noinstr.text", "__noinstr_text_start", "__noinstr_text_end"))
	const populate, area = "arch_populate_kprobe_blacklist", "kprobe_add_area_blacklist"
	fn, ok := im.Addr(populate)
	if !ok {
		return b
	}
	w := world.New(im)
	w.Hook(func(string) error {
		lo, hi := w.Arg(0), w.Arg(1)
		if lo < hi {
			s := span{"a part of the text", lo, hi}
			for _, q := range append(quiet(im), spanOf(im, ".irqentry.text", "__irqentry_text_start", "__irqentry_text_end")) {
				if q.lo == lo && q.hi == hi {
					s.name = q.name
				}
			}
			b.spans = append(b.spans, s)
		}
		w.SetInt(0)
		return nil
	}, area)
	if _, err := w.Call(fn); err != nil {
		k.unknown(populate+"()", "", err)
	}
	return b
}

// jumpEntry is the size of struct jump_entry: s32 code, s32 target, each from its own
// address, and s64 key.
const jumpEntry = 16

// callSite is the size of struct static_call_site: s32 addr, s32 key, each from its own
// address.
const callSite = 8

// relative are the addresses that the first members of a table's entries refer to,
// each a s32 from its own address. The table lies between two symbols.
func relative(im *elfscan.Image, start, stop string, size uint64) map[uint64]bool {
	s := spanOf(im, "", start, stop)
	if s.hi <= s.lo {
		return nil
	}
	b, _ := im.Bytes(s.lo, int(s.hi-s.lo))
	return targets(b, s.lo, size)
}

// relativeOf is relative of a module's section.
func relativeOf(im *elfscan.Image, section string, size uint64) map[uint64]bool {
	for i := range im.Sections() {
		if s := &im.Sections()[i]; s.Name == section {
			return targets(im.Relocated(s), s.Addr, size)
		}
	}
	return nil
}

func targets(b []byte, addr, size uint64) map[uint64]bool {
	list := map[uint64]bool{}
	for off := uint64(0); off+size <= uint64(len(b)); off += size {
		list[addr+off+uint64(int64(int32(binary.LittleEndian.Uint32(b[off:]))))] = true
	}
	return list
}

// sizeOf is the size of a structure, in bytes; if types do not say, that of the most
// kernels.
func (k *Kernel) sizeOf(name string) uint64 {
	const most = 12
	if k.types == nil {
		return most
	}
	t, err := k.types.Struct(name)
	if err != nil || t.Size < 4 { // an entry begins with 4 bytes that are read
		return most
	}
	return t.Size
}

// patched are the addresses of instructions that the kernel replaces when it boots: those
// of alternatives, and of calls of paravirtual operations.
func (k *Kernel) patched() map[uint64]bool {
	list := relative(k.Image, "__alt_instructions", "__alt_instructions_end", k.sizeOf("alt_instr"))
	s := spanOf(k.Image, "", "__parainstructions", "__parainstructions_end")
	if s.hi <= s.lo {
		return list
	}
	b, _ := k.Image.Bytes(s.lo, int(s.hi-s.lo))
	return withCalls(list, b)
}

// patchedOf is patched of a module.
func (k *Kernel) patchedOf(im *elfscan.Image) map[uint64]bool {
	list := relativeOf(im, ".altinstructions", k.sizeOf("alt_instr"))
	for i := range im.Sections() {
		if s := &im.Sections()[i]; s.Name == ".parainstructions" {
			return withCalls(list, im.Relocated(s))
		}
	}
	return list
}

// withCalls adds to a list the calls of a table of struct paravirt_patch_site: the
// address, then type and length.
func withCalls(list map[uint64]bool, table []byte) map[uint64]bool {
	const site = 16
	if list == nil {
		list = map[uint64]bool{}
	}
	for ; len(table) >= site; table = table[site:] {
		list[binary.LittleEndian.Uint64(table)] = true
	}
	return list
}

// A decoder executes the kernel's decoder of kprobes, once for each first instruction
// that is met.
type decoder struct {
	k      *Kernel
	w      *world.World
	name   string // of what is executed; "" if the image has nothing that is known
	addr   uint64 // where the instruction is put
	call   func() (can bool, err error)
	known  map[string]Answer
	failed Answer // where nothing is executed
}

func newDecoder(k *Kernel) *decoder {
	d := &decoder{k: k, known: map[string]Answer{}}
	if !k.caps.kprobes {
		return d
	}
	const decode, prepare = "arm_kprobe_decode_insn", "arch_prepare_kprobe"
	var err error
	if fn, ok := k.Image.Addr(decode); ok {
		d.begin(decode, 2)
		d.decodes(fn)
	} else if fn, ok = k.Image.Addr(prepare); ok && k.types != nil {
		d.begin(prepare, 2)
		err = d.prepares(fn)
	} else {
		err = &world.Lack{What: "the architecture's decoder is not executed"}
	}
	if err != nil {
		d.name = ""
		d.failed = k.unknown("kprobes at instructions other than callsites", "", err)
	}
	return d
}

// begin makes the world in which the function of that name is executed. The kernel asks
// where in its function an instruction is: it is the first. The argument of that number
// says where the answer goes to.
func (d *decoder) begin(name string, offset int) {
	d.name, d.w = name, world.New(d.k.Image)
	d.w.Hook(func(string) error {
		_ = d.w.Mem.Write64(d.w.Arg(offset), 0) // a bad address is an error of the kernel's
		d.w.SetInt(1)
		return nil
	}, "kallsyms_lookup_size_offset")
}

// decodes has arm64's decoder, at fn, judge instructions.
func (d *decoder) decodes(fn uint64) {
	d.addr = d.w.Object(8)
	specific := d.w.Object(256) // a struct arch_specific_insn
	d.call = func() (bool, error) {
		const rejected = 0 // INSN_REJECTED
		v, err := d.w.Call(fn, d.addr, specific)
		return uint32(v) != rejected, err
	}
}

// prepares has the function at fn, which prepares a kprobe, judge instructions. It copies
// them to a slot, which has to be in reach of what they refer to.
func (d *decoder) prepares(fn uint64) error {
	of, err := d.k.types.Struct("kprobe")
	if err != nil {
		return err
	}
	addr, err := d.k.types.Member(of, "addr")
	if err != nil {
		return err
	}
	d.addr = entry.CallbackPage(d.k.Image)
	slot := d.addr + emu.PageSize/2
	d.w.Mem.Map(d.addr, emu.PageSize, emu.Read|emu.Write)
	d.w.Hook(d.w.Returns(slot), "__get_insn_slot")
	d.w.Hook(d.w.Returns(0), "__free_insn_slot", "perf_event_text_poke")
	probe := d.w.Object(of.Size)
	d.call = func() (bool, error) {
		v, err := d.w.Call(fn, probe)
		return int32(v) == 0, err
	}
	return d.w.Mem.Write64(probe+addr.Offset, d.addr)
}

// decode answers for the instruction at an address of an image.
func (d *decoder) decode(im *elfscan.Image, addr uint64) (a Answer) {
	if d.name == "" {
		return d.failed
	}
	size := im.Arch().MaxInsn
	if in, ok := im.Insn(addr); ok {
		size = int(in.Size)
	}
	key := string(im.Code(addr, size))
	a, ok := d.known[key]
	if ok {
		return a
	}
	defer func() { d.known[key] = a }()
	d.w.Enter()
	err := d.w.Mem.Write(d.addr, append([]byte(key), make([]byte, im.Arch().MaxInsn)...))
	can := false
	if err == nil {
		can, err = d.call()
	}
	switch {
	case err != nil:
		return d.k.unknown(d.name+"()", im.At(addr), err)
	case !can:
		return Answer{Why: Insn}
	}
	return Answer{Why: Can}
}
