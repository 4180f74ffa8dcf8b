package ktypes

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/ftlint/ftlint/elfscan"
)

// A btf is the kernel's own description of its types, section .BTF
// (Documentation/bpf/btf.rst).
type btf struct {
	types   []byte
	strings []byte
	at      []uint32 // offset of each type in types, by type ID; ID 0 is void
	base    *btf     // of a module's: the kernel's, whose types and strings come first
}

// Kinds of types.
const (
	btfInt       = 1
	btfPtr       = 2
	btfArray     = 3
	btfStruct    = 4
	btfUnion     = 5
	btfEnum      = 6
	btfFwd       = 7
	btfTypedef   = 8
	btfVolatile  = 9
	btfConst     = 10
	btfRestrict  = 11
	btfFunc      = 12
	btfFuncProto = 13
	btfVar       = 14
	btfDatasec   = 15
	btfFloat     = 16
	btfDeclTag   = 17
	btfTypeTag   = 18
	btfEnum64    = 19
)

const btfName = ".BTF"

// FromBTF reads the types from the image's section .BTF, once for an image. Both
// results are nil if the image has no such section. Errors are of type
// *DamagedError.
func FromBTF(im *elfscan.Image) (*Types, error) {
	type key struct{}
	type result struct {
		types *Types
		err   error
	}
	r := im.Derived(key{}, func() any {
		types, err := readBTF(im)
		return result{types, err}
	}).(result)
	return r.types, r.err
}

func readBTF(im *elfscan.Image) (*Types, error) {
	for _, s := range im.Sections() {
		if s.Name != btfName {
			continue
		}
		data, ok := im.Bytes(s.Addr, int(s.Size))
		if !ok {
			return nil, &DamagedError{btfName, fmt.Sprintf("the file does not have the %d bytes of the section at %#x", s.Size, s.Addr)}
		}
		b, err := parseBTF(data)
		if err != nil {
			return nil, err
		}
		return &Types{btfName, b}, nil
	}
	return nil, nil
}

// parseBTF finds where each type begins, and checks that each lies in the section.
// Later reads rely on that.
func parseBTF(data []byte) (*btf, error) { return parseSplit(data, nil) }

// parseSplit is parseBTF of a module's BTF, whose types and strings come behind those of
// the kernel.
func parseSplit(data []byte, base *btf) (*btf, error) {
	damaged := func(format string, args ...any) (*btf, error) {
		return nil, &DamagedError{btfName, fmt.Sprintf(format, args...)}
	}
	le := binary.LittleEndian
	if len(data) < 24 {
		return damaged("it has %d bytes, its header has 24", len(data))
	}
	if magic, version := le.Uint16(data), data[2]; magic != 0xeb9f || version != 1 {
		return damaged("it begins with %#x and version %d, not with 0xeb9f and 1", magic, version)
	}
	part := func(at int) []byte {
		lo := uint64(le.Uint32(data[4:])) + uint64(le.Uint32(data[at:]))
		hi := lo + uint64(le.Uint32(data[at+4:]))
		if hi > uint64(len(data)) {
			return nil
		}
		return data[lo:hi]
	}
	b := &btf{types: part(8), strings: part(16), base: base}
	n := len(b.strings)
	if b.types == nil || base == nil && (n == 0 || b.strings[0] != 0) || n > 0 && b.strings[n-1] != 0 {
		return damaged("its types or its strings do not lie in its %#x bytes, or the strings do not begin and end with 0", len(data))
	}
	b.at = make([]uint32, 1, len(b.types)/24+1)
	for off := uint64(0); off < uint64(len(b.types)); {
		if off+12 > uint64(len(b.types)) {
			return damaged("type %d at %#x is cut off", len(b.at), off)
		}
		info := le.Uint32(b.types[off+4:])
		n, kind := uint64(info&0xffff), info>>24&31
		size := uint64(12)
		switch kind {
		case btfInt, btfVar, btfDeclTag:
			size += 4
		case btfArray:
			size += 12
		case btfStruct, btfUnion, btfDatasec, btfEnum64:
			size += 12 * n
		case btfEnum, btfFuncProto:
			size += 8 * n
		case btfPtr, btfFwd, btfTypedef, btfVolatile, btfConst, btfRestrict, btfFunc, btfFloat, btfTypeTag:
		default:
			return damaged("type %d at %#x is of kind %d, the kinds are 1 to %d", len(b.at), off, kind, btfEnum64)
		}
		if size > uint64(len(b.types))-off {
			return damaged("type %d at %#x has %#x bytes, %#x are left", len(b.at), off, size, uint64(len(b.types))-off)
		}
		b.at = append(b.at, uint32(off))
		off += size
	}
	return b, nil
}

