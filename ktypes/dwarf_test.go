package ktypes

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/ftlint/ftlint/elfscan"
)

const sample = "../testdata/vmlinux-samples/builders/rfc-builder.elf"

func TestDWARF(t *testing.T) {
	im, err := elfscan.Open(sample, "")
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	fn, _ := im.Addr("arch_ftrace_update_trampoline")
	types, err := Open(im, fn)
	if err != nil {
		t.Fatal(err)
	}
	ops, err := types.Struct("ftrace_ops")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]uint64{"func": 0, "trampoline_size": 152} {
		m, err := types.Member(ops, path)
		if err != nil || m.Offset != want || m.Type.Size != 8 {
			t.Errorf("%s: %+v, %v", path, m, err)
		}
	}
	if _, err := types.Member(ops, "none"); !lacks(err) || !strings.Contains(err.Error(), "the unit of .debug_info that covers 0x") {
		t.Errorf("a member that is not there: %v", err)
	}
	if _, err := types.Struct("none"); !lacks(err) {
		t.Errorf("a structure that is not there: %v", err)
	}
	if p, err := types.Prototype("arch_ftrace_update_trampoline"); err != nil || p.String() != "void (pointer ops of 8, )" {
		t.Errorf("%v, %v", p, err)
	}
	if types, err := Open(im, 0x10); !lacks(err) || err.Error() != "the image has neither .BTF nor a unit of .debug_info that covers 0x10" {
		t.Errorf("of no unit: %v, %v", types, err)
	}
}

// newUnit is a unit of bytes, nil if debug/dwarf does not take them.
func newUnit(abbrev, info, str []byte) (u *unit) {
	defer func() {
		if recover() != nil {
			u = nil
		}
	}()
	d, err := dwarf.New(abbrev, nil, nil, info, nil, nil, nil, str)
	if err != nil {
		return nil
	}
	u = &unit{data: d, where: "a unit"}
	u.names = sync.OnceValues(u.index)
	return u
}

// Entries that lie in each other are as deep as a bad file likes: the stack
// does not grow with them.
func TestDeepDWARF(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(4 << 20))
	const deep = 1 << 17
	abbrev := []byte{1, 0x11, 1, 0, 0, 2, byte(dwarf.TagLexDwarfBlock), 1, 0, 0, 0}
	info := append([]byte{0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 8, 1}, bytes.Repeat([]byte{2}, deep)...)
	n := len(info) - 4
	info[0], info[1], info[2] = byte(n), byte(n>>8), byte(n>>16)
	u := newUnit(abbrev, info, nil)
	if u == nil {
		t.Fatal("no unit")
	}
	if _, err := (&Types{u.where, u}).Struct("s"); !lacks(err) && !isDamaged(err) {
		t.Error(err)
	}
}

// Whatever stands in DWARF, reading it ends.
func FuzzDWARF(f *testing.F) {
	file, err := elf.Open(sample)
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	var parts [3][]byte
	for i, name := range []string{".debug_abbrev", ".debug_info", ".debug_str"} {
		s := file.Section(name)
		if s == nil {
			f.Fatalf("%s has no %s", sample, name)
		}
		if parts[i], err = s.Data(); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(parts[0], parts[1], parts[2])
	f.Fuzz(func(t *testing.T, abbrev, info, str []byte) {
		u := newUnit(abbrev, info, str)
		if u == nil {
			return
		}
		types := &Types{u.where, u}
		readAll(t, types, len(info))
		names, err := u.names()
		expected(t, err)
		for name := range names.structures {
			s, err := types.Struct(name)
			expected(t, err)
			_, err = types.Member(s, "next")
			expected(t, err)
		}
		for name := range names.functions {
			_, err := types.Prototype(name)
			expected(t, err)
		}
	})
}
