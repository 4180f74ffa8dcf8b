package live

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/bpf"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/tracing"
)

// An attachment is programs on a function that the workload calls.
type attachment struct {
	name, fn, call string
	proto          bpf.Proto
	progs          []bpf.Prog
	rets           []int32  // what they return
	args           []uint64 // what they are to see; 0: an address that is not known
	ret            int32    // what the function returns
	result         int64    // what the system call returns, if no program changes it
}

// Error numbers of the kernel.
const (
	e2big  = 7
	einval = 22
	enosys = 38
)

// attachments are those that are tried.
func attachments() (list []attachment) {
	long, num := bpf.Arg{Size: 8}, bpf.Arg{Size: 4}
	prctl := attachment{fn: "security_task_prctl", call: "prctl", proto: bpf.Proto{Args: []bpf.Arg{num, long, long, long, long}, Ret: 4},
		args: []uint64{0x7e57, 0x1111, 0x2222_2222_2222, 0x3333, 0x4444}, ret: -enosys, result: -einval}
	sync := attachment{fn: "ksys_sync", call: "sync"}
	read := attachment{fn: "vfs_read", call: "read", proto: bpf.Proto{Args: []bpf.Arg{long, long, long, long}, Ret: 8},
		args: []uint64{0, 0, 77, 0}, ret: 77, result: 77}
	add := func(to attachment, name string, rets []int32, kinds ...bpf.Kind) {
		to.name, to.rets = to.fn+":"+name, make([]int32, len(kinds))
		copy(to.rets, rets)
		for i, k := range kinds {
			to.progs = append(to.progs, bpf.Prog{Kind: k, Cookie: []uint64{0, 1, 0x1234_5678, 0x1234_5678_9abc_def0}[i%4]})
		}
		list = append(list, to)
	}
	const fentry, fexit, fmod = bpf.Fentry, bpf.Fexit, bpf.ModifyReturn
	for _, to := range []attachment{prctl, sync, read} {
		add(to, "fentry", nil, fentry)
		add(to, "fexit", nil, fexit)
		add(to, "both", nil, fentry, fentry, fexit, fexit)
	}
	add(prctl, "fmod_ret", nil, fmod)
	add(prctl, "fmod_ret_ends", []int32{-e2big}, fmod)
	add(prctl, "all", nil, fentry, fentry, fmod, fmod, fexit, fexit)
	add(prctl, "all_second_ends", []int32{0, 0, 0, -e2big}, fentry, fentry, fmod, fmod, fexit, fexit)
	add(prctl, "all_first_ends", []int32{0, 0, -e2big}, fentry, fentry, fmod, fmod, fexit, fexit)
	target := attachment{fn: "target", call: "program", proto: bpf.Proto{Args: []bpf.Arg{long}, Ret: 4}, args: []uint64{0}, ret: 42, result: 42}
	add(target, "fentry", nil, fentry)
	add(target, "fexit", nil, fexit)
	add(target, "both", nil, fentry, fentry, fexit, fexit)
	return list
}

// isProgram reports whether the function is a BPF program, the only functions that kernels
// without direct calls attach to.
func (a *attachment) isProgram() bool { return a.call == "program" }

// TestTrampolines boots Debian's kernels, attaches BPF programs to functions and to a BPF
// program, and calls these. The words of each trampoline, and what programs and the caller
// see, are what ftlint says.
func TestTrampolines(t *testing.T) {
	number(t)
	names := []string{"bookworm", "trixie", "sid"}
	if s := os.Getenv("FTLINT_LIVE_FUNCTIONS"); s != "" {
		names = strings.Fields(s)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { attachAll(t, images.Kernel(t, name)) })
	}
}

