package picture_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/picture"
	"github.com/ftlint/ftlint/rules"
	"github.com/ftlint/ftlint/trampoline"
)

// drawn lints every sample that can be read, with its pictures.
func drawn(t *testing.T, pattern string) map[string]*finding.Result {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("../testdata/vmlinux-samples", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no sample %s: %v", pattern, err)
	}
	out := map[string]*finding.Result{}
	for _, path := range paths {
		res := lint.File(t.Context(), path, lint.Config{Pictures: picture.All})
		if res.Image != nil {
			out[strings.TrimSuffix(filepath.Base(path), ".elf")] = res
		}
	}
	return out
}

func found(res *finding.Result, rules ...string) bool {
	return slices.ContainsFunc(res.Findings, func(f finding.Finding) bool { return slices.Contains(rules, f.Rule.ID) })
}

// Pictures are plain data, made only if they are asked for, and change nothing
// else.
func TestPicturesAreExtra(t *testing.T) {
	path := "../testdata/vmlinux-samples/builders/rfc-builder.elf"
	with := lint.File(t.Context(), path, lint.Config{Pictures: picture.All})
	without := lint.File(t.Context(), path, lint.Config{})
	if without.Pictures != nil {
		t.Error("pictures that nobody asked for")
	}
	b, err := json.Marshal(with.Pictures)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(lint.File(t.Context(), path, lint.Config{Pictures: picture.All, Workers: 1}).Pictures)
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("the pictures differ with one worker (%v)", err)
	}
	with.Pictures = nil
	with.Elapsed, without.Elapsed = 0, 0
	a, err1 := json.Marshal(with)
	c, err2 := json.Marshal(without)
	if err1 != nil || err2 != nil || !bytes.Equal(a, c) {
		t.Errorf("the result differs with pictures (%v, %v)", err1, err2)
	}
}

// The histogram counts every callsite in text once, in the right bin, and the
// window is exactly what BL reaches.
func TestAddressMap(t *testing.T) {
	reach := a64.ReachOf(a64.Call)
	for name, res := range drawn(t, "*.elf") {
		m, d := picture.Of(res).Map, picture.Of(res).Distances
		if m == nil || m.Entry.Addr == 0 || d == nil {
			continue
		}
		for _, edge := range []struct {
			addr uint64
			want bool
		}{{m.WindowLo, true}, {m.WindowLo - 4, false}, {m.WindowHi, true}, {m.WindowHi + 4, false}} {
			if got := reach.Contains(a64.Offset(edge.addr, m.Entry.Addr)); got != edge.want {
				t.Errorf("%s: a BL at %#x reaches %s (%#x): %v, the window is %#x..%#x", name, edge.addr, m.Entry.Name, m.Entry.Addr, got, m.WindowLo, m.WindowHi)
			}
		}
		sum, inside := 0, 0
		for i, b := range d.Bins {
			sum += b.N
			if b.Lo >= b.Hi || i > 0 && b.Lo != d.Bins[i-1].Hi {
				t.Errorf("%s: bins %v do not follow each other", name, d.Bins)
			}
			switch {
			case b.Lo >= -128<<20 && b.Hi <= 128<<20:
				inside += b.N
			case b.Lo < 128<<20 && b.Hi > 128<<20, b.Lo < -128<<20 && b.Hi > -128<<20:
				t.Errorf("%s: the bin %v straddles the end of the window", name, b)
			}
		}
		if sum != d.Callsites || inside != d.InReach {
			t.Errorf("%s: bins have %d callsites, %d of them in reach; there are %d, %d of them in reach", name, sum, inside, d.Callsites, d.InReach)
		}
		// Independently: each callsite's place.
		im, err := elfscan.Open(res.Path, "")
		if err != nil {
			t.Fatal(err)
		}
		table, err := callsite.Of(im)
		if err != nil || table.Entries == nil {
			im.Close()
			continue
		}
		n, far := 0, 0
		for _, s := range table.Sites() {
			if !s.Text {
				continue
			}
			n++
			if s.Call < m.WindowLo || s.Call > m.WindowHi {
				far++
			}
			dist := int64(m.Entry.Addr - s.Call)
			i := slices.IndexFunc(d.Bins, func(b picture.Bin) bool { return b.Lo <= dist && dist < b.Hi })
			if i < 0 || d.Bins[i].N == 0 || dist < d.Min || dist > d.Max {
				t.Errorf("%s: no bin counts the callsite at %#x, %d bytes away", name, s.Call, dist)
			}
		}
		if n != d.Callsites || n-far != d.InReach {
			t.Errorf("%s: %d callsites, %d out of reach; the map has %d, %d in reach", name, n, far, d.Callsites, d.InReach)
		}
		if far > 0 != found(res, "FT201") {
			t.Errorf("%s: %d callsites out of reach, and FT201 found: %v", name, far, found(res, "FT201"))
		}
		im.Close()
	}
}

