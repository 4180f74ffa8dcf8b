package elfscan

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/internal/race"
	"github.com/ftlint/ftlint/internal/samples"
)

// Every DWARF version and packing of the debug sections gives the same lines,
// under the name that a user knows the file by.
func TestLines(t *testing.T) {
	lines := func(name string) (got map[string]int, file string) {
		im := mustOpen(t, samples.Load(t, name))
		got = map[string]int{}
		for _, label := range []string{"ftrace_regs_caller", "ftrace_caller", "ftrace_common", "function_trace_op_ptr", "ftrace_call", "ftrace_common_end", "vfs_write"} {
			at, _ := im.Addr(label)
			l, ok := im.Line(at)
			if !ok {
				t.Errorf("%s: %s (%#x) has no line: %v", name, label, at, im.LineProblem())
			}
			if file == "" {
				file = l.File
			}
			if l.File != file {
				t.Errorf("%s: %s is in %s, the labels before it in %s", name, label, l.File, file)
			}
			got[label] = l.Line
		}
		return got, file
	}
	want, _ := lines("rfc-trampoline")
	source, err := os.ReadFile(filepath.Join(samples.Dir, "rfc-trampoline.S"))
	if err != nil {
		t.Fatal(err)
	}
	// The label stands on the line, or on the line before its instruction.
	text := strings.Split(string(source), "\n")
	for label, line := range want {
		near := strings.Join(text[max(0, line-3):line], "\n")
		if !strings.Contains(near, label) {
			t.Errorf("%s is at line %d, where it is not named:\n%s", label, line, near)
		}
	}
	const inTree = "arch/arm64/kernel/entry-ftrace.S"
	for name, file := range map[string]string{
		"dwarf4": "rfc-trampoline.S", "dwarf5": "rfc-trampoline.S", "zlib": "rfc-trampoline.S",
		"zlib-gnu": "rfc-trampoline.S", "zstd": "rfc-trampoline.S", "debian": inTree, "absolute": inTree,
	} {
		got, gotFile := lines("rfc-trampoline-" + name)
		if gotFile != file || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: lines %v of %s, want %v of %s", name, got, gotFile, want, file)
		}
	}
}

// An address that is in no line table has no line, which is not a problem.
func TestNoLine(t *testing.T) {
	s := samples.Load(t, "rfc-trampoline")
	im := mustOpen(t, s)
	for _, addr := range []uint64{0, s.Value(t, "_end"), s.Value(t, "__start_mcount_loc"), s.Value(t, "linux_banner"), s.Value(t, "_stext") - 4, ^uint64(0)} {
		if l, ok := im.Line(addr); ok {
			t.Errorf("%s has the line %v", im.At(addr), l)
		}
	}
	if err := im.LineProblem(); err != nil {
		t.Error(err)
	}
}

// A position is the image until its line is asked for, and no DWARF is read
// before.
func TestPositions(t *testing.T) {
	fset := token.NewFileSet()
	other := fset.AddFile("other.patch", -1, 100)
	s := samples.Load(t, "rfc-trampoline")
	im := mustOpen(t, s)
	im.AddTo(fset)
	common := s.Value(t, "ftrace_common")
	pos, again := im.Pos(common), im.Pos(common)
	if pos != again || pos == im.Pos(common+4) || pos == im.FilePos() {
		t.Error("an address has one position of its own")
	}
	if a, ok := im.PosAddr(pos); !ok || a != common {
		t.Errorf("position %v is of %#x, %v", pos, a, ok)
	}
	for name, p := range map[string]token.Pos{"image": im.FilePos(), "none": token.NoPos, "another file": other.Pos(5)} {
		if a, ok := im.PosAddr(p); ok {
			t.Errorf("the position of %s is of the address %#x", name, a)
		}
	}
	if p := im.Position(im.FilePos()); p.Filename != "vmlinux" || p.Line != 0 {
		t.Errorf("the image is at %v", p)
	}
	if p := im.Position(pos); p.Filename != "rfc-trampoline.S" || p.Line == 0 {
		t.Errorf("ftrace_common is at %v", p)
	}
	if fset.Position(pos).Filename != "vmlinux" {
		t.Errorf("to its FileSet the position is in %s", fset.Position(pos).Filename)
	}
}

