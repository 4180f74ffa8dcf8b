package tracing

import (
	"encoding/binary"
	"strings"

	"github.com/ftlint/ftlint/elfscan"
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
		return Answer{Blacklisted, by}
	case strings.HasPrefix(f.Name, "__cfi_"):
		return Answer{Why: CFI}
	case u.labels[f.Addr]:
		return Answer{Why: JumpLabel}
	case u.traps[f.Addr]:
		return Answer{Why: Trap}
	case u.fixups[f.Addr]:
		return Answer{Why: Fixup}
	}
	if f.Ftrace.OK() && k.caps.onFtrace && f.Call-f.Addr <= landingPad {
		return Answer{Why: Can} // by its callsite: no instruction is stepped
	}
	word, _ := u.im.Word(f.Addr)
	a := k.decoder.decode(word)
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
			k.unknown("kprobes blacklist", err)
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
		k.unknown(populate+"()", err)
	}
	return b
}

// jumpEntry is the size of struct jump_entry: s32 code, s32 target, each from its own
// address, and s64 key.
const jumpEntry = 16

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

// A decoder executes the kernel's decoder of kprobes, once for each first instruction
// that is met.
type decoder struct {
	k        *Kernel
	w        *world.World
	fn       uint64
	addr     uint64 // where the instruction is put
	specific uint64 // address of a struct arch_specific_insn
	known    map[uint32]Answer
}

const decoderName = "arm_kprobe_decode_insn"

func newDecoder(k *Kernel) *decoder {
	d := &decoder{k: k, known: map[uint32]Answer{}}
	fn, ok := k.Image.Addr(decoderName)
	if !ok {
		if k.caps.kprobes {
			k.unknown("kprobes at instructions other than callsites", &world.Lack{What: "the architecture's decoder is not executed"})
		}
		return d
	}
	d.fn, d.w = fn, world.New(k.Image)
	d.w.Hook(func(string) error { // the instruction is a function's first
		_ = d.w.M.Write64(d.w.Arg(2), 0) // a bad address is an error of the kernel's
		d.w.SetInt(1)
		return nil
	}, "kallsyms_lookup_size_offset")
	d.addr, d.specific = d.w.Object(8), d.w.Object(256)
	return d
}

func (d *decoder) decode(word uint32) (a Answer) {
	if d.fn == 0 {
		return Answer{}
	}
	a, ok := d.known[word]
	if ok {
		return a
	}
	defer func() { d.known[word] = a }()
	if err := d.w.M.Write32(d.addr, word); err != nil {
		d.k.unknown(decoderName+"()", err)
		return Answer{}
	}
	d.w.Enter()
	const rejected = 0 // INSN_REJECTED
	switch v, err := d.w.Call(d.fn, d.addr, d.specific); {
	case err != nil:
		d.k.unknown(decoderName+"()", err)
		return Answer{}
	case uint32(v) == rejected:
		return Answer{Why: Insn}
	}
	return Answer{Why: Can}
}