// diffRules are the rules about differences from the model.
var diffRules = []string{"FT113", "FT103", "FT105", "FT106", "FT108", "FT109", "FT110", "FT111", "FT116"}

// The picture marks what findings are about, and nothing else: for every
// builder among the samples.
func TestTrampolinesMatchFindings(t *testing.T) {
	seen := 0
	for name, res := range drawn(t, "builders/*.elf") {
		l := picture.Of(res).Built
		if l.NoBuilder != nil {
			if len(l.Trampolines) > 0 {
				t.Errorf("%s: trampolines without a builder", name)
			}
			continue
		}
		if strings.HasPrefix(name, "builder-greedy") {
			for i := range l.Trampolines {
				if len(l.Trampolines[i].Cells) > 0 {
					t.Errorf("%s has a picture of a trampoline, which it does not build", name)
				}
			}
			continue
		}
		seen++
		marked, rules, diffs := false, map[string]bool{}, 0
		stale, wx, final := false, false, false
		for i := range l.Trampolines {
			tr := &l.Trampolines[i]
			if len(tr.Cells) == 0 {
				t.Errorf("%s: no cells: %s", name, tr.Err)
				continue
			}
			at := tr.Addr
			about := map[int]bool{}
			for _, c := range tr.Cells {
				marked = marked || c.Differs
				for _, d := range c.Diffs {
					rules[tr.Diffs[d].Rule] = true
					about[d] = true
				}
				if c.At == 0 {
					continue
				}
				if c.At != at {
					t.Errorf("%s: a cell at %#x, the one before it ends at %#x", name, c.At, at)
				}
				at = c.At + c.Size
				if len(tr.Cells) > 100 {
					t.Fatalf("%s: %d cells", name, len(tr.Cells))
				}
				if c.Writer < 0 && c.Word != 0 {
					t.Errorf("%s: nobody wrote %#x to %#x", name, c.Word, c.At)
				}
			}
			if at != tr.Addr+tr.Size {
				t.Errorf("%s: the cells end at %#x, the trampoline at %#x", name, at, tr.Addr+tr.Size)
			}
			for _, d := range tr.Whole {
				rules[tr.Diffs[d].Rule] = true
				about[d] = true
			}
			diffs += len(tr.Diffs)
			if len(about) != len(tr.Diffs) {
				t.Errorf("%s: %d differences, %d of them are shown", name, len(tr.Diffs), len(about))
			}
			last := tr.Moments[len(tr.Moments)-1]
			for k, s := range last.State {
				if s == trampoline.Stale && !tr.Cells[k].Literal && tr.Cells[k].Origin != 0 {
					stale = true
				}
			}
			for _, m := range tr.Moments {
				wx = wx || m.Alive && m.Perm.String() == "rwx"
			}
			final = final || last.Perm.String() == "rwx"
			if last.Perm.String() != tr.Perms {
				t.Errorf("%s: the last moment leaves the page %v, the builder %s", name, last.Perm, tr.Perms)
			}
		}
		for _, id := range diffRules {
			if rules[id] && !found(res, id) {
				t.Errorf("%s: the picture shows %s, which was not found", name, id)
			}
		}
		// What a builder does in other situations than those of the pictures is
		// FT116, too.
		any := found(res, diffRules[:len(diffRules)-1]...) || found(res, "FT116") && diffs > 0
		if marked != any && len(rules) == 0 {
			t.Errorf("%s: something is marked: %v; rules about differences found something: %v", name, marked, any)
		}
		if stale != found(res, "FT306") {
			t.Errorf("%s: instructions without maintenance in the picture: %v; FT306 found: %v", name, stale, found(res, "FT306"))
		}
		if wx != found(res, "FT301", "FT302") || final != found(res, "FT301") {
			t.Errorf("%s: the picture has rwx pages: %v, at the end: %v; found FT301: %v, FT302: %v", name, wx, final, found(res, "FT301"), found(res, "FT302"))
		}
		if strings.HasPrefix(name, "builder-good") && (marked || stale || wx) {
			t.Errorf("%s: marked %v, stale %v, rwx %v: it is a good one", name, marked, stale, wx)
		}
	}
	if seen < 30 {
		t.Errorf("%d builders among the samples; there are more", seen)
	}
}

