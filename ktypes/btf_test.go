package ktypes

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// section is a .BTF section of types and strings.
func section(types []uint32, strings string) []byte {
	var t bytes.Buffer
	_ = binary.Write(&t, binary.LittleEndian, types)
	h := []uint32{0x1_eb9f, 24, 0, uint32(t.Len()), uint32(t.Len()), uint32(len(strings))}
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, h)
	b.Write(t.Bytes())
	b.WriteString(strings)
	return b.Bytes()
}

const (
	flagged     = 1 << 31
	smallNames  = "\x00inner\x00outer\x00a\x00plt\x00first\x00mem\x00long\x00low\x00high\x00MINUS\x00WIDE\x00small\x00call\x00f\x00x\x00print\x00__int128\x00wide\x00opaque\x00"
	bitSigned   = 1 << 24
	int128Width = 128
)

// The types of a small kernel: struct inner { long a; long plt; };
// struct outer { long first; struct { inner mem[2]; }; int low:3, high:5; void *call; struct opaque *opaque; };
// enum { MINUS = -2 }; enum small : u64 { WIDE = 1 << 40 };
// typedef const long x; long f(struct inner a, __int128 wide, x x), void print(long a, ...).
func smallTypes() []byte {
	name := func(s string) uint32 {
		return uint32(bytes.Index([]byte(smallNames), []byte("\x00"+s+"\x00")) + 1)
	}
	return section([]uint32{
		name("long"), btfInt << 24, 8, bitSigned | 64, // 1
		name("inner"), btfStruct<<24 | 2, 16, name("a"), 1, 0, name("plt"), 1, 64, // 2
		0, btfArray << 24, 0, 2, 1, 2, // 3
		0, btfStruct<<24 | 1, 32, name("mem"), 3, 0, // 4
		name("outer"), flagged | btfStruct<<24 | 6, 64, name("first"), 1, 0, 0, 4, 64, // 5
		name("low"), 1, 3<<24 | 320, name("high"), 1, 5<<24 | 323, name("call"), 6, 384, name("opaque"), 13, 448,
		0, btfPtr << 24, 0, // 6
		0, flagged | btfEnum<<24 | 1, 4, name("MINUS"), 0xfffffffe, // 7
		name("small"), btfEnum64<<24 | 1, 8, name("WIDE"), 0, 1 << 8, // 8
		0, btfConst << 24, 1, // 9
		name("x"), btfTypedef << 24, 9, // 10
		name("__int128"), btfInt << 24, 16, int128Width, // 11
		name("opaque"), btfFwd << 24, 0, // 12
		0, btfPtr << 24, 12, // 13
		0, btfFuncProto<<24 | 3, 1, name("a"), 2, name("wide"), 11, name("x"), 10, // 14
		name("f"), btfFunc << 24, 14, // 15
		0, btfFuncProto<<24 | 2, 0, name("a"), 1, 0, 0, // 16
		name("print"), btfFunc<<24 | 1, 16, // 17
	}, smallNames)
}

func parse(t *testing.T, data []byte) *Types {
	t.Helper()
	b, err := parseBTF(data)
	if err != nil {
		t.Fatal(err)
	}
	return &Types{btfName, b}
}

func lacks(err error) bool {
	var e *NotDescribedError
	return errors.As(err, &e)
}

func isDamaged(err error) bool {
	var e *DamagedError
	return errors.As(err, &e)
}

