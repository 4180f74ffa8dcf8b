package builder

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/ftlint/ftlint/elfscan"
)

// A btf is the kernel's own description of its types, section .BTF
// (Documentation/bpf/btf.rst). What does not parse counts as not there.
type btf struct {
	types   []byte
	strings []byte
	at      []uint32 // where each type begins in types, by type ID; ID 0 is void
}

// Kinds of types.
const (
	btfInt       = 1
	btfArray     = 3
	btfStruct    = 4
	btfUnion     = 5
	btfEnum      = 6
	btfTypedef   = 8
	btfVolatile  = 9
	btfConst     = 10
	btfRestrict  = 11
	btfFuncProto = 13
	btfVar       = 14
	btfDatasec   = 15
	btfDeclTag   = 17
	btfTypeTag   = 18
	btfEnum64    = 19
)

// btfOf reads the image's .BTF; it is nil if there is none.
func btfOf(im *elfscan.Image) *btf {
	for _, s := range im.Sections() {
		if s.Name != ".BTF" {
			continue
		}
		if b, ok := im.Bytes(s.Addr, int(s.Size)); ok {
			return parseBTF(b)
		}
	}
	return nil
}

func parseBTF(b []byte) *btf {
	le := binary.LittleEndian
	if len(b) < 24 || le.Uint16(b) != 0xeb9f || b[2] != 1 {
		return nil
	}
	header, data := uint64(le.Uint32(b[4:])), uint64(len(b))
	part := func(at int) []byte {
		lo := header + uint64(le.Uint32(b[at:]))
		hi := lo + uint64(le.Uint32(b[at+4:]))
		if hi > data {
			return nil
		}
		return b[lo:hi]
	}
	t := &btf{types: part(8), strings: part(16)}
	t.at = make([]uint32, 1, len(t.types)/24+1)
	for off := uint64(0); off < uint64(len(t.types)); {
		if off+12 > uint64(len(t.types)) {
			return nil
		}
		t.at = append(t.at, uint32(off))
		info := le.Uint32(t.types[off+4:])
		n := uint64(info & 0xffff)
		off += 12
		switch info >> 24 & 31 {
		case btfInt, btfVar, btfDeclTag:
			off += 4
		case btfArray:
			off += 12
		case btfStruct, btfUnion, btfDatasec, btfEnum64:
			off += 12 * n
		case btfEnum, btfFuncProto:
			off += 8 * n
		}
		if off > uint64(len(t.types)) {
			return nil
		}
	}
	return t
}

// A btfType is one type, taken apart.
type btfType struct {
	name uint32
	kind uint32
	n    int    // members
	flag bool   // members tell the size of bit fields
	size uint32 // in bytes, or the type that is referred to
	rest []byte // what follows
}

func (t *btf) typ(id uint32) (btfType, bool) {
	if id == 0 || int(id) >= len(t.at) {
		return btfType{}, false
	}
	le := binary.LittleEndian
	b := t.types[t.at[id]:]
	info := le.Uint32(b[4:])
	return btfType{le.Uint32(b), info >> 24 & 31, int(info & 0xffff), info>>31 == 1, le.Uint32(b[8:]), b[12:]}, true
}

// plain is the type behind typedefs and qualifiers.
func (t *btf) plain(id uint32) (btfType, bool) {
	for range 16 {
		ty, ok := t.typ(id)
		if !ok {
			return ty, false
		}
		switch ty.kind {
		case btfTypedef, btfVolatile, btfConst, btfRestrict, btfTypeTag:
			id = ty.size
		default:
			return ty, true
		}
	}
	return btfType{}, false
}

// named is the offset of a string, which all uses of it share.
func (t *btf) named(name string) (uint32, bool) {
	i := bytes.Index(t.strings, []byte("\x00"+name+"\x00"))
	return uint32(i + 1), i >= 0
}

// is tells whether the string at off is name.
func (t *btf) is(off uint32, name string) bool {
	return uint64(off)+uint64(len(name)) < uint64(len(t.strings)) &&
		string(t.strings[off:int(off)+len(name)]) == name && t.strings[int(off)+len(name)] == 0
}

// structure is the structure called name.
func (t *btf) structure(name string) (btfType, bool) {
	off, ok := t.named(name)
	for id := uint32(1); ok && int(id) < len(t.at); id++ {
		b := t.types[t.at[id]:]
		if binary.LittleEndian.Uint32(b) == off && b[7]&31 == btfStruct {
			return t.typ(id)
		}
	}
	return btfType{}, false
}

// enumerator is the value of one, of any enum.
func (t *btf) enumerator(name string) (uint32, bool) {
	off, ok := t.named(name)
	for id := uint32(1); ok && int(id) < len(t.at); id++ {
		ty, _ := t.typ(id)
		for i := 0; ty.kind == btfEnum && i < ty.n; i++ {
			if b := ty.rest[8*i:]; binary.LittleEndian.Uint32(b) == off {
				return binary.LittleEndian.Uint32(b[4:]), true
			}
		}
	}
	return 0, false
}