// A record is one type as the section has it.
type record struct {
	name uint32 // offset of a string
	kind uint32
	n    int    // members, enumerators or parameters
	flag bool   // of structures: offsets of members hold sizes of bit fields; of enums: signed
	size uint32 // in bytes, or the type that is referred to
	rest []byte // what follows
}

func (b *btf) record(id ref) (record, error) {
	if b.base != nil {
		if id < b.first() {
			return b.base.record(id)
		}
		id -= b.first() - 1
	}
	if id == 0 || int64(id) >= int64(len(b.at)) {
		return record{}, &DamagedError{btfName, fmt.Sprintf("a type refers to type %d, the types are 1 to %d", id, len(b.at)-1)}
	}
	le := binary.LittleEndian
	t := b.types[b.at[id]:]
	info := le.Uint32(t[4:])
	return record{le.Uint32(t), info >> 24 & 31, int(info & 0xffff), info>>31 == 1, le.Uint32(t[8:]), t[12:]}, nil
}

// string is the string at off.
func (b *btf) string(off uint32) (string, error) {
	if b.base != nil {
		if int64(off) < int64(len(b.base.strings)) {
			return b.base.string(off)
		}
		off -= uint32(len(b.base.strings))
	}
	if int64(off) >= int64(len(b.strings)) {
		return "", &DamagedError{btfName, fmt.Sprintf("a name is at %#x of %#x bytes of strings", off, len(b.strings))}
	}
	s := b.strings[off:]
	s = s[:min(len(s), maxName+1)]
	end := bytes.IndexByte(s, 0) // the last of all is 0
	if end < 0 {
		return "", &DamagedError{btfName, fmt.Sprintf("the name at %#x of the strings has more than %d bytes", off, maxName)}
	}
	return string(s[:end]), nil
}

// named is the offset of a string. All uses of a string have the same offset.
func (b *btf) named(name string) (uint32, bool) {
	if name == "" {
		return 0, false
	}
	// A string's own first letters are rarer than the byte 0 before it.
	want := []byte(name + "\x00")
	for from := 0; ; {
		i := bytes.Index(b.strings[from:], want)
		if i < 0 {
			return 0, false
		}
		if from += i; from == 0 || b.strings[from-1] == 0 {
			return uint32(from), true
		}
		from++
	}
}

func (b *btf) structure(name string) (ref, bool, error) {
	off, ok := b.named(name)
	for id := 1; ok && id < len(b.at); id++ {
		t := b.types[b.at[id]:]
		if binary.LittleEndian.Uint32(t) == off && t[7]&31 == btfStruct {
			return ref(id), true, nil
		}
	}
	return 0, false, nil
}

func (b *btf) enumerator(name string) (int64, bool, error) {
	le := binary.LittleEndian
	off, ok := b.named(name)
	for id := 1; ok && id < len(b.at); id++ {
		kind := uint32(b.types[b.at[id]+7] & 31)
		if kind != btfEnum && kind != btfEnum64 {
			continue
		}
		r, err := b.record(ref(id))
		if err != nil {
			return 0, false, err
		}
		step := 8
		if kind == btfEnum64 {
			step = 12
		}
		for v := r.rest[:r.n*step]; len(v) > 0; v = v[step:] {
			switch {
			case le.Uint32(v) != off:
			case kind == btfEnum64:
				return int64(le.Uint64(v[4:])), true, nil
			case r.flag:
				return int64(int32(le.Uint32(v[4:]))), true, nil
			default:
				return int64(le.Uint32(v[4:])), true, nil
			}
		}
	}
	return 0, false, nil
}

func (b *btf) function(name string) (ref, bool, error) {
	off, ok := b.named(name)
	for id := 1; ok && id < len(b.at); id++ {
		t := b.types[b.at[id]:]
		if binary.LittleEndian.Uint32(t) == off && t[7]&31 == btfFunc {
			return ref(binary.LittleEndian.Uint32(t[8:])), true, nil
		}
	}
	return 0, false, nil
}

func (b *btf) params(of ref) (list []param, variadic bool, err error) {
	r, err := b.record(of)
	if err != nil {
		return nil, false, err
	}
	if r.kind != btfFuncProto {
		return nil, false, &DamagedError{btfName, fmt.Sprintf("a function refers to type %d, which is of kind %d and not a prototype (%d)", of, r.kind, btfFuncProto)}
	}
	le := binary.LittleEndian
	for i := range r.n {
		off, id := le.Uint32(r.rest[8*i:]), ref(le.Uint32(r.rest[8*i+4:]))
		if i == r.n-1 && off == 0 && id == 0 {
			return list, true, nil
		}
		name, err := b.string(off)
		if err != nil {
			return nil, false, err
		}
		list = append(list, param{name, id})
	}
	return list, false, nil
}