func attachAll(t *testing.T, im *elfscan.Image) {
	needQemu(t, im)
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	callsite.Attach(im)
	functions, err := tracing.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	guarded := slices.ContainsFunc(table.Sites(), func(s callsite.Site) bool { return s.BTI })
	k, err := bpf.Open(table, callsite.ReadTypes(im, false), guarded)
	if err != nil {
		t.Fatal(err)
	}
	list := slices.DeleteFunc(attachments(), func(a attachment) bool { return !a.isProgram() && !k.HasSite })
	var lines bytes.Buffer
	built := map[string][]*bpf.Built{}
	for i := range list {
		a := &list[i]
		fn, _ := im.Addr(a.fn)
		site, found := siteOf(table, fn)
		if !found && !a.isProgram() {
			t.Fatalf("%s has no callsite", a.fn)
		}
		for _, place := range []bpf.Place{bpf.Near, bpf.Apart} {
			b, err := k.Trampoline(a.toCase(place), site)
			if err != nil {
				t.Fatalf("%s: %v", a.name, err)
			}
			built[a.name] = append(built[a.name], b)
		}
		const more = 64 // bytes: addresses that take more instructions to load
		size := max(len(built[a.name][0].Code), len(built[a.name][1].Code)) + more
		id := uint32(0)
		for _, f := range functions.Functions {
			if f.Addr == fn && f.Name == a.fn {
				id = f.BTF
			}
		}
		fmt.Fprintf(&lines, "case %s %d %d %d %s %d\n", a.name, id, len(a.args), min(a.proto.Ret, 1), a.call, size)
		for i, prog := range a.progs {
			fmt.Fprintf(&lines, "prog %v %#x %d\n", prog.Kind, prog.Cookie, a.rets[i])
		}
	}
	m, image := bootable(t, im, file{"trampolines", isFile, lines.Bytes()})
	v, err := m.boot(t, image)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.bad) > 0 {
		t.Errorf("%s\n%s", strings.Join(v.bad, "\n"), strings.Join(v.console[max(0, len(v.console)-20):], "\n"))
	}
	said := map[string][]string{}
	for _, line := range v.console {
		if _, what, ok := strings.Cut(line, "LIVE trampoline "); ok {
			name, rest, _ := strings.Cut(what, " ")
			said[name] = append(said[name], rest)
		}
	}
	words := 0
	for i := range list {
		words += list[i].compare(t, im, said[list[i].name], built[list[i].name])
	}
	t.Logf("%d trampolines, %d words as predicted", len(list), words)
}

// siteOf is the callsite of the function at fn.
func siteOf(table *callsite.Table, fn uint64) (callsite.Site, bool) {
	for _, addr := range table.Addrs {
		if s := table.Site(addr); s.OK && s.Func == fn {
			return s, true
		}
	}
	return callsite.Site{}, false
}

// toCase is the case that the kernel makes of an attachment. Programs ask for the
// function's address.
func (a *attachment) toCase(place bpf.Place) *bpf.Case {
	c := bpf.Case{Name: a.name, Proto: a.proto, Progs: a.progs, Flags: bpf.IPArg, Place: place}
	if a.isProgram() {
		c.From = bpf.Program
	}
	return c.Usual()
}

// compare compares what a booted kernel said with what is predicted. The result is the
// number of words that are equal.
func (a *attachment) compare(t *testing.T, im *elfscan.Image, said []string, built []*bpf.Built) (equal int) {
	t.Helper()
	c := a.toCase(bpf.Near)
	s := bpf.Scenario{FuncRet: uint64(int64(a.ret)), Ret: map[int]uint64{}}
	for i, r := range a.rets {
		s.Ret[i] = uint64(int64(r))
	}
	runs, ret := c.Runs(&s)
	want := map[string]bool{}
	result := a.result
	if a.proto.Ret > 0 && ret != s.FuncRet {
		result = int64(ret)
	}
	want[fmt.Sprintf("returned %#x", uint64(result))] = true
	fn := uint64(0)
	if !a.isProgram() {
		fn, _ = im.Addr(a.fn)
	}
	ran := map[int]int{}
	for n, r := range runs {
		ran[r.Prog] = n + 1
	}
	for i, prog := range a.progs {
		fields := []uint64{0, 0, 0, 0}
		if n := ran[i]; n > 0 {
			fields = []uint64{1, uint64(n), fn, prog.Cookie}
		}
		text := fmt.Sprintf("saw %d %d %d %#x %#x", i, fields[0], fields[1], fields[2], fields[3])
		for j := range len(a.args) + 1 {
			v := uint64(0)
			switch n := ran[i]; {
			case n == 0:
			case j < len(a.args):
				v = a.args[j]
			case a.proto.Ret > 0 && runs[n-1].HasRet:
				v = runs[n-1].Ret
			}
			text += fmt.Sprintf(" %#x", v)
		}
		want[text] = true
	}
	for _, line := range said {
		what, rest, _ := strings.Cut(line, " ")
		if what == "words" {
			equal = a.compareWords(t, im, rest, built)
			continue
		}
		if !want[a.known(line)] {
			t.Errorf("%s: not expected: %s", a.name, line)
		}
		delete(want, a.known(line))
	}
	for text := range want {
		t.Errorf("%s: expected, and not said: %s", a.name, text)
	}
	if equal == 0 {
		t.Errorf("%s: no words are equal", a.name)
	}
	return equal
}

