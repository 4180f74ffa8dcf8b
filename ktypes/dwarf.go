package ktypes

import (
	"debug/dwarf"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"sync"

	"github.com/ftlint/ftlint/elfscan"
)

// A unit is the DWARF of one compile unit. A ref is the offset of an entry in
// it.
type unit struct {
	data  *dwarf.Data
	where string
	names func() (unitNames, error)
}

// unitNames are the entries of a unit by their names. Structures that are only
// declared are left out.
type unitNames struct {
	structures, functions map[string]ref
	enumerators           map[string]int64
}

// FromDWARF reads the types from the compile unit that covers addr. Both results
// are nil if no unit covers addr, or if the image has no .debug_info. FromDWARF
// reads the whole unit, which takes time.
func FromDWARF(im *elfscan.Image, addr uint64) (*Types, error) {
	d, err := im.CompileUnit(addr)
	if err != nil && !errors.Is(err, elfscan.ErrNoDebugInfo) {
		return nil, &DamagedError{"", err.Error()}
	}
	if d == nil {
		return nil, nil
	}
	u := &unit{data: d, where: fmt.Sprintf("the unit of .debug_info that covers %#x", addr)}
	u.names = sync.OnceValues(u.index)
	return &Types{u.where, u}, nil
}

// guard makes a panic of debug/dwarf, which damage may cause, an error. Use it as
// defer u.guard(&err)().
func (u *unit) guard(err *error) func() {
	undo := elfscan.Guard()
	return func() {
		undo()
		if r := recover(); r != nil {
			*err = &DamagedError{u.where, fmt.Sprint(r)}
		}
	}
}

func (u *unit) damaged(e *dwarf.Entry, format string, args ...any) error {
	return &DamagedError{fmt.Sprintf("%s, entry at %#x", u.where, e.Offset), fmt.Sprintf(format, args...)}
}

// entry is the entry at off, and a reader that reads on behind it.
func (u *unit) entry(off ref) (*dwarf.Reader, *dwarf.Entry, error) {
	r := u.data.Reader()
	r.Seek(dwarf.Offset(off))
	e, err := r.Next()
	if err == nil && e == nil {
		err = fmt.Errorf("it ends before the entry at %#x", off)
	}
	if err != nil {
		return nil, nil, &DamagedError{u.where, err.Error()}
	}
	return r, e, nil
}

// children calls do for the children of the entry at off.
func (u *unit) children(off ref, do func(e *dwarf.Entry) error) error {
	r, parent, err := u.entry(off)
	if err != nil || !parent.Children {
		return err
	}
	for {
		e, err := r.Next()
		if err != nil {
			return &DamagedError{u.where, err.Error()}
		}
		if e == nil || e.Tag == 0 {
			return nil
		}
		if err := do(e); err != nil {
			return err
		}
		skipChildren(r, e)
	}
}

// skipChildren has r, which has read e, go on behind e's children. The method of
// debug/dwarf would call itself for each level of children, of which a bad file
// can have any number.
func skipChildren(r *dwarf.Reader, e *dwarf.Entry) {
	if !e.Children {
		return
	}
	if next, ok := e.Val(dwarf.AttrSibling).(dwarf.Offset); ok && next > e.Offset {
		r.Seek(next)
		return
	}
	for depth := 1; depth > 0; {
		e, err := r.Next()
		switch {
		case err != nil || e == nil: // the reader repeats an error at the next call
			return
		case e.Tag == 0:
			depth--
		case e.Children:
			depth++
		}
	}
}

// index reads the entries right below the unit's own, and the enumerators below
// them.
func (u *unit) index() (names unitNames, err error) {
	defer u.guard(&err)()
	names = unitNames{map[string]ref{}, map[string]ref{}, map[string]int64{}}
	r, _, err := u.entry(0)
	if err != nil {
		return names, err
	}
	for enum := false; ; {
		e, err := r.Next()
		if err != nil {
			return names, &DamagedError{u.where, err.Error()}
		}
		switch {
		case e == nil || e.Tag == 0 && !enum:
			return names, nil
		case e.Tag == 0:
			enum = false
		case e.Tag == dwarf.TagEnumerationType && !enum:
			enum = e.Children
		default:
			if err := u.add(names, e); err != nil {
				return names, err
			}
			skipChildren(r, e)
		}
	}
}

// add adds the entry to names, if it has a name and is one that names has.
func (u *unit) add(names unitNames, e *dwarf.Entry) error {
	name, err := u.name(e)
	if err != nil || name == "" {
		return err
	}
	is := func(a dwarf.Attr) bool { v, _ := e.Val(a).(bool); return v }
	into := names.structures
	switch {
	case e.Tag == dwarf.TagEnumerator:
		if v, ok := e.Val(dwarf.AttrConstValue).(int64); ok {
			names.enumerators[name] = v
		}
		return nil
	case e.Tag == dwarf.TagStructType && !is(dwarf.AttrDeclaration):
	case e.Tag == dwarf.TagSubprogram && is(dwarf.AttrPrototyped): // GCC 10 declares functions without their parameters where they are only called
		into = names.functions
	default:
		return nil
	}
	if _, ok := into[name]; !ok {
		into[name] = ref(e.Offset)
	}
	return nil
}

// name is the entry's name, "" if it has none.
func (u *unit) name(e *dwarf.Entry) (string, error) {
	name, _ := e.Val(dwarf.AttrName).(string)
	if len(name) > maxName {
		return "", u.damaged(e, "its name has %d bytes, at most %d are expected", len(name), maxName)
	}
	return name, nil
}

func (u *unit) structure(name string) (ref, bool, error) {
	names, err := u.names()
	of, ok := names.structures[name]
	return of, ok, err
}

