package elfscan

import (
	"bytes"
	"debug/dwarf"
	"fmt"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// A Layout is what type information says of a structure and of enumerators.
type Layout struct {
	From    string            // "BTF" or "DWARF"
	Offsets map[string]uint64 // of the structure's members, in bytes
	Enums   map[string]uint64 // the enumerators' values
}

// StructLayout reads the layout of the structure of that name, and the
// enumerators whose names begin with prefix, from the image's BTF or, where it
// has none, from the DWARF of the compile unit that covers addr. It reads much:
// ask for it only when it is needed.
func (im *Image) StructLayout(name, prefix string, addr uint64) (l Layout, err error) {
	undo := Guard()
	defer undo()
	defer func() { // the readers may panic on damage
		if r := recover(); r != nil {
			l, err = Layout{}, fmt.Errorf("damaged type information: %v", r)
		}
	}()
	l = Layout{Offsets: map[string]uint64{}, Enums: map[string]uint64{}}
	for i := range im.ranges {
		if r := &im.ranges[i]; r.Name == ".BTF" && r.data != nil {
			l.From = "BTF"
			return l, l.readBTF(r.data, name, prefix)
		}
	}
	l.From = "DWARF"
	t := im.lines()
	t.mu.Lock()
	defer t.mu.Unlock()
	return l, t.readLayout(&l, name, prefix, addr)
}

func (l *Layout) readBTF(data []byte, name, prefix string) error {
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("damaged .BTF: %w", err)
	}
	var s *btf.Struct
	if err := spec.TypeByName(name, &s); err != nil {
		return fmt.Errorf(".BTF: struct %s: %w", name, err)
	}
	for _, m := range s.Members {
		l.Offsets[m.Name] = uint64(m.Offset.Bytes())
	}
	for typ, err := range spec.All() {
		if err != nil {
			return fmt.Errorf("damaged .BTF: %w", err)
		}
		enum, ok := typ.(*btf.Enum)
		if !ok {
			continue
		}
		for _, v := range enum.Values {
			if strings.HasPrefix(v.Name, prefix) {
				l.Enums[v.Name] = v.Value
			}
		}
	}
	return nil
}

// readLayout reads the layout from the unit that covers addr.
func (t *lineTables) readLayout(l *Layout, name, prefix string, addr uint64) error {
	if t.section(".debug_info") == nil {
		return fmt.Errorf("the image has neither .BTF nor .debug_info, which tell the layout of struct %s", name)
	}
	off, ok, err := t.unitAt(addr)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("no .BTF, and no unit of .debug_info covers %#x: the layout of struct %s is not known", addr, name)
	}
	d, _, _, err := t.rootDIE(off)
	if err != nil {
		return err
	}
	r := d.Reader()
	depth, inside := 0, -1 // inside: the depth of the structure's members
	for {
		e, err := r.Next()
		if err != nil {
			return fmt.Errorf("damaged .debug_info, unit at %#x: %v", off, err)
		}
		if e == nil {
			break
		}
		n, _ := e.Val(dwarf.AttrName).(string)
		switch e.Tag {
		case 0:
			if depth == inside {
				inside = -1
			}
			depth--
		case dwarf.TagStructType:
			if n == name && e.Children {
				inside = depth + 1
			}
		case dwarf.TagMember:
			if at, ok := e.Val(dwarf.AttrDataMemberLoc).(int64); ok && depth == inside {
				l.Offsets[n] = uint64(at)
			}
		case dwarf.TagEnumerator:
			if v, ok := e.Val(dwarf.AttrConstValue).(int64); ok && strings.HasPrefix(n, prefix) {
				l.Enums[n] = uint64(v)
			}
		case dwarf.TagSubprogram:
			r.SkipChildren()
			continue
		}
		if e.Children {
			depth++
		}
	}
	if len(l.Offsets) == 0 {
		return fmt.Errorf("no .BTF, and the unit of .debug_info that covers %#x does not define struct %s", addr, name)
	}
	return nil
}
