package elfscan

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"go/token"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/internal/child"
)

// Every DWARF version and packing of the debug sections gives the same lines,
// under the name that a user knows the file by.
func TestLines(t *testing.T) {
	lines := func(name string) (got map[string]int, file string) {
		im := load(t, name).mustOpen(t)
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
	source, err := os.ReadFile(filepath.Join(samples, "rfc-trampoline.S"))
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

// What is in no line table has no line, and that is no problem.
func TestNoLine(t *testing.T) {
	s := load(t, "rfc-trampoline")
	im := s.mustOpen(t)
	for _, addr := range []uint64{0, s.value(t, "_end"), s.value(t, "__start_mcount_loc"), s.value(t, "linux_banner"), s.value(t, "_stext") - 4, ^uint64(0)} {
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
	s := load(t, "rfc-trampoline")
	im := s.mustOpen(t)
	im.AddTo(fset)
	common := s.value(t, "ftrace_common")
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
	put := func(section string, at int, b ...byte) func(*testing.T, sample) {
		return func(t *testing.T, s sample) {
			_, contents := s.section(t, section)
			copy(contents[at:], b)
		}
	}
	const line, info, aranges, abbrev = ".debug_line", ".debug_info", ".debug_aranges", ".debug_abbrev"
	for _, test := range []struct {
		name, sample string
		damage       func(*testing.T, sample)
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
		{"line: 34 million directories", "dwarf5", put(line, 33, 0xff, 0xff, 0xff, 0x0f), "claims 33554431 directories or files"},
		{"line: 2^63 directories", "dwarf5", put(line, 33, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), "claims 9223372036854775807 directories or files"},
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
		{"packed info", "zstd", func(t *testing.T, s sample) {
			_, contents := s.section(t, info)
			clear(contents[24:]) // behind the header that says how it is packed
		}, "damaged .debug_info"},
		{"packed line", "zlib", func(t *testing.T, s sample) {
			_, contents := s.section(t, line)
			contents[len(contents)/2] ^= 0xff
		}, "damaged .debug_line"},
		{"no .debug_line", "dwarf5", func(t *testing.T, s sample) {
			header, _ := s.section(t, line)
			le.PutUint32(header[shType:], 8) // SHT_NOBITS, as in an image without its debug file
		}, "no DWARF line tables (.debug_line)"},
		{"no .debug_info", "dwarf5", func(t *testing.T, s sample) {
			header, _ := s.section(t, info)
			le.PutUint32(header[shType:], 8)
		}, "no DWARF line tables (.debug_line)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := load(t, "rfc-trampoline-"+test.sample)
			common := s.value(t, "ftrace_common")
			test.damage(t, s)
			im := s.mustOpen(t)
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
		whole := load(t, "rfc-trampoline-"+variant)
		im := whole.mustOpen(t)
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
					if testing.Short() && off%4 != uint64(i) {
						continue
					}
					s := bytes.Clone(whole)
					if s[off] == v {
						continue
					}
					s[off] = v
					cases++
					damaged, err := sample(s).open()
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
	s := load(t, "rfc-trampoline-zlib").replace(t, ".debug_line", packed.Bytes())
	im := s.mustOpen(t)
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

// kernels are the real kernels that scripts/fetch-kernels has fetched, by
// suite.
func kernels(t testing.TB) map[string]string {
	t.Helper()
	root := os.Getenv("FTLINT_KERNELS")
	if root == "" {
		cache := os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			home, _ := os.UserHomeDir()
			cache = filepath.Join(home, ".cache")
		}
		root = filepath.Join(cache, "ftlint", "kernels")
	}
	found := map[string]string{}
	for _, suite := range []string{"bullseye", "bookworm", "trixie", "forky", "sid"} {
		if p := filepath.Join(root, suite, "current", "vmlinux"); exists(p) {
			found[suite] = p
		}
	}
	for _, suite := range []string{"bookworm", "trixie"} {
		if found[suite] == "" && os.Getenv("CI") == "true" {
			t.Fatalf("no kernel of %s: run scripts/fetch-kernels", suite)
		}
	}
	if len(found) == 0 {
		t.Skip("no real kernels: run scripts/fetch-kernels")
	}
	return found
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

var traceEvent = regexp.MustCompile(`^(__traceiter_|__probestub_|__bpf_trace_|perf_trace_|trace_event_raw_event_|trace_raw_output_|trace_event_get_offsets_)`)

// GNU addr2line is the judge of lines on real kernels: where it knows the
// line of an instruction it is ours in 99 of 100 cases, and where it knows none
// we know none. Functions that a trace event's macro makes it puts in the unit's
// own file, under the header's line: of those the line alone is compared. With
// -short one kernel is compared: addr2line takes seconds for each.
func TestLinesAgreeWithAddr2line(t *testing.T) {
	const tool = "aarch64-linux-gnu-addr2line"
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no %s (Debian: binutils-aarch64-linux-gnu)", tool)
	}
	all := kernels(t)
	if testing.Short() {
		one := slices.Max(slices.Collect(maps.Keys(all)))
		maps.DeleteFunc(all, func(suite, _ string) bool { return suite != one })
	}
	for suite, vmlinux := range all {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			im, err := Open(vmlinux, "")
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			sites, err := im.Sites()
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(2020, 7))
			var in bytes.Buffer
			addrs := make([]uint64, 300)
			for i := range addrs {
				// Behind the callsite (see TestLineOfCallsite), and no padding.
				for {
					entry := sites.Addrs[random.IntN(len(sites.Addrs))]
					addrs[i] = im.SiteAs(entry, im.Era().Shape()).Call + 4 + 4*uint64(random.IntN(4))
					if f, ok := im.SymbolAt(addrs[i]); ok && addrs[i]-f.Addr < f.Size {
						break
					}
				}
				fmt.Fprintf(&in, "%#x\n", addrs[i])
			}
			cmd := child.Command(t, tool, "-e", vmlinux)
			cmd.Stdin = &in
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			theirs := strings.Split(strings.TrimSpace(string(out)), "\n")
			if len(theirs) != len(addrs) {
				t.Fatalf("%s gives %d lines for %d addresses", tool, len(theirs), len(addrs))
			}
			known, agree := 0, 0
			var differ []string
			for i, a := range addrs {
				their, _, _ := strings.Cut(theirs[i], " (discriminator")
				l, ok := im.Line(a)
				switch ours := fmt.Sprintf("%s:%d", path.Base(l.File), l.Line); {
				case strings.HasPrefix(their, "??"):
					if ok {
						t.Errorf("%s: we say %s:%d, %s knows none", im.At(a), l.File, l.Line, tool)
					}
				case strings.HasSuffix(their, ":?"):
				case ok && (ours == path.Base(their) || traceEvent.MatchString(im.Name(a)) && strings.HasSuffix(their, fmt.Sprintf(":%d", l.Line))):
					known++
					agree++
				default:
					known++
					differ = append(differ, fmt.Sprintf("%s: we say %s:%d, %s %s", im.At(a), l.File, l.Line, tool, their))
				}
			}
			if err := im.LineProblem(); err != nil {
				t.Error(err)
			}
			if known < len(addrs)/2 || agree*100 < known*99 {
				t.Errorf("%d of %d agree:\n%s", agree, known, strings.Join(differ, "\n"))
			}
			t.Logf("%d of %d agree", agree, known)
		})
	}
}

// A callsite has the line that its function begins on: one line for all of
// it, in the file of the code behind it and at most a few lines before that,
// and not the line of the function before.
func TestLineOfCallsite(t *testing.T) {
	for suite, vmlinux := range kernels(t) {
		im, err := Open(vmlinux, "")
		if err != nil {
			t.Fatal(err)
		}
		sites, err := im.Sites()
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(6, 1))
		n, agree := 100, 0
		var differ []string
		for range n {
			entry := sites.Addrs[random.IntN(len(sites.Addrs))]
			site := im.SiteAs(entry, im.Era().Shape())
			body, ok := im.lines().find(site.Call+4, true)
			if !ok { // assembly, built without DWARF
				n--
				continue
			}
			before, _ := im.lines().find(entry-4, false)
			at, _ := im.Line(entry)
			call, _ := im.Line(site.Call)
			if at == call && at != before && at.File == body.File && body.Line-10 <= at.Line && at.Line <= body.Line {
				agree++
			} else {
				differ = append(differ, fmt.Sprintf("%s: its entry has the line %v, its call %v, the code behind it %v, before it %v", im.At(entry), at, call, body, before))
			}
		}
		im.Close()
		if n < 95 || agree*100 < n*97 {
			t.Errorf("%s: %d of %d callsites have the line of their function:\n%s", suite, agree, n, strings.Join(differ, "\n"))
		}
	}
}

// A finding that asks for a line in a real kernel reads little of its DWARF.
func TestLineReadsLittle(t *testing.T) {
	for suite, vmlinux := range kernels(t) {
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