func TestMember(t *testing.T) {
	types := parse(t, smallTypes())
	outer, err := types.Struct("outer")
	if err != nil || outer.Size != 64 {
		t.Fatalf("outer: %+v, %v", outer, err)
	}
	for _, c := range []struct{ path, want string }{
		{"first", "0.0:0 integer long of 8"},
		{"mem", "8.0:0 array of 32"},
		{"mem.a", "8.0:0 integer long of 8"},
		{"mem.plt", "16.0:0 integer long of 8"},
		{"low", "40.0:3 integer long of 8"},
		{"high", "40.3:5 integer long of 8"},
		{"call", "48.0:0 pointer of 8"},
		{"opaque", "56.0:0 pointer of 8"},
		{"mem.none", ".BTF does not define member mem.none of struct outer"},
		{"first.a", ".BTF does not define member first.a of struct outer"},
		{"opaque.a", ".BTF does not define member opaque.a of struct outer"},
		{"plt", ".BTF does not define member plt of struct outer"},
		{"", ".BTF does not define member  of struct outer"},
	} {
		m, err := types.Member(outer, c.path)
		got := fmt.Sprintf("%d.%d:%d %s of %d", m.Offset, m.Bit, m.Bits, m.Type.title(), m.Type.Size)
		if err != nil {
			got = err.Error()
			if !lacks(err) {
				t.Errorf("%s: %T", c.path, err)
			}
		}
		if got != c.want {
			t.Errorf("%s: %s; want %s", c.path, got, c.want)
		}
	}
	list, err := types.Members(outer)
	if err != nil || len(list) != 6 || list[1].Name != "" || list[1].Offset != 8 || list[3].Bits != 5 {
		t.Errorf("members: %+v, %v", list, err)
	}
	m, err := types.Member(outer, "opaque")
	if err != nil {
		t.Fatal(err)
	}
	if opaque, err := types.Elem(m.Type); err != nil || opaque.Kind != Struct || opaque.Name != "opaque" || opaque.Size != 0 {
		t.Errorf("opaque: %+v, %v", opaque, err)
	}
	for _, name := range []string{"long", "opaque", "none", ""} {
		if ty, err := types.Struct(name); !lacks(err) {
			t.Errorf("%q as a structure: %+v, %v", name, ty, err)
		}
	}
}

func TestEnumerator(t *testing.T) {
	types := parse(t, smallTypes())
	for name, want := range map[string]int64{"MINUS": -2, "WIDE": 1 << 40} {
		if v, err := types.Enumerator(name); err != nil || v != want {
			t.Errorf("%s: %d, %v; want %d", name, v, err, want)
		}
	}
	if v, err := types.Enumerator("small"); !lacks(err) {
		t.Errorf("small as an enumerator: %d, %v", v, err)
	}
}

func (p Prototype) String() string {
	s := p.Result.title() + " ("
	for _, a := range p.Params {
		s += fmt.Sprintf("%s %s of %d, ", a.Type.title(), a.Name, a.Type.Size)
	}
	if p.Variadic {
		s += "..."
	}
	return s + ")"
}

func TestPrototype(t *testing.T) {
	types := parse(t, smallTypes())
	for name, want := range map[string]string{
		"f":     "integer long (struct inner a of 16, integer __int128 wide of 16, integer long x of 8, )",
		"print": "void (integer long a of 8, ...)",
	} {
		if p, err := types.Prototype(name); err != nil || p.String() != want {
			t.Errorf("%s: %v, %v; want %s", name, p, err, want)
		}
	}
	if p, err := types.Prototype("outer"); !lacks(err) {
		t.Errorf("outer as a function: %v, %v", p, err)
	}
}

