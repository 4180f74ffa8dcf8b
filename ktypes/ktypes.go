// Package ktypes reads the C types of a kernel out of its image: where members
// of structures lie, the values of enumerators, the prototypes of functions.
// It reads them from section .BTF or, where a kernel has none, from the DWARF
// of one compile unit.
package ktypes

import (
	"fmt"
	"iter"
	"math/bits"
	"strings"

	"github.com/ftlint/ftlint/elfscan"
)

// Types are the types of one kernel. A type is read when it is first asked for;
// before, only an index is. The methods may be called from any number of
// goroutines.
type Types struct {
	Where string // the place that describes them: ".BTF", or the unit of .debug_info
	from  source
}

// A source describes types: BTF or a unit of DWARF. A ref names a type in it,
// and 0 is void.
type source interface {
	structure(name string) (of ref, ok bool, err error) // a complete one
	enumerator(name string) (v int64, ok bool, err error)
	function(name string) (of ref, ok bool, err error)
	typ(of ref) (Type, error) // behind typedefs and qualifiers; an array has no Size yet
	members(of ref) iter.Seq2[member, error]
	params(of ref) (list []param, variadic bool, err error)
}

type ref uint32

// A member is a member of a structure or union as a source describes it.
type member struct {
	name string
	at   uint64 // in bits
	bits uint32 // of a bit field; 0 if the member is not one
	of   ref
}

type param struct {
	name string
	of   ref
}

// A Kind is a kind of type.
type Kind uint8

// Kinds of types.
const (
	Void Kind = iota
	Int       // bool and char among them
	Float
	Pointer
	Array
	Struct
	Union
	Enum
	Function
)

// A Type is one type, without the typedefs and qualifiers that name it.
type Type struct {
	Kind   Kind
	Name   string // of a structure, union or enum the tag; "" if it has none
	Size   uint64 // in bytes; 0 for void, functions, and what is only declared
	Signed bool   // of Int and Enum
	Count  uint64 // of elements of an Array

	id ref // of the type itself
	of ref // the type that it points to, is an array of, or returns
}

// A Member is a member of a structure or union.
type Member struct {
	Name   string
	Offset uint64 // of its first byte, from the start of the structure, in bytes
	Bit    uint64 // of a bit field: its first bit in that byte
	Bits   uint64 // of a bit field: its size; 0 if the member is not one
	Type   Type
}

// A Prototype is how a function is called.
type Prototype struct {
	Params   []Param
	Variadic bool
	Result   Type
}

// A Param is a parameter of a function; Name may be "".
type Param struct {
	Name string
	Type Type
}

// A NotDescribedError says that the type information does not describe a type,
// member or function that was asked for.
type NotDescribedError struct {
	What  string // "struct ftrace_ops"; "" if there are no types at all
	Where string // ".BTF"
}

func (e *NotDescribedError) Error() string {
	if e.What == "" {
		return e.Where
	}
	return fmt.Sprintf("%s does not define %s", e.Where, e.What)
}

// A DamagedError says that type information contradicts itself, or that it is
// cut off.
type DamagedError struct {
	Where   string // ".BTF"; "" if Problem says it
	Problem string // what is there, and what was expected
}

func (e *DamagedError) Error() string {
	if e.Where == "" {
		return e.Problem
	}
	return fmt.Sprintf("damaged %s: %s", e.Where, e.Problem)
}

// Open is FromBTF or, if the image has no BTF, FromDWARF of addr. The error is a
// *NotDescribedError if the image has neither.
func Open(im *elfscan.Image, addr uint64) (*Types, error) {
	if t, err := FromBTF(im); t != nil || err != nil {
		return t, err
	}
	t, err := FromDWARF(im, addr)
	if err != nil {
		return nil, err
	}
	if t != nil {
		t.Where = "no .BTF, and " + t.Where
		return t, nil
	}
	if _, err := im.CompileUnit(addr); err != nil {
		return nil, &NotDescribedError{"", "the image has neither .BTF nor .debug_info"}
	}
	return nil, &NotDescribedError{"", fmt.Sprintf("the image has neither .BTF nor a unit of .debug_info that covers %#x", addr)}
}

// Struct is the structure with that tag.
func (t *Types) Struct(name string) (Type, error) {
	of, ok, err := t.from.structure(name)
	if err != nil {
		return Type{}, err
	}
	if !ok {
		return Type{}, &NotDescribedError{"struct " + name, t.Where}
	}
	return t.typ(of)
}

// Enumerator is the value of an enumerator of any enum.
func (t *Types) Enumerator(name string) (int64, error) {
	v, ok, err := t.from.enumerator(name)
	if err == nil && !ok {
		err = &NotDescribedError{"enumerator " + name, t.Where}
	}
	return v, err
}

// Prototype is the prototype of the function of that name. Of several functions
// it is the one that is described first.
func (t *Types) Prototype(name string) (p Prototype, err error) {
	of, ok, err := t.from.function(name)
	if err != nil {
		return p, err
	}
	if !ok {
		return p, &NotDescribedError{"function " + name, t.Where}
	}
	return t.prototype(of)
}