// Damage in the headers of DWARF: findings fall back to the image, the problem
// is said in words, and what a count or a length claims is not believed.
func TestDamagedDWARF(t *testing.T) {
	put := func(section string, at int, b ...byte) func(*testing.T, samples.File) {
		return func(t *testing.T, s samples.File) {
			_, contents := s.Section(t, section)
			copy(contents[at:], b)
		}
	}
	const line, info, aranges, abbrev = ".debug_line", ".debug_info", ".debug_aranges", ".debug_abbrev"
	for _, test := range []struct {
		name, sample string
		damage       func(*testing.T, samples.File)
		want         string // "": the lines can be told all the same
	}{
		{"line: length", "dwarf5", put(line, 0, 0xf0, 0xff, 0xff, 0xff), "damaged .debug_line: the program at 0x0 is 0xfffffff4 bytes long"},
		{"line: length, a little", "dwarf5", put(line, 0, 0, 2), "damaged .debug_line: the program at 0x0 is 0x204 bytes long"},
		{"line: length of 64-bit DWARF", "dwarf5", put(line, 0, 0xff, 0xff, 0xff, 0xff), "damaged .debug_line: the program at 0x0 is"},
		{"line: length 0", "dwarf5", put(line, 0, 0, 0, 0, 0), "damaged .debug_line: the program at 0x0 is 0x4 bytes long"},
		{"line: version 1", "dwarf5", put(line, 4, 1, 0), "is of version 1"},
		{"line: version 6", "dwarf5", put(line, 4, 6, 0), "is of version 6"},
		{"line: addresses of 4 bytes", "dwarf5", put(line, 6, 4), "has addresses of 4 bytes"},
		{"line: segments", "dwarf5", put(line, 7, 8), "has addresses of"},
		{"line: header length", "dwarf5", put(line, 8, 0xff, 0xff, 0xff, 0x7f), "has a header of 0x7fffffff bytes"},
		{"line: header length 0", "dwarf5", put(line, 8, 0, 0, 0, 0), "is cut off in its header"},
		{"line: range 0", "dwarf5", put(line, 16, 0), "has a line range of 0"},
		{"line: opcodes 0", "dwarf5", put(line, 17, 0), "has -1 standard opcodes"},
		{"line: opcodes 200", "dwarf5", put(line, 17, 200), "has 199 standard opcodes"},
		{"line: form of a directory", "dwarf5", put(line, 32, 0x77), "names a directory or file by form 0x77"},
		{"line: 34 million directories", "dwarf5", put(line, 33, 0xff, 0xff, 0xff, 0x0f), "claims 33,554,431 directories or files"},
		{"line: 2^63 directories", "dwarf5", put(line, 33, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), "claims 9,223,372,036,854,775,807 directories or files"},
		{"line: 200 attributes of a directory", "dwarf5", put(line, 30, 200), "debug_line: the program at 0x0"},
		{"line: dwarf 4: length", "dwarf4", put(line, 0, 0xf0, 0xff, 0xff, 0x7f), "damaged .debug_line: the program at 0x0 is 0x7ffffff4 bytes long"},
		{"line: dwarf 4: header length", "dwarf4", put(line, 6, 0xff, 0xff, 0, 0), "has a header of 0xffff bytes"},
		{"line: dwarf 4: range 0", "dwarf4", put(line, 14, 0), "has a line range of 0"},
		{"line: dwarf 4: opcodes 200", "dwarf4", put(line, 15, 200), "has 199 standard opcodes"},
		{"info: length", "dwarf5", put(info, 0, 0xf0, 0xff, 0xff, 0xff), "damaged .debug_info: the unit at 0x0 is 0xfffffff4 bytes long"},
		{"info: length 0", "dwarf5", put(info, 0, 0, 0, 0, 0), "damaged .debug_info, unit at 0x0"},
		{"info: version", "dwarf5", put(info, 4, 99, 0), "damaged .debug_info, unit at 0x0"},
		{"info: abbreviations elsewhere", "dwarf5", put(info, 8, 0xff, 0xff, 0xff, 0x7f), "damaged .debug_info, unit at 0x0"},
		{"info: abbreviation code", "dwarf5", put(info, 12, 0x7f), "damaged .debug_info, unit at 0x0"},
		{"abbrev: zeros", "dwarf5", put(abbrev, 0, make([]byte, 38)...), "damaged .debug_info, unit at 0x0"},
		{"aranges: unit elsewhere", "dwarf5", put(aranges, 6, 0xff, 0xff, 0xff, 0x7f), "damaged .debug_info: no unit at 0x7fffffff"},
		{"aranges: version", "dwarf5", put(aranges, 4, 9), ""},
		{"aranges: length", "dwarf5", put(aranges, 0, 0xff, 0xff, 0xff, 0xff), ""},
		{"aranges: length 0", "dwarf5", put(aranges, 0, 0, 0, 0, 0), ""},
		{"aranges: zeros", "dwarf5", put(aranges, 0, make([]byte, 64)...), ""},
		{"packed info", "zstd", func(t *testing.T, s samples.File) {
			_, contents := s.Section(t, info)
			clear(contents[24:]) // behind the header that says how it is packed
		}, "damaged .debug_info"},
		{"packed line", "zlib", func(t *testing.T, s samples.File) {
			_, contents := s.Section(t, line)
			contents[len(contents)/2] ^= 0xff
		}, "damaged .debug_line"},
		{"no .debug_line", "dwarf5", func(t *testing.T, s samples.File) {
			header, _ := s.Section(t, line)
			le.PutUint32(header[samples.ShType:], 8) // SHT_NOBITS, as in an image without its debug file
		}, "no DWARF line tables (.debug_line)"},
		{"no .debug_info", "dwarf5", func(t *testing.T, s samples.File) {
			header, _ := s.Section(t, info)
			le.PutUint32(header[samples.ShType:], 8)
		}, "no DWARF line tables (.debug_line)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := samples.Load(t, "rfc-trampoline-"+test.sample)
			common := s.Value(t, "ftrace_common")
			test.damage(t, s)
			im := mustOpen(t, s)
			im.AddTo(token.NewFileSet())
			var p token.Position
			if taken := allocated(func() { p = im.Position(im.Pos(common)) }); taken > 8<<20 {
				t.Errorf("it takes %d bytes of memory", taken)
			}
			problem := im.LineProblem()
			if test.want == "" {
				if p.Filename != "rfc-trampoline.S" || p.Line == 0 || problem != nil {
					t.Errorf("ftrace_common is at %v (%v)", p, problem)
				}
				return
			}
			if p.Filename != "vmlinux" || p.Line != 0 {
				t.Errorf("ftrace_common is at %v", p)
			}
			if problem == nil || !strings.Contains(problem.Error(), test.want) || strings.Contains(problem.Error(), "\n") {
				t.Errorf("the problem is %q, want %q", problem, test.want)
			}
		})
	}
}