// Types that do not parse give another error than types that are not described.
// The error says what was expected.
func TestDamagedBTF(t *testing.T) {
	good := smallTypes()
	change := func(at int, v byte) []byte { b := slices.Clone(good); b[at] = v; return b }
	for _, c := range []struct {
		data []byte
		want string
	}{
		{good[:20], "it has 20 bytes, its header has 24"},
		{change(0, 0), "it begins with 0xeb00 and version 1, not with 0xeb9f and 1"},
		{change(14, 1), "do not lie in its"},
		{good[:len(good)-1], "do not lie in its"},
		{change(len(good)-1, 'x'), "do not begin and end with 0"},
		{change(24+7, 21), "type 1 at 0x0 is of kind 21, the kinds are 1 to 19"},
		{section([]uint32{0, btfPtr << 24}, "\x00"), "type 1 at 0x0 is cut off"},
		{section([]uint32{0, btfStruct<<24 | 2, 8, 0, 0, 0}, "\x00"), "type 1 at 0x0 has 0x24 bytes, 0x18 are left"},
	} {
		if _, err := parseBTF(c.data); !isDamaged(err) || !strings.HasPrefix(err.Error(), "damaged .BTF: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
	long := "\x00s\x00" + strings.Repeat("n", maxName+1) + "\x00"
	for _, c := range []struct {
		types   []uint32
		strings string
		want    string
	}{
		{[]uint32{1, btfStruct<<24 | 1, 8, 0, 7, 0}, "\x00s\x00", "a type refers to type 7, the types are 1 to 1"},
		{[]uint32{1, btfStruct<<24 | 1, 8, 99, 1, 0}, "\x00s\x00", "a name is at 0x63 of 0x3 bytes of strings"},
		{[]uint32{1, btfStruct<<24 | 1, 8, 3, 1, 0}, long, "the name at 0x3 of the strings has more than 512 bytes"},
		{[]uint32{1, btfStruct<<24 | 1, 8, 0, 2, 0, 0, btfTypedef << 24, 2}, "\x00s\x00", "type 2 has more than 32 typedefs and qualifiers"},
		{[]uint32{1, btfStruct<<24 | 1, 8, 0, 2, 0, 0, btfArray << 24, 0, 2, 0, 1}, "\x00s\x00", "an array has more than 32 dimensions"},
		{[]uint32{1, btfStruct<<24 | 1, 8, 0, 2, 0, 0, btfArray << 24, 0, 2, 0, 1 << 31}, "\x00s\x00", "an array has more than 2^64 bytes"},
		{[]uint32{1, btfStruct<<24 | 1, 8, 0, 2, 0, 0, btfDatasec << 24, 0}, "\x00s\x00", "type 2, which is of kind 15 and not a type of C"},
	} {
		types := parse(t, section(c.types, c.strings))
		s, err := types.Struct("s")
		if err == nil {
			_, err = types.Member(s, "m")
		}
		if !isDamaged(err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
	types := parse(t, section([]uint32{1, btfFunc << 24, 1}, "\x00s\x00"))
	if _, err := types.Prototype("s"); !isDamaged(err) {
		t.Errorf("a function whose prototype is itself: %v", err)
	}
}

// A structure with many members without a name, each the structure itself, is
// looked into once.
func TestStructureInItself(t *testing.T) {
	const n = 0xffff
	list := []uint32{1, btfStruct<<24 | n, 8}
	for range n {
		list = append(list, 0, 1, 0)
	}
	types := parse(t, section(list, "\x00s\x00"))
	s, err := types.Struct("s")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := types.Member(s, "none"); !lacks(err) {
		t.Errorf("%+v, %v", m, err)
	}
}

// Whatever stands in .BTF, reading it ends.
func FuzzBTF(f *testing.F) {
	f.Add(smallTypes())
	// A structure whose member without a name is the structure itself.
	f.Add(section([]uint32{1, btfStruct<<24 | 1, 8, 0, 1, 0}, "\x00module\x00plt_entry\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := parseBTF(data)
		if err != nil {
			if !isDamaged(err) {
				t.Errorf("%T", err)
			}
			return
		}
		readAll(t, &Types{btfName, b}, len(b.at))
		for _, fn := range b.list()[:min(200, len(b.list()))] {
			_, err := (&Types{btfName, b}).Prototype(fn.Name)
			expected(t, err)
		}
	})
}

// readAll reads the types whose refs are below n.
func readAll(t *testing.T, types *Types, n int) {
	for id := range min(n, 200) {
		ty, err := types.typ(ref(id))
		expected(t, err)
		_, err = types.Member(ty, "arch.ftrace_trampolines")
		expected(t, err)
		_, err = types.Members(ty)
		expected(t, err)
		if ty.Kind == Pointer || ty.Kind == Array {
			_, err = types.Elem(ty)
			expected(t, err)
		}
	}
	for _, name := range []string{"module", "MOD_INIT_TEXT"} {
		_, err := types.Struct(name)
		expected(t, err)
		_, err = types.Enumerator(name)
		expected(t, err)
		_, err = types.Prototype(name)
		expected(t, err)
	}
}

// expected complains of errors that a caller cannot tell by their type.
func expected(t *testing.T, err error) {
	if err != nil && !isDamaged(err) && !lacks(err) {
		t.Errorf("an error of type %T: %v", err, err)
	}
}
