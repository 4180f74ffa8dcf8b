package bpf

import (
	"encoding/binary"
	"fmt"

	"github.com/ftlint/ftlint/ktypes"
)

// A layout is where members of one of the kernel's structures lie. Members are
// named by their paths: "ksym.start".
type layout struct {
	name    string
	size    uint64 // in bytes
	members map[string]ktypes.Member
}

// layoutOf reads the layout of a structure. A member whose path ends in "?" need
// not exist.
func layoutOf(types *ktypes.Types, name string, paths ...string) (layout, error) {
	l := layout{name: name, members: map[string]ktypes.Member{}}
	of, err := types.Struct(name)
	if err != nil {
		return l, err
	}
	l.size = of.Size
	for _, path := range paths {
		name, optional := path, false
		if n := len(path) - 1; path[n] == '?' {
			name, optional = path[:n], true
		}
		m, err := types.Member(of, name)
		switch {
		case err == nil && m.Offset+m.Type.Size <= l.size:
			l.members[name] = m
		case err == nil:
			return l, fmt.Errorf("struct %s has %d bytes, and its member %s lies at %d", l.name, l.size, name, m.Offset)
		case !optional:
			return l, err
		}
	}
	return l, nil
}

// has reports whether the structure has the member.
func (l *layout) has(path string) bool {
	_, ok := l.members[path]
	return ok
}

// An object is one of the kernel's structures in the making.
type object struct {
	*layout
	data []byte
}

// object makes a structure of zeros. Behind it there is room for extra bytes, as
// behind the structures that end in an array of any length.
func (l *layout) object(extra uint64) object { return object{l, make([]byte, l.size+extra)} }

// set sets a member, of any integer type, a pointer, or a bit field. A member that
// the structure does not have is left out.
func (o object) set(path string, v uint64) { o.setAt(path, 0, v) }

// setAt is set for element i of an array.
func (o object) setAt(path string, i int, v uint64) {
	m, ok := o.members[path]
	if !ok {
		return
	}
	size := m.Type.Size
	if m.Type.Kind == ktypes.Array && m.Type.Count > 0 {
		size /= m.Type.Count
	}
	b := o.data[m.Offset+uint64(i)*size:]
	switch {
	case m.Bits > 0:
		mask := byte(1<<m.Bits-1) << m.Bit // no field that is set here crosses a byte
		b[0] = b[0]&^mask | byte(v<<m.Bit)&mask
	case size == 1:
		b[0] = byte(v)
	case size == 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case size == 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, v)
	}
}