// A byte of DWARF that is wrong, whichever it is, costs at most the lines. With
// -short each byte gets one of the wrong values, the next byte the next.
func TestAnyByteOfDWARF(t *testing.T) {
	for _, variant := range []string{"dwarf4", "dwarf5", "zlib", "zlib-gnu", "zstd"} {
		whole := samples.Load(t, "rfc-trampoline-"+variant)
		im := mustOpen(t, whole)
		var addrs []uint64
		for _, label := range []string{"ftrace_common", "vfs_write", "_stext", "ftrace_stub"} {
			at, _ := im.Addr(label)
			addrs = append(addrs, at)
		}
		lost, cases := 0, 0
		for _, sec := range im.file.Sections {
			if !strings.HasPrefix(sec.Name, ".debug_") && !strings.HasPrefix(sec.Name, ".zdebug_") {
				continue
			}
			for off := sec.Offset; off < sec.Offset+sec.FileSize; off++ {
				for i, v := range []byte{0, 0x7f, 0x80, 0xff} {
					if (testing.Short() || race.Enabled) && off%4 != uint64(i) {
						continue
					}
					s := bytes.Clone(whole)
					if s[off] == v {
						continue
					}
					s[off] = v
					cases++
					damaged, err := openBytes(s)
					if err != nil {
						clearError(t, err, "vmlinux", "") // a packed section's header
						continue
					}
					taken := allocated(func() {
						for _, a := range addrs {
							if l, ok := damaged.Line(a); ok && (l.Line < 1 || l.File == "") {
								t.Errorf("%s: byte %#x = %#x: line %v", variant, off, v, l)
							}
						}
					})
					if taken > 64<<20 { // zstd makes room for what a frame claims, to 8 MiB
						t.Errorf("%s: byte %#x (%s) = %#x takes %d bytes of memory", variant, off, sec.Name, v, taken)
					}
					if damaged.LineProblem() != nil {
						lost++
					}
				}
			}
		}
		t.Logf("%s: %d of %d damages are a problem", variant, lost, cases)
		if lost == 0 || lost == cases {
			t.Errorf("%s: %d of %d damages are a problem", variant, lost, cases)
		}
	}
}