// typ is the type behind typedefs and qualifiers.
func (b *btf) typ(of ref) (Type, error) {
	le := binary.LittleEndian
	id := of
	for range maxChain {
		if id == 0 {
			return Type{}, nil
		}
		r, err := b.record(id)
		if err != nil {
			return Type{}, err
		}
		ty := Type{id: id}
		switch r.kind {
		case btfTypedef, btfVolatile, btfConst, btfRestrict, btfTypeTag:
			id = ref(r.size)
			continue
		case btfInt:
			ty.Kind, ty.Size, ty.Signed = Int, uint64(r.size), le.Uint32(r.rest)>>24&1 == 1
		case btfFloat:
			ty.Kind, ty.Size = Float, uint64(r.size)
		case btfPtr:
			ty.Kind, ty.Size, ty.of = Pointer, pointerSize, ref(r.size)
		case btfArray:
			ty.Kind, ty.of, ty.Count = Array, ref(le.Uint32(r.rest)), uint64(le.Uint32(r.rest[8:]))
		case btfStruct:
			ty.Kind, ty.Size = Struct, uint64(r.size)
		case btfUnion:
			ty.Kind, ty.Size = Union, uint64(r.size)
		case btfEnum, btfEnum64:
			ty.Kind, ty.Size, ty.Signed = Enum, uint64(r.size), r.flag
		case btfFwd: // a structure or union that is only declared
			ty.Kind = Struct
			if r.flag {
				ty.Kind = Union
			}
		case btfFuncProto:
			ty.Kind, ty.of = Function, ref(r.size)
		default:
			return ty, &DamagedError{btfName, fmt.Sprintf("a type refers to type %d, which is of kind %d and not a type of C", id, r.kind)}
		}
		ty.Name, err = b.string(r.name)
		return ty, err
	}
	return Type{}, &DamagedError{btfName, fmt.Sprintf("type %d has more than %d typedefs and qualifiers", of, maxChain)}
}

const pointerSize = 8 // bytes, arm64

func (b *btf) members(of ref) iter.Seq2[member, error] {
	return func(yield func(member, error) bool) {
		r, err := b.record(of)
		if err != nil {
			yield(member{}, err)
			return
		}
		if r.kind != btfStruct && r.kind != btfUnion { // only declared
			return
		}
		le := binary.LittleEndian
		for i := range r.n {
			raw := r.rest[12*i:]
			at := le.Uint32(raw[8:])
			m := member{at: uint64(at), of: ref(le.Uint32(raw[4:]))}
			if r.flag {
				m.at, m.bits = uint64(at&0xffffff), at>>24
			}
			m.name, err = b.string(le.Uint32(raw))
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// A Func is a function that BTF describes.
type Func struct {
	Name  string
	ID    uint32 // the number of its type
	Proto uint32 // the number of its prototype; functions with one number have one prototype
	in    *btf
}

// Prototype is the prototype of the function.
func (f Func) Prototype() (Prototype, error) {
	return (&Types{btfName, f.in}).prototype(ref(f.Proto))
}

// Functions are the functions that BTF describes, by number; none if the types are
// those of DWARF.
func (t *Types) Functions() []Func {
	b, ok := t.from.(*btf)
	if !ok {
		return nil
	}
	return b.list()
}

// ModuleFunctions are the functions that the BTF of a module describes. It refers to
// the types of the kernel. The module may have no BTF. The number of a function is 0 if
// only the running kernel knows it.
func ModuleFunctions(im *elfscan.Image, kernel *Types) ([]Func, error) {
	data := im.FileSection(btfName)
	base, ok := kernel.from.(*btf)
	if data == nil || !ok {
		return nil, nil
	}
	// A module that is built outside the kernel's tree brings what it needs of the
	// kernel's types. Their numbers are then others than in the running kernel.
	own := im.FileSection(".BTF.base")
	var err error
	if own != nil {
		if base, err = parseBTF(own); err != nil {
			return nil, err
		}
	}
	b, err := parseSplit(data, base)
	if err != nil {
		return nil, err
	}
	list := b.list()
	for i := range list {
		if own != nil {
			list[i].ID = 0
		}
	}
	return list, nil
}

func (b *btf) list() (list []Func) {
	for i := 1; i < len(b.at); i++ {
		if b.types[b.at[i]+7]&31 != btfFunc {
			continue
		}
		id := b.first() + ref(i) - 1
		r, _ := b.record(id)
		if name, err := b.string(r.name); err == nil {
			list = append(list, Func{name, uint32(id), r.size, b})
		}
	}
	return list
}

// first is the number of the first type.
func (b *btf) first() ref {
	if b.base != nil {
		return ref(len(b.base.at))
	}
	return 1
}