// Which cells of some samples are marked.
func TestMarkedCells(t *testing.T) {
	for _, test := range []struct {
		sample, variant string
		want            []string // what is marked: offset or "lacks", and the rule
	}{
		{"builder-good", "ftrace_caller", nil},
		{"builder-good-nop", "ftrace_regs_caller", nil},
		{"rfc-builder", "ftrace_caller", nil},
		{"rfc-builder", "ftrace_regs_caller", []string{"literal FT109"}},
		{"builder-copy-short", "ftrace_caller", []string{"lacks ret x9 FT103"}},
		{"builder-pcrel-cbz", "ftrace_caller", []string{"FT106"}},
		{"builder-drops-insn", "ftrace_caller", []string{"lacks FT113"}},
		{"builder-slot-next", "ftrace_caller", []string{"slot", "FT111"}},
	} {
		res := drawn(t, "builders/"+test.sample+".elf")[test.sample]
		for _, tr := range picture.Of(res).Built.Trampolines {
			if tr.Variant != test.variant || tr.Graph {
				continue
			}
			var got []string
			for _, c := range tr.Cells {
				if !c.Differs {
					continue
				}
				mark := ""
				switch {
				case c.At == 0:
					mark = "lacks " + c.Model
				case c.Literal:
					mark = "literal"
				case c.Role == trampoline.CallSlot:
					mark = "slot"
				}
				for _, d := range c.Diffs {
					mark += " " + tr.Diffs[d].Rule
				}
				got = append(got, strings.TrimSpace(mark))
			}
			ok := len(got) == len(test.want)
			for i := range test.want {
				ok = ok && i < len(got) && strings.HasPrefix(got[i], strings.Fields(test.want[i])[0]) && strings.HasSuffix(got[i], test.want[i][strings.LastIndex(test.want[i], " ")+1:])
			}
			if !ok {
				t.Errorf("%s, %s: marked %q, want %q", test.sample, test.variant, got, test.want)
			}
		}
	}
}

// The order of what happened to the RFC's trampoline, and where it comes from.
func TestMoments(t *testing.T) {
	res := drawn(t, "builders/rfc-builder.elf")["rfc-builder"]
	tr := picture.Of(res).Built.Trampolines[0]
	var got []string
	for _, m := range tr.Moments {
		perm := "none"
		if m.Alive {
			perm = m.Perm.String()
		}
		got = append(got, m.Kind.String()+" "+perm)
		if picture.Of(res).Lines[m.PC].Path == "" || m.At == "" {
			t.Errorf("%v: no source line", m.Kind)
		}
	}
	want := []string{"allocate rw-", "copy rw-", "copy rw-", "store rw-", "store rw-", "store rw-", "store rw-", "flush-reset rw-", "protect rwx", "patch rwx", "patch rwx"}
	if !slices.Equal(got, want) {
		t.Errorf("moments %q, want %q", got, want)
	}
}

// Listings have the source line of each instruction, and every address that a
// finding is about is in one.
func TestListings(t *testing.T) {
	for name, res := range drawn(t, "builders/*.elf") {
		l := picture.Of(res)
		listed := map[uint64]bool{}
		for _, list := range slices.Concat(l.Entry, l.Life.Listings, l.Excerpts.Listings) {
			for _, line := range list.Lines {
				listed[line.Addr] = true
			}
		}
		for _, f := range res.Findings {
			if f.Insn != "" && !listed[f.Addr] {
				t.Errorf("%s: %s at %#x is in no listing", name, f.Rule.ID, f.Addr)
			}
		}
		if len(l.Problems) > 0 {
			t.Errorf("%s: %q", name, l.Problems)
		}
	}
}

// What a trampoline has and the model does not is marked in the listing, and the
// model's instruction stands beside what it differs from.
func TestTrampolineListing(t *testing.T) {
	res := drawn(t, "builders/builder-two-nops.elf")["builder-two-nops"]
	for _, tr := range picture.Of(res).Built.Trampolines {
		if tr.Variant != "ftrace_caller" || !tr.Graph {
			continue
		}
		l, ok := tr.Listing()
		if !ok || len(l.Lines) != 0x88/4-1 {
			t.Fatalf("%v, %d lines", ok, len(l.Lines))
		}
		for _, line := range l.Lines {
			at := line.Addr - l.Lines[0].Addr
			if want := at == 0x54; line.Differs != want { // the NOP too many
				t.Errorf("+%#x %s: differs %v, model %q (%s)", at, line.Text, line.Differs, line.Model, line.Note)
			}
		}
		if line := l.Lines[0x54/4]; line.Model != "ldp x0, x1, [sp]" {
			t.Errorf("the model has %q", line.Model)
		}
		return
	}
	t.Error("there is no such trampoline")
}