// prototype is the prototype that a source knows as of.
func (t *Types) prototype(of ref) (p Prototype, err error) {
	list, variadic, err := t.from.params(of)
	if err != nil {
		return p, err
	}
	p.Variadic = variadic
	for _, a := range list {
		ty, err := t.typ(a.of)
		if err != nil {
			return p, err
		}
		p.Params = append(p.Params, Param{a.name, ty})
	}
	fn, err := t.from.typ(of)
	if err != nil {
		return p, err
	}
	p.Result, err = t.typ(fn.of)
	return p, err
}

// Elem is the type that a pointer points to, or the type of an array's elements.
func (t *Types) Elem(of Type) (Type, error) {
	if of.Kind != Pointer && of.Kind != Array {
		return Type{}, &NotDescribedError{"elements of " + of.title(), t.Where}
	}
	return t.typ(of.of)
}

// Members are the members of a structure or union, in order. A member without a
// name is a structure or union whose members count as members of the outer one.
func (t *Types) Members(of Type) (list []Member, err error) {
	if of.Kind != Struct && of.Kind != Union {
		return nil, nil
	}
	for m, err := range t.from.members(of.id) {
		if err != nil {
			return nil, err
		}
		ty, err := t.typ(m.of)
		if err != nil {
			return nil, err
		}
		list = append(list, t.member(m, ty, 0))
	}
	return list, nil
}

func (t *Types) member(m member, ty Type, base uint64) Member {
	res := Member{m.name, base + m.at/8, 0, uint64(m.bits), ty}
	if m.bits > 0 {
		res.Bit = m.at % 8
	}
	return res
}

// Member is the member of a structure or union that the path names. The path
// goes through members that are structures or unions, and through the first
// element of arrays of them: "arch.ftrace_trampolines". The offset is counted
// from the start of the outermost structure.
func (t *Types) Member(of Type, path string) (Member, error) {
	in, base := of, uint64(0)
	for rest, more := path, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, ".")
		m, ok, err := t.find(in, name, base, 0, map[ref]bool{})
		if err != nil {
			return Member{}, err
		}
		if !ok {
			return Member{}, &NotDescribedError{fmt.Sprintf("member %s of %s", path, of.title()), t.Where}
		}
		if !more {
			return m, nil
		}
		in, base = m.Type, m.Offset
		if in.Kind == Array {
			if in, err = t.typ(in.of); err != nil {
				return Member{}, err
			}
		}
	}
	return Member{}, nil // not reached
}

// find is the member of that name of a structure or union that lies at base. It
// looks into each structure without a name once, because in a bad file a
// structure may contain itself.
func (t *Types) find(in Type, name string, base uint64, depth int, seen map[ref]bool) (Member, bool, error) {
	if name == "" || in.Kind != Struct && in.Kind != Union || seen[in.id] || depth >= maxNested || len(seen) >= maxNameless {
		return Member{}, false, nil
	}
	seen[in.id] = true
	for m, err := range t.from.members(in.id) {
		if err != nil {
			return Member{}, false, err
		}
		if m.name != name && m.name != "" {
			continue
		}
		ty, err := t.typ(m.of)
		if err != nil {
			return Member{}, false, err
		}
		if m.name == name {
			return t.member(m, ty, base), true, nil
		}
		if found, ok, err := t.find(ty, name, base+m.at/8, depth+1, seen); ok || err != nil {
			return found, ok, err
		}
	}
	return Member{}, false, nil
}

const (
	maxChain    = 32      // typedefs and qualifiers of one type, arrays of arrays
	maxNested   = 16      // structures without a name in each other
	maxNameless = 256     // structures without a name in one structure
	maxMembers  = 1 << 16 // of a structure: BTF has 16 bits for their number
	maxName     = 512     // bytes: no symbol of the kernel is longer (KSYM_NAME_LEN)
)

// typ is the type with its size. The size of an array is that of its elements.
func (t *Types) typ(of ref) (Type, error) {
	ty, err := t.from.typ(of)
	if err != nil || ty.Kind != Array {
		return ty, err
	}
	ty.Size = ty.Count
	elem := ty
	for range maxChain {
		if elem, err = t.from.typ(elem.of); err != nil {
			return ty, err
		}
		size := elem.Size
		if elem.Kind == Array {
			size = elem.Count
		}
		hi, lo := bits.Mul64(ty.Size, size)
		if hi != 0 {
			return ty, &DamagedError{t.Where, "an array has more than 2^64 bytes"}
		}
		ty.Size = lo
		if elem.Kind != Array {
			return ty, nil
		}
	}
	return ty, &DamagedError{t.Where, fmt.Sprintf("an array has more than %d dimensions", maxChain)}
}

var titles = [...]string{"void", "integer", "float", "pointer", "array", "struct", "union", "enum", "function"}

// title names the type in an error.
func (ty Type) title() string {
	if ty.Name == "" {
		return titles[ty.Kind]
	}
	return titles[ty.Kind] + " " + ty.Name
}
