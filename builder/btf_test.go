package builder

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// typesOf is a .BTF section of types and strings.
func typesOf(types []uint32, strings string) []byte {
	var t bytes.Buffer
	_ = binary.Write(&t, binary.LittleEndian, types)
	h := []uint32{0x1_eb9f, 24, 0, uint32(t.Len()), uint32(t.Len()), uint32(len(strings))}
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, h)
	b.Write(t.Bytes())
	b.WriteString(strings)
	return b.Bytes()
}

// Types of a small kernel: struct inner { long a; long plt; }, and
// struct outer { long first; struct { inner mem[2]; }; }.
func smallTypes() []byte {
	const strings = "\x00inner\x00outer\x00a\x00plt\x00first\x00mem\x00long\x00"
	name := func(s string) uint32 { return uint32(bytes.Index([]byte(strings), []byte("\x00"+s+"\x00")) + 1) }
	return typesOf([]uint32{
		name("long"), btfInt << 24, 8, 64, // 1
		name("inner"), btfStruct<<24 | 2, 16, name("a"), 1, 0, name("plt"), 1, 64, // 2
		0, btfArray << 24, 0, 2, 1, 2, // 3
		0, btfStruct<<24 | 1, 32, name("mem"), 3, 0, // 4
		name("outer"), btfStruct<<24 | 2, 40, name("first"), 1, 0, 0, 4, 64, // 5
	}, strings)
}

func TestBTF(t *testing.T) {
	b := parseBTF(smallTypes())
	if b == nil {
		t.Fatal("not parsed")
	}
	outer, ok := b.structure("outer")
	if !ok || outer.size != 40 {
		t.Fatalf("outer: %+v, %v", outer, ok)
	}
	for _, c := range []struct {
		path string
		off  uint64
		ok   bool
	}{
		{"first", 0, true},
		{"mem", 8, true},
		{"mem.a", 8, true},
		{"mem.plt", 16, true},
		{"mem.none", 0, false},
		{"first.a", 0, false},
		{"plt", 0, false},
	} {
		if off, ok := b.offset(outer, c.path); ok != c.ok || ok && off != c.off {
			t.Errorf("%s: %d, %v; want %d, %v", c.path, off, ok, c.off, c.ok)
		}
	}
	if _, ok := b.structure("long"); ok {
		t.Error("long is no structure")
	}
}

// Whatever stands in .BTF, reading it ends.
func FuzzBTF(f *testing.F) {
	f.Add(smallTypes())
	// A structure whose member without a name is the structure itself.
	f.Add(typesOf([]uint32{1, btfStruct<<24 | 1, 8, 0, 1, 0}, "\x00module\x00plt_entry\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		types := parseBTF(b)
		if types == nil {
			return
		}
		types.module()
		for id := range types.at {
			if ty, ok := types.typ(uint32(id)); ok && ty.kind == btfStruct {
				types.offset(ty, "arch.ftrace_trampolines")
			}
		}
		types.enumerator("MOD_INIT_TEXT")
	})
}