// What a trampoline lacks is in its listing, where it belongs.
func TestListingOfWhatIsMissing(t *testing.T) {
	res := drawn(t, "builders/builder-copy-short.elf")["builder-copy-short"]
	for _, tr := range picture.Of(res).Built.Trampolines {
		l, _ := tr.Listing()
		i := slices.IndexFunc(l.Lines, func(line picture.Line) bool { return line.Missing })
		if i < 1 || l.Lines[i].Text != "(nothing)" || l.Lines[i].Model != "ret x9" || !l.Lines[i].Differs {
			t.Errorf("%s: the missing ret is not shown: line %d of %+v", l.Title, i, l.Lines)
		}
	}
}

// Words of which the model says nothing are listed, but not thousands of them.
func TestListingOfManyWords(t *testing.T) {
	res := drawn(t, "builders/builder-literal-far.elf")["builder-literal-far"]
	for _, tr := range picture.Of(res).Built.Trampolines {
		l, _ := tr.Listing()
		var end uint64
		for _, line := range l.Lines {
			if end = line.Addr + max(line.Bytes, 4); line.Note == "the ops literal" {
				end = line.Addr + 8
			}
		}
		if len(l.Lines) > 400 || end != tr.Addr+tr.Size {
			t.Errorf("%s: %d lines, which end at %#x", l.Title, len(l.Lines), end)
		}
	}
}

// A rule that has findings about a BPF trampoline has one that is drawn, and the
// instruction that the finding blames is marked in it.
func TestBPFCode(t *testing.T) {
	for name, res := range drawn(t, "builders/bpf-*.elf") {
		code := picture.Of(res).BPF
		for _, f := range res.Findings {
			if f.Rule.Picture != rules.Generated || !slices.ContainsFunc(f.Evidence, func(fact string) bool { return strings.Contains(fact, " at trampoline+0x") }) {
				continue
			}
			shows := func(g picture.Generated) bool {
				for i, c := range g.Cells {
					for _, d := range c.Diffs {
						at := fmt.Sprintf("the instruction to blame is `%s` at trampoline+%#x", g.Lines[i].Text, 4*i)
						if g.Diffs[d].Rule == f.Rule.ID && slices.Contains(f.Evidence, at) {
							return true
						}
					}
				}
				return false
			}
			if !slices.ContainsFunc(code, shows) {
				t.Errorf("%s: no trampoline shows %s: %q", name, f.Rule.ID, f.Evidence)
			}
		}
		if strings.HasPrefix(name, "bpf-good") && (len(code) != 1 || len(code[0].Diffs) > 0) {
			t.Errorf("%s: %d trampolines are drawn", name, len(code))
		}
		for _, g := range code {
			if len(g.Cells) != len(g.Lines) {
				t.Errorf("%s: %d cells, %d lines", name, len(g.Cells), len(g.Lines))
			}
		}
	}
}

// Callsites of x86-64 are in reach wherever they are: a CALL may be at any address, as
// some of this kernel are.
func TestDistancesX64(t *testing.T) {
	im := images.Kernel(t, "bookworm-amd64")
	d := picture.Of(lint.File(t.Context(), im.Path, lint.Config{Pictures: picture.All, Workers: 1})).Distances
	if d == nil || d.InReach != d.Callsites || d.Callsites == 0 {
		t.Fatalf("%+v", d)
	}
}

// The life of an x86-64 callsite is laid out as it was executed, each state beside the
// one that it must be in.
func TestLifeX64(t *testing.T) {
	for name, want := range map[string][]string{
		"good": {
			", as built: nopl (%rax,%rax)",
			" after ftrace_make_nop: nopl (%rax,%rax) = nopl (%rax,%rax)",
			" after ftrace_make_call: call ftrace_caller = call ftrace_caller",
			" after ftrace_make_call, where registers are asked for: call ftrace_regs_caller = call ftrace_regs_caller",
		},
		"life-short-nops": {
			", as built: nopl (%rax,%rax)",
			" after ftrace_make_nop: nop; nop; nop; nop; nop ! nopl (%rax,%rax)",
		},
	} {
		life := picture.Of(drawn(t, "x86/"+name+".elf")[name]).Life
		if life.Err != nil {
			t.Errorf("%s: %v", name, life.Err)
		}
		var got []string
		for _, l := range life.Listings {
			line := l.Lines[0]
			state := strings.TrimPrefix(l.Title, "callsite of vfs_read") + ": " + line.Text
			if line.Model != "" {
				state += map[bool]string{false: " = ", true: " ! "}[line.Differs] + line.Model
			}
			got = append(got, state)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
