package live

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/ktypes"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/x64"
)

// A processor is one that an x86-64 kernel boots on, with arguments for the kernel.
type processor struct {
	name, cpu, args string
	thunk           bool   // its mitigations have functions return through a thunk
	needs           string // a symbol that kernels have that know its mitigations
}

var processors = []processor{
	{name: "max", cpu: "max"},
	{name: "Zen, untrained returns", cpu: "EPYC", thunk: true},
	{name: "Skylake, call depth tracking", cpu: "Skylake-Client", args: "retbleed=stuff", thunk: true, needs: "call_depth_return_thunk"},
}

// TestDynamicTrampolines boots Debian's x86-64 kernels, uses ftrace in situations with
// trampolines of its own, and compares each byte of these with what ftlint predicts: the
// trampolines that the image's builder makes when it is executed.
func TestDynamicTrampolines(t *testing.T) {
	number(t)
	for _, name := range []string{"trixie-amd64", "bookworm-amd64"} {
		t.Run(name, func(t *testing.T) {
			im := images.Kernel(t, name)
			needQemu(t, im)
			d := newDynamic(t, im)
			m, image := bootable(t, im, file{"dynamic", isFile, d.lines()})
			for _, on := range processors {
				if _, ok := im.Addr(on.needs); !ok && on.needs != "" {
					continue
				}
				m.args, m.qemu = on.args, []string{"-cpu", on.cpu}
				v, err := m.boot(t, image)
				if err != nil {
					t.Fatal(err)
				}
				if len(v.bad) > 0 {
					t.Errorf("%s: %s\n%s", on.name, strings.Join(v.bad, "\n"), strings.Join(v.console[max(0, len(v.console)-20):], "\n"))
				}
				d.boot(t, &on, v.console)
				t.Logf("%s: qemu took %.0f s of processor time", on.name, v.cpu.Seconds())
			}
		})
	}
}

// A dynamic is what ftlint predicts of a kernel's trampolines.
type dynamic struct {
	im    *elfscan.Image
	table *callsite.Table
	ops   map[string]uint64 // offsets of members of struct ftrace_ops
	runs  map[built]*trampoline.Run
}

// A built is which trampoline a Run makes.
type built struct {
	entry string // the entry code that it is a copy of
	thunk bool
}

func newDynamic(t *testing.T, im *elfscan.Image) *dynamic {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	callsite.Attach(im)
	d := &dynamic{im: im, table: table, ops: map[string]uint64{}, runs: map[built]*trampoline.Run{}}
	all := trampoline.Build(table)
	for i := range all.Runs {
		if r := &all.Runs[i]; r.Situation == trampoline.Near {
			if r.Err != nil || r.Trampoline == 0 || len(r.Diffs) > 0 {
				t.Fatalf("%s: %v %v", r.Variant(), r.Err, r.Diffs)
			}
			d.runs[built{r.Variant(), r.Thunk}] = r
		}
	}
	types, err := ktypes.Open(im, all.Builder)
	if err != nil {
		t.Fatal(err)
	}
	of, err := types.Struct("ftrace_ops")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"func", "trampoline", "trampoline_size"} {
		m, err := types.Member(of, name)
		if err != nil {
			t.Fatal(err)
		}
		d.ops[name] = m.Offset
	}
	return d
}

// lines are what the workload has to know.
func (d *dynamic) lines() []byte {
	var b bytes.Buffer
	for name, off := range d.ops {
		fmt.Fprintf(&b, "%s %d\n", name, off)
	}
	for of, r := range d.runs {
		if !of.thunk {
			fmt.Fprintf(&b, "%s %d\n", of.entry, r.Literal-r.Trampoline)
		}
	}
	return b.Bytes()
}

// A running is a kernel that has booted.
type running struct {
	*dynamic
	t     *testing.T
	on    *processor
	shift uint64            // of its addresses from those of the image
	thunk uint64            // address of the return thunk that is used; 0 if there is none
	entry map[string][]byte // the entry code
	used  map[string]int    // trampolines that were compared, by entry code
	bytes int               // that are equal
	sites int               // callsites that call what they must
}

// boot compares what a booted kernel has said.
func (d *dynamic) boot(t *testing.T, on *processor, console []string) {
	t.Helper()
	r := &running{dynamic: d, t: t, on: on, entry: map[string][]byte{}, used: map[string]int{}}
	seen, ended := map[string]bool{}, false
	num := func(s string) uint64 { v, _ := strconv.ParseUint(s, 0, 64); return v }
	for _, line := range console {
		_, what, ok := strings.Cut(line, "LIVE dynamic ")
		if !ok {
			continue
		}
		switch f := strings.Fields(what); f[0] {
		case "shift":
			text, _ := d.im.Addr("_stext")
			r.shift = num(f[1]) - text
		case "thunk":
			r.thunk = num(f[1])
		case "entry":
			r.entry[f[1]], _ = hex.DecodeString(f[2])
		case "on":
			r.site(f[1], f[2], f[3], num(f[4]), num(f[5]), f[6])
		case "code":
			seen[f[1]] = true
			code, _ := hex.DecodeString(f[10])
			r.trampoline(&placed{f[1], f[2], num(f[3]), f[4], num(f[5]), num(f[6]), num(f[7]), num(f[8]), f[9], code})
		case "end":
			ended = true
		}
	}
	if !ended || len(r.used) < 2 || len(seen) < 5 {
		t.Errorf("%s: trampolines of %v in %d situations: something does not happen", on.name, r.used, len(seen))
	}
	t.Logf("%s, shift %#x: trampolines of %v in %d situations, %d bytes as predicted, %d callsites call them", on.name, r.shift, r.used, len(seen), r.bytes, r.sites)
}