func (u *unit) enumerator(name string) (int64, bool, error) {
	names, err := u.names()
	v, ok := names.enumerators[name]
	return v, ok, err
}

func (u *unit) function(name string) (ref, bool, error) {
	names, err := u.names()
	of, ok := names.functions[name]
	return of, ok, err
}

func (u *unit) params(of ref) (list []param, variadic bool, err error) {
	defer u.guard(&err)()
	err = u.children(of, func(e *dwarf.Entry) error {
		switch e.Tag {
		case dwarf.TagFormalParameter:
			name, err := u.name(e)
			list = append(list, param{name, target(e)})
			if err == nil && len(list) > maxMembers {
				err = u.damaged(e, "a function has more than %d parameters", maxMembers)
			}
			return err
		case dwarf.TagUnspecifiedParameters:
			variadic = true
		}
		return nil
	})
	return list, variadic, err
}

// target is the type that the entry refers to.
func target(e *dwarf.Entry) ref {
	off, _ := e.Val(dwarf.AttrType).(dwarf.Offset)
	return ref(off)
}

// Encodings of base types (DWARF 5, 7.8).
const (
	encFloat      = 4
	encSigned     = 5
	encSignedChar = 6
)

func (u *unit) typ(of ref) (ty Type, err error) {
	defer u.guard(&err)()
	id := of
	for range maxChain {
		if id == 0 {
			return Type{}, nil
		}
		_, e, err := u.entry(id)
		if err != nil {
			return Type{}, err
		}
		size, _ := e.Val(dwarf.AttrByteSize).(int64)
		ty := Type{Size: uint64(size), id: id, of: target(e)}
		if ty.Name, err = u.name(e); err != nil {
			return ty, err
		}
		switch e.Tag {
		case dwarf.TagTypedef, dwarf.TagVolatileType, dwarf.TagConstType, dwarf.TagRestrictType, dwarf.TagAtomicType:
			id = ty.of
			continue
		case dwarf.TagBaseType:
			encoding, _ := e.Val(dwarf.AttrEncoding).(int64)
			ty.Kind, ty.Signed = Int, encoding == encSigned || encoding == encSignedChar
			if encoding == encFloat {
				ty.Kind = Float
			}
		case dwarf.TagPointerType:
			ty.Kind, ty.Size = Pointer, pointerSize
		case dwarf.TagArrayType:
			ty.Kind = Array
			ty.Count, err = u.count(id)
		case dwarf.TagStructType:
			ty.Kind = Struct
		case dwarf.TagUnionType:
			ty.Kind = Union
		case dwarf.TagEnumerationType:
			ty.Kind = Enum
			if _, base, e := u.entry(ty.of); ty.of != 0 && e == nil {
				encoding, _ := base.Val(dwarf.AttrEncoding).(int64)
				ty.Signed = encoding == encSigned
			}
		case dwarf.TagSubroutineType, dwarf.TagSubprogram:
			ty.Kind = Function
		default:
			return ty, u.damaged(e, "%v, where a type of C is expected", e.Tag)
		}
		return ty, err
	}
	return Type{}, &DamagedError{u.where, fmt.Sprintf("the type at %#x has more than %d typedefs and qualifiers", of, maxChain)}
}

// count is the number of elements of an array, of all its dimensions; 0 if its
// length is not known.
func (u *unit) count(array ref) (uint64, error) {
	n, dims := uint64(1), 0
	err := u.children(array, func(e *dwarf.Entry) error {
		if e.Tag != dwarf.TagSubrangeType {
			return nil
		}
		size, ok := e.Val(dwarf.AttrCount).(int64)
		if last, has := e.Val(dwarf.AttrUpperBound).(int64); !ok && has {
			size = last + 1
		}
		hi, lo := bits.Mul64(n, uint64(size))
		if hi != 0 {
			return u.damaged(e, "an array has more than 2^64 elements")
		}
		n, dims = lo, dims+1
		return nil
	})
	if dims == 0 {
		return 0, err
	}
	return n, err
}

func (u *unit) members(of ref) iter.Seq2[member, error] {
	return func(yield func(member, error) bool) {
		list, err := u.readMembers(of)
		for _, m := range list {
			if !yield(m, nil) {
				return
			}
		}
		if err != nil {
			yield(member{}, err)
		}
	}
}

func (u *unit) readMembers(of ref) (list []member, err error) {
	defer u.guard(&err)()
	err = u.children(of, func(e *dwarf.Entry) error {
		if e.Tag != dwarf.TagMember {
			return nil
		}
		if len(list) >= maxMembers {
			return u.damaged(e, "a structure has more than %d members", maxMembers)
		}
		name, err := u.name(e)
		if err != nil {
			return err
		}
		m := member{name: name, of: target(e)}
		switch at := e.Val(dwarf.AttrDataMemberLoc).(type) {
		case nil: // of a union, or a bit field of DWARF 4 and later
		case int64:
			m.at = uint64(at) * 8
		default:
			return u.damaged(e, "member %s is at %v, where a number is expected", name, at)
		}
		if n, ok := e.Val(dwarf.AttrBitSize).(int64); ok {
			m.bits = uint32(n)
			if at, ok := e.Val(dwarf.AttrDataBitOffset).(int64); ok {
				m.at = uint64(at)
			} else if at, ok := e.Val(dwarf.AttrBitOffset).(int64); ok { // from the most significant bit of its word (DWARF 3, 5.6.6)
				size, ok := e.Val(dwarf.AttrByteSize).(int64)
				if !ok {
					ty, err := u.typ(m.of)
					if err != nil {
						return err
					}
					size = int64(ty.Size)
				}
				m.at += uint64(size*8 - at - n)
			}
		}
		list = append(list, m)
		return nil
	})
	return list, err
}