// A packed section that would unpack to a multiple of the file is not unpacked.
func TestPackedSectionBomb(t *testing.T) {
	var packed bytes.Buffer
	head := make([]byte, 24) // Elf64_Chdr: type zlib, size, alignment
	const size = 64 << 20
	head[0] = 1
	le.PutUint64(head[8:], size)
	le.PutUint64(head[16:], 1)
	packed.Write(head)
	w := zlib.NewWriter(&packed)
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := samples.Load(t, "rfc-trampoline-zlib").Replace(t, ".debug_line", packed.Bytes())
	im := mustOpen(t, s)
	at, _ := im.Addr("ftrace_common")
	taken := allocated(func() { im.Line(at) })
	if err := im.LineProblem(); err == nil || !strings.Contains(err.Error(), "damaged .debug_line: it unpacks to more than") {
		t.Errorf("the problem is %v", err)
	}
	if limit := uint64(10 * maxRatio * packed.Len()); taken > limit {
		t.Errorf("%d bytes of %d take %d bytes of memory", packed.Len(), size, taken)
	}
}

func TestKernelPath(t *testing.T) {
	for _, test := range []struct{ dir, file, want string }{
		{"/build", "/build/arch/arm64/kernel/entry-ftrace.S", "arch/arm64/kernel/entry-ftrace.S"},
		{"/build/out", "/build/arch/arm64/kernel/ftrace.c", "arch/arm64/kernel/ftrace.c"},
		{"debian/build/build_arm64_none_arm64", "debian/build/build_arm64_none_arm64/arch/arm64/kernel/ftrace.c", "arch/arm64/kernel/ftrace.c"},
		{"/x", "/home/arch/linux/kernel/trace/ftrace.c", "arch/linux/kernel/trace/ftrace.c"}, // cannot be told
		{"/x", "/home/me/linux/arch/arm64/include/asm/../../kernel/ftrace.c", "arch/arm64/kernel/ftrace.c"},
		{".", "arch/arm64/kernel/./ftrace.c", "arch/arm64/kernel/ftrace.c"},
		{".", "./include/linux/ftrace.h", "include/linux/ftrace.h"},
		{"/build", "/build/hello.S", "hello.S"},
		{"/build", "/elsewhere/hello.S", "/elsewhere/hello.S"},
		{"", "hello.S", "hello.S"},
		{"/build", "/build/drivers/net/../net/tun.c", "drivers/net/tun.c"},
	} {
		if got := kernelPath(test.dir, test.file); got != test.want {
			t.Errorf("kernelPath(%q, %q) = %q, want %q", test.dir, test.file, got, test.want)
		}
	}
}

// A finding that asks for a line in a real kernel reads little of its DWARF.
func TestLineReadsLittle(t *testing.T) {
	for suite, vmlinux := range samples.Kernels(t) {
		im, err := Open(vmlinux, "")
		if err != nil {
			t.Fatal(err)
		}
		at, _ := im.Addr("ftrace_caller")
		im.Name(at) // the index of symbols is not what is measured
		var l Line
		taken := allocated(func() { l, _ = im.Line(at) })
		if l.File != "arch/arm64/kernel/entry-ftrace.S" || taken > 4<<20 {
			t.Errorf("%s: %v takes %d bytes of memory", suite, l, taken)
		}
		im.Close()
	}
}