// known is a line with 0 in place of what is not known: addresses among the arguments of
// a program that ran, and the upper halves of the arguments and results that are ints.
func (a *attachment) known(line string) string {
	f := strings.Fields(line)
	if f[0] != "saw" || f[2] == "0" {
		return line
	}
	if a.isProgram() { // nor is its address
		f[4] = "0x0"
	}
	for j := range f[6:] {
		v, _ := strconv.ParseUint(f[6+j], 0, 64)
		switch {
		case j < len(a.args) && a.args[j] == 0:
			v = 0
		case j < len(a.args) && a.proto.Args[j].Size == 4:
			v = uint64(uint32(v))
		case j == len(a.args) && a.proto.Ret == 4 && v != 0:
			v = uint64(int64(int32(v)))
		}
		f[6+j] = fmt.Sprintf("%#x", v)
	}
	return strings.Join(f, " ")
}

// compareWords compares the words of a trampoline with those of one of the predictions.
func (a *attachment) compareWords(t *testing.T, im *elfscan.Image, text string, built []*bpf.Built) int {
	t.Helper()
	fields := strings.Fields(text)
	at, _ := strconv.ParseUint(fields[0], 0, 64)
	var words []uint32
	for _, f := range fields[1:] {
		w, _ := strconv.ParseUint(f, 16, 32)
		words = append(words, uint32(w))
	}
	var first string
	for _, b := range built {
		var predicted []uint32
		for i := 0; i+4 <= len(b.Code); i += 4 {
			predicted = append(predicted, binary.LittleEndian.Uint32(b.Code[i:]))
		}
		want := units(predicted, b.Addr)
		got := units(words, at)
		bad := differ(im, got[:min(len(got), len(want))], want)
		if bad == "" {
			return len(predicted)
		}
		if first == "" {
			first = bad
		}
	}
	t.Errorf("%s: the trampoline at %#x is not as predicted: %s", a.name, at, first)
	return 0
}

// A unit is an instruction, or several that load a value into a register: the instruction
// without the value, and the value.
type unit struct {
	word  uint32
	n     int // instructions
	value uint64
	holds bool // it has a value
}

// units takes code apart. Values are those that MOVZ, MOVN and MOVK make, and targets of
// BL.
func units(words []uint32, at uint64) (out []unit) {
	const kind, movn, movz, movk, field = 0xff800000, 0x92800000, 0xd2800000, 0xf2800000, 0x1f
	part := func(w uint32) (v uint64, shift int) {
		shift = int(w>>21&3) * 16
		return uint64(w>>5&0xffff) << shift, shift
	}
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w&kind == movn || w&kind == movz:
			u := unit{word: w & field, n: 1, holds: true}
			v, _ := part(w)
			if u.value = v; w&kind == movn {
				u.value = ^v
			}
			for i+1 < len(words) && words[i+1]&kind == movk && words[i+1]&field == w&field {
				i++
				v, shift := part(words[i])
				u.value = u.value&^(0xffff<<shift) | v
				u.n++
			}
			out = append(out, u)
		case a64.Classify(w) == a64.Call:
			target, _ := a64.Target(w, at+4*uint64(i))
			out = append(out, unit{0x94000000, 1, target, true})
		default:
			out = append(out, unit{word: w, n: 1})
		}
	}
	return out
}

// differ says how code differs from what is predicted; "" if it does not but for
// addresses. What is at one address in the one is at one in the other. Addresses in the
// image are the same.
func differ(im *elfscan.Image, got, want []unit) string {
	there, back := map[uint64]uint64{}, map[uint64]uint64{}
	at := 0
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) {
			return fmt.Sprintf("%d instructions and values, %d were expected", len(got), len(want))
		}
		g, w := got[i], want[i]
		where := fmt.Sprintf("word %d", at)
		at += w.n
		if g.word != w.word || g.holds != w.holds {
			return fmt.Sprintf("%s is %08x, %08x was expected", where, g.word, w.word)
		}
		_, inImage := im.SymbolAt(w.value)
		switch same := g.value == w.value; {
		case !w.holds || same:
		case inImage, w.value>>52 != 0xfff, g.value>>52 != 0xfff: // the same, or no address of the kernel's, of 52 bits
			return fmt.Sprintf("%s: %#x, %#x (%s) was expected", where, g.value, w.value, im.Name(w.value))
		case there[w.value] == 0 && back[g.value] == 0:
			there[w.value], back[g.value] = g.value, w.value
		case there[w.value] != g.value || back[g.value] != w.value:
			return fmt.Sprintf("%s: %#x, which stands for another address elsewhere", where, g.value)
		}
	}
	return ""
}