// offset is where a member lies in a structure, in bytes. The path goes
// through members that are structures: "arch.ftrace_trampolines".
func (t *btf) offset(in btfType, path string) (uint64, bool) { return t.inside(in, path, 0) }

func (t *btf) inside(in btfType, path string, depth int) (uint64, bool) {
	if depth > 8 { // no C structure contains itself, but a bad file may say so
		return 0, false
	}
	name, rest, deeper := strings.Cut(path, ".")
	for i := range in.n {
		le := binary.LittleEndian
		b := in.rest[12*i:]
		bits := uint64(le.Uint32(b[8:]))
		if in.flag {
			bits &= 0xffffff
		}
		inner, ok := t.plain(le.Uint32(b[4:]))
		composite := ok && (inner.kind == btfStruct || inner.kind == btfUnion)
		switch {
		case !t.is(le.Uint32(b), name):
			if le.Uint32(b) == 0 && composite { // anonymous
				if off, ok := t.inside(inner, path, depth+1); ok {
					return bits/8 + off, true
				}
			}
			continue
		case !deeper:
			return bits / 8, true
		}
		if ok && inner.kind == btfArray { // of its first element
			inner, ok = t.plain(le.Uint32(inner.rest))
		}
		if !ok || inner.kind != btfStruct && inner.kind != btfUnion {
			return 0, false
		}
		off, ok := t.inside(inner, rest, depth+1)
		return bits/8 + off, ok
	}
	return 0, false
}

// Types is what the checks need to know of the kernel's structures. Offsets
// and sizes are in bytes.
type Types struct {
	directCall    uint64 // of direct_call in struct ftrace_ops
	hasDirectCall bool
	Module        ModuleLayout
	HasModule     bool // Module is known
}

// A ModuleLayout says where struct module has what ftrace's functions read
// of a module.
type ModuleLayout struct {
	Size               uint64 // of struct module
	PLT, InitPLT       uint64 // the PLTs for ftrace: of text and of init text
	HasInitPLT         bool
	TextBase, TextSize uint64 // where the module's text is
	InitBase, InitSize uint64
	PLTSize            uint64 // of one PLT
}

// ReadTypes reads the image's BTF. Without one nothing is known, but for what
// DWARF tells of struct module if that may be read.
func ReadTypes(im *elfscan.Image, dwarf bool) *Types {
	types := &Types{}
	t := btfOf(im)
	if t == nil {
		if dwarf {
			types.Module, types.HasModule = layoutFromDWARF(im)
		}
		return types
	}
	if ops, ok := t.structure("ftrace_ops"); ok {
		off, ok := t.offset(ops, "direct_call")
		types.directCall, types.hasDirectCall = off, ok && off+8 <= opsSize
	}
	l, ok := t.module()
	types.Module, types.HasModule = l, ok && l.plausible()
	return types
}

// plausible tells whether the members lie in the structure, and that is of a
// size that it can have.
func (l *ModuleLayout) plausible() bool {
	ok := l.Size <= 32<<10 && l.PLTSize > 0 && l.PLTSize <= 64
	for _, off := range []uint64{l.PLT, l.InitPLT, l.TextBase, l.TextSize, l.InitBase, l.InitSize} {
		ok = ok && off+8 <= l.Size
	}
	return ok
}

// module is the layout of struct module, if the kernel has PLTs for ftrace.
func (t *btf) module() (l ModuleLayout, ok bool) {
	mod, ok1 := t.structure("module")
	plt, ok2 := t.structure("plt_entry")
	if !ok1 || !ok2 {
		return l, false
	}
	l.Size, l.PLTSize = uint64(mod.size), uint64(plt.size)
	if l.PLT, ok = t.offset(mod, "arch.ftrace_trampolines"); !ok {
		return l, false
	}
	if off, ok := t.offset(mod, "arch.init_ftrace_trampolines"); ok {
		l.InitPLT, l.HasInitPLT = off, true
	}
	member := func(path string) uint64 {
		off, found := t.offset(mod, path)
		ok = ok && found
		return off
	}
	if _, modern := t.offset(mod, "mem"); !modern { // up to 6.3
		l.TextBase, l.TextSize = member("core_layout.base"), member("core_layout.text_size")
		l.InitBase, l.InitSize = member("init_layout.base"), member("init_layout.text_size")
		return l, ok
	}
	l.TextBase, l.TextSize = member("mem.base"), member("mem.size") // of MOD_TEXT, the first
	mem, found := t.structure("module_memory")
	init, found2 := t.enumerator("MOD_INIT_TEXT")
	l.InitBase = l.TextBase + uint64(init)*uint64(mem.size)
	l.InitSize = l.TextSize + uint64(init)*uint64(mem.size)
	return l, ok && found && found2
}