// A placed is a trampoline in a booted kernel.
type placed struct {
	situation, entry         string
	at                       uint64
	callback                 string
	ops                      uint64 // what its literal holds
	opsFunc, opsTramp, opsSz uint64 // members of that
	perm                     string
	code                     []byte
}

// site compares a callsite: the function at fn, whose code is given in hexadecimal digits,
// calls the trampoline at to, or the entry code if that is 0.
func (r *running) site(situation, entry, name string, to, fn uint64, text string) {
	code, _ := hex.DecodeString(text)
	s, ok := siteOf(r.table, fn-r.shift)
	if !ok || len(code) < 16 {
		r.t.Errorf("%s, %s: %s at %#x has no callsite: %s", r.on.name, situation, name, fn, text)
		return
	}
	if to == 0 {
		start, _ := r.entryCode(entry)
		to = start + r.shift
	}
	off := s.Call - s.Func
	call, _ := x64.EncodeCall(s.Call+r.shift, to)
	if got := code[off : off+x64.CallSize]; !bytes.Equal(got, call[:]) {
		r.t.Errorf("%s, %s: the callsite of %s is % x, `%s`, which does not call %#x", r.on.name, situation, name, got, x64.Text(got, s.Call+r.shift, nil), to)
		return
	}
	r.sites++
}

// trampoline compares a trampoline with the prediction, instruction by instruction.
func (r *running) trampoline(p *placed) {
	wrong := func(format string, args ...any) {
		r.t.Errorf("%s, %s: the trampoline at %#x of %s: %s", r.on.name, p.situation, p.at, p.entry, fmt.Sprintf(format, args...))
	}
	want := r.runs[built{p.entry, r.on.thunk}]
	if want == nil {
		wrong("nothing is predicted")
		return
	}
	model := want.Area(want.Trampoline).Bytes[want.Trampoline-want.Area(want.Trampoline).Addr:]
	if uint64(len(p.code)) < want.Size || uint64(len(model)) < want.Size {
		wrong("%d bytes can be read", len(p.code))
		return
	}
	callback, ok := r.im.Addr(p.callback)
	switch {
	case !ok:
		wrong("the image has no %s", p.callback)
	case p.opsFunc != callback+r.shift:
		wrong("the ops at %#x has the callback %#x, not %s", p.ops, p.opsFunc, p.callback)
	case p.opsTramp != p.at || p.opsSz != want.Size:
		wrong("the ops at %#x has trampoline %#x, size %d: %d was expected", p.ops, p.opsTramp, p.opsSz, want.Size)
	case p.perm != "r-x":
		wrong("its page is %s", p.perm)
	}
	start, end := r.entryCode(p.entry)
	region, literal := end-start, want.Literal-want.Trampoline
	for off := uint64(0); off < want.Size; {
		in, size := x64.Insn{}, uint64(1)
		if off < want.Code {
			in, _ = x64.Decode(model[off:])
			size = uint64(in.Len)
		}
		var expect []byte
		switch {
		case off == literal: // the ops whose members are looked at
			expect = binary.LittleEndian.AppendUint64(nil, p.ops)
		case off < region && r.nop(start+off):
			expect = r.patched(p, start, off)
		default:
			expect = bytes.Clone(model[off : off+size])
			if target, ok := in.Target(want.Trampoline + off); ok && in.PCRel > 0 {
				to := target + r.shift
				switch {
				case want.Area(target) != nil:
					to = target - want.Trampoline + p.at
				case target == want.Func:
					to = callback + r.shift
				case off >= region: // the return
					to = r.thunk
				}
				if !x64.Retarget(expect, p.at+off, to) {
					wrong("%#x is out of reach", to)
				}
			}
		}
		if got := p.code[off : off+uint64(len(expect))]; !bytes.Equal(got, expect) {
			wrong("at %#x stands % x, `%s`; % x, `%s`, was expected", off, got, x64.Text(got, p.at+off, nil), expect, x64.Text(expect, p.at+off, nil))
			return
		}
		off += uint64(len(expect))
	}
	r.used[p.entry]++
	r.bytes += int(want.Size)
}

// nop reports whether a NOP stands at an address of the image.
func (r *running) nop(addr uint64) bool {
	in, ok := x64.Decode(r.im.Code(addr, x64.MaxSize))
	return ok && in.Kind == x64.Nop
}

// patched is what a trampoline has at an offset where the image has a NOP: what the
// kernel's alternatives have put there in the entry code, which is a longer NOP, or code
// for the processor.
func (r *running) patched(p *placed, start, off uint64) []byte {
	code := r.entry[p.entry][off:]
	in, ok := x64.Decode(code)
	if !ok {
		return code[:1]
	}
	code = bytes.Clone(code[:in.Len])
	if target, ok := in.Target(start + r.shift + off); ok && in.PCRel > 0 {
		x64.Retarget(code, p.at+off, target)
	}
	return code
}

// entryCode is where entry code that is copied begins and ends in the image.
func (r *running) entryCode(entry string) (start, end uint64) {
	start, _ = r.im.Addr(entry)
	end, _ = r.im.Addr(entry + "_end")
	return start, end
}
