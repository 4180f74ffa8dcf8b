package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// A Poke is bpf_arch_text_poke(), executed.
type Poke struct {
	What  string // "to attach a trampoline beyond +128 MiB to a program"
	Diffs []Diff
	WX    []WXMoment
}

// A WXMoment is a change of permissions that makes a page writable and executable.
type WXMoment struct {
	PC    uint64 // of the call
	Func  string // "set_memory_rw"
	Stays bool   // it is still so at the end
}

// A symbolRange is code of BPF that the kernel knows the name of.
type symbolRange struct{ addr, size uint64 }

// hookLookup makes the stand-in for the look-up of BPF's symbols.
func (b *bench) hookLookup() {
	b.w.Hook(func(string) error { // addr, &size, &off, name
		addr := b.w.Arg(0)
		b.w.SetResult(0)
		for _, s := range b.symbols {
			if addr-s.addr < s.size {
				b.w.SetResult(1)
				if err := b.w.M.Write64(b.w.Arg(1), s.size); err != nil {
					return err
				}
				return b.w.M.Write64(b.w.Arg(2), addr-s.addr)
			}
		}
		return nil
	}, "__bpf_address_lookup", "bpf_address_lookup")
}

// poke calls bpf_arch_text_poke() to make the branch of a kind at ip to from one to
// to; 0 is a NOP.
func (b *bench) poke(ip, kind, from, to uint64) (ret int32, err error) {
	args := []uint64{ip, kind, from, to}
	if b.pokesBoth {
		of := func(target uint64) uint64 {
			if target == 0 {
				return b.nop
			}
			return kind
		}
		args = []uint64{ip, of(from), of(to), from, to}
	}
	b.w.Events = b.w.Events[:0]
	v, returned, err := b.w.Execute(world.Subject{Name: "bpf_arch_text_poke", Fn: b.Poke, Args: args})
	if err != nil {
		return 0, err
	}
	if !returned {
		return 0, fmt.Errorf("%s", b.w.Faults[0].What)
	}
	return int32(v), nil
}

// A traced program has these offsets in its memory.
const (
	pltOff     = 0x40 // LDR X10, target; BR X10
	targetOff  = 0x48 // 64 bits, behind the program's last instruction
	programEnd = 0x50

	ldrX10 = 0x5800004a // LDR X10, 8 bytes from here
	brX10  = 0xd61f0140
)

// programCode is the code of a program that is traced, as the JIT makes it: NOPs, and at
// its end a PLT that branches to target. call is the offset of the NOP that is patched.
func (k *Kernel) programCode(target uint64) (code []byte, call uint64) {
	add := func(words ...uint32) {
		for _, w := range words {
			code = binary.LittleEndian.AppendUint32(code, w)
		}
	}
	if k.Guarded {
		add(a64.BTIc)
	}
	add(a64.EncodeMOV(9, a64.LR))
	call = uint64(len(code))
	for len(code) < pltOff {
		add(a64.NOP)
	}
	add(ldrX10, brX10)
	return binary.LittleEndian.AppendUint64(code, target), call
}

// A tracee is a BPF program whose entry is poked.
type tracee struct {
	addr, call, body uint64
	targets          [4]uint64 // of branches: near, near, far, far
	dummy            uint64    // address of dummy_tramp
}

// targetNames are the targets in words.
var targetNames = [4]string{"a near trampoline", "another near trampoline", "a trampoline beyond 128 MiB", "another trampoline beyond 128 MiB"}

// makeTracee makes a program that is traced. above reports whether targets that are far
// away are above it.
func (b *bench) makeTracee(above bool) *tracee {
	t := &tracee{addr: b.program()}
	area, err := b.mem.Give(t.addr, programEnd, emu.Read|emu.Exec, true)
	b.must(err)
	t.dummy, _ = b.Image.Addr("dummy_tramp")
	code, call := b.programCode(t.dummy)
	t.call = t.addr + call
	t.body = t.call + a64.Size
	b.must(b.w.M.Write(area.Addr, code))
	b.symbols = append(b.symbols[:0], symbolRange{t.addr, targetOff})
	away := b.text[1] + far
	if !above {
		away = b.text[0] - 2*far
	}
	for i := range t.targets {
		at := t.addr + 1<<20
		if i >= 2 {
			at = away
		}
		t.targets[i] = at + uint64(i%2)*0x100
		b.w.M.Map(at&^(emu.PageSize-1), emu.PageSize, emu.Read|emu.Exec)
		b.must(b.w.M.Write32(t.targets[i], a64.BTIjc))
	}
	return t
}

// enter executes the program's entry. It says where execution comes to, and whether
// registers are as they must be there. kind is that of the branch, if there is one.
func (b *bench) enter(t *tracee, kind uint64, want uint64) string {
	m := b.w.M
	b.w.Enter()
	m.Guarded = b.Guarded
	before := m.X
	before[30] = b.caller()
	m.X, m.PC = before, t.addr
	at := uint64(0)
	stop := func(*emu.Machine) error { at = m.PC; return errDone }
	places := append([]uint64{t.body}, t.targets[:]...)
	for _, a := range places {
		m.Hook(a, stop)
		defer m.Hook(a, nil)
	}
	err := m.Run(b.caller())
	if at == 0 {
		if err == nil {
			return "the program returns at once"
		}
		return fmt.Sprintf("the program does not run: %v", b.w.Explain(err))
	}
	name := func(a uint64) string {
		for i, target := range t.targets {
			if a == target {
				return targetNames[i]
			}
		}
		return "the program itself"
	}
	if want == 0 {
		want = t.body
	}
	if at != want {
		return fmt.Sprintf("%s runs, not %s", name(at), name(want))
	}
	lr := b.caller()
	if kind == b.call && want != t.body {
		lr = t.body
	}
	for i := range 30 {
		if i != 9 && i != 10 && i != 16 && i != 17 && m.X[i] != before[i] {
			return fmt.Sprintf("x%d is lost on the way to %s", i, name(at))
		}
	}
	if m.X[30] != lr || m.X[9] != b.caller() {
		return fmt.Sprintf("x30 is %#x and x9 %#x at %s, %#x and %#x were expected", m.X[30], m.X[9], name(at), lr, b.caller())
	}
	return ""
}

// A change is one call of bpf_arch_text_poke() in a program's life: from one target
// to another. -1 stands for a NOP.
type change struct{ from, to int }

// life is what happens to a program's entry.
var life = []change{{-1, 0}, {0, 1}, {1, 2}, {2, 3}, {3, 0}, {0, -1}, {-1, 2}, {2, -1}}

func (c change) String() string {
	switch {
	case c.from < 0:
		return "to attach " + targetNames[c.to]
	case c.to < 0:
		return "to detach " + targetNames[c.from]
	}
	return fmt.Sprintf("to replace %s by %s", targetNames[c.from], targetNames[c.to])
}

// pokes executes bpf_arch_text_poke() through the life of a program's entry, in both
// kinds of branches, and the entry after each change.
func (b *bench) pokes() (out []Poke, stuck error) {
	for _, kind := range []uint64{b.call, b.jump} {
		for _, above := range []bool{true, false} {
			b.reset()
			t := b.makeTracee(above)
			for _, c := range life {
				p, err := b.pokeOnce(t, c, kind)
				if err != nil {
					return out, err
				}
				if out = append(out, p); len(p.Diffs) > 0 {
					break
				}
			}
		}
	}
	bad, err := b.badPokes()
	return append(out, bad...), err
}

func (t *tracee) target(i int) uint64 {
	if i < 0 {
		return 0
	}
	return t.targets[i]
}

// pokeOnce makes one change, and executes the program's entry.
func (b *bench) pokeOnce(t *tracee, c change, kind uint64) (p Poke, stuck error) {
	p.What = c.String()
	if kind == b.jump {
		p.What += " in place of a program"
	}
	diff := func(k DiffKind, pc uint64, format string, args ...any) {
		p.Diffs = append(p.Diffs, Diff{Kind: k, Text: fmt.Sprintf(format, args...), Emitter: Emitter{PC: pc}})
	}
	ret, err := b.poke(t.addr, kind, t.target(c.from), t.target(c.to))
	p.WX = b.moments()
	if err != nil {
		if proof := b.proof(err); proof != "" {
			diff(Detach, b.Poke, "%s", proof)
			return p, nil
		}
		return p, err
	}
	if ret != 0 {
		diff(Detach, b.Poke, "returns %d", ret)
		return p, nil
	}
	for i := range b.w.Events {
		e := &b.w.Events[i]
		switch {
		case e.Kind == world.Trap:
			diff(Detach, e.PC, "warns (brk #%#x)", e.Value)
		case e.Kind == world.Store && (e.Addr < t.addr+targetOff || e.Addr+e.Size > t.addr+programEnd):
			diff(Detach, e.PC, "writes to %+d of the program", int64(e.Addr-t.addr))
		case e.Kind == world.Store && e.Size != 8:
			diff(Torn, e.PC, "writes the PLT's target by stores of %d bytes: a processor that reads it meanwhile sees a part", e.Size)
		case e.Kind == world.Store && e.Perm&emu.Write == 0:
			diff(Detach, e.PC, "stores to the program's memory, which is read-only")
		}
	}
	if bad := b.enter(t, kind, t.target(c.to)); bad != "" {
		k := Detach
		if c.to >= 2 {
			k = Reach
		}
		diff(k, b.Poke, "after that %s", bad)
	}
	if c.from >= 2 && c.to < 2 { // a processor may have read BL plt before
		if v, _ := b.w.M.Read64(t.addr + targetOff); v != t.dummy {
			diff(Detach, b.Poke, "leaves %#x as the target of the PLT, not dummy_tramp", v)
		}
	}
	return p, nil
}

// proof says what an error of poke shows, "" if it shows nothing.
func (b *bench) proof(err error) string {
	var stop *emu.Stop
	if !errors.As(err, &stop) && len(b.w.Faults) > 0 {
		return err.Error()
	}
	return b.w.Astray(err)
}

// moments are the changes of permissions that made pages writable and executable.
func (b *bench) moments() (out []WXMoment) {
	const wx = emu.Write | emu.Exec
	for i := range b.w.Events {
		e := &b.w.Events[i]
		if e.Kind != world.Protect || e.Err || e.Perm&wx != wx {
			continue
		}
		stays := false
		for _, a := range b.mem.Areas {
			stays = stays || !a.Freed && a.Contains(e.Addr) && a.PermAt(e.Addr)&wx == wx
		}
		out = append(out, WXMoment{PC: e.PC, Func: e.Func, Stays: stays})
	}
	return out
}

// badPokes executes bpf_arch_text_poke() where it must refuse, or where something
// fails. It must say so, and leave the program as it was.
func (b *bench) badPokes() (out []Poke, stuck error) {
	type situation struct {
		what     string
		from, to int
		at       uint64 // offset of what is poked
		fail     string
		perm     int
	}
	for _, s := range []situation{
		{what: "where another branch stands than is said", from: 0, to: 1},
		{what: "where a branch is said to stand and none does", from: 0, to: -1},
		{what: "to attach a trampoline to what is not BPF's code", from: -1, to: 0, at: 1 << 16},
		{what: "where the instruction cannot be read", from: -1, to: 0, fail: "aarch64_insn_read"},
		{what: "where the instruction cannot be written", from: -1, to: 0, fail: "aarch64_insn_patch_text_nosync"},
		{what: "where set_memory_rw() fails", from: -1, to: 2, perm: 1},
	} {
		b.reset()
		t := b.makeTracee(true)
		if s.fail != "" {
			b.w.FailCall(s.fail, 1)
		}
		b.mem.Expect(s.perm)
		ret, err := b.poke(t.addr+s.at, b.call, t.target(s.from), t.target(s.to))
		b.w.Fail = nil
		p := Poke{What: s.what}
		changes := 0
		for i := range b.w.Events {
			if e := &b.w.Events[i]; e.Kind == world.Protect {
				changes++
			}
		}
		switch {
		case s.perm > 0 && changes == 0:
			continue // it needs no change of permissions
		case err != nil:
			if proof := b.proof(err); proof != "" {
				p.Diffs = []Diff{{Kind: Failing, Text: proof, Emitter: Emitter{PC: b.Poke}}}
				break
			}
			return out, err
		case ret >= 0:
			p.Diffs = []Diff{{Kind: Failing, Text: fmt.Sprintf("returns %d, an error was expected", ret), Emitter: Emitter{PC: b.Poke}}}
		default:
			if bad := b.enter(t, b.call, 0); bad != "" {
				p.Diffs = []Diff{{Kind: Failing, Text: "returns an error, but " + bad, Emitter: Emitter{PC: b.Poke}}}
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// detaches judges what is patched in a trampoline that is given up, or that loses a
// program: the trampoline is executed after the patch.
func (b *bench) detaches(c *Case) (one Results) {
	fails := func(while, format string, args ...any) {
		one.Failed = append(one.Failed, Failed{*c, while, []Diff{{Kind: Detach, Text: fmt.Sprintf(format, args...), Emitter: Emitter{PC: b.Poke}}}})
	}
	run := func(s Scenario, patch func(t *Built) (int32, error), noted, while string) {
		t := b.build(c, true)
		if t.Err != nil || t.Ret <= 0 {
			return // try has judged it
		}
		b.symbols = append(b.symbols[:0], symbolRange{t.Addr, uint64(t.Size)})
		s.FuncRet = 0x7e57
		ret, err := patch(t)
		one.Runs++
		if err != nil {
			if proof := b.proof(err); proof != "" {
				fails(while, "%s", proof)
			} else {
				one.Stuck = append(one.Stuck, err)
			}
			return
		}
		if ret != 0 {
			fails(while, "the patch of the trampoline returns %d", ret)
			return
		}
		b.must(b.w.M.Read(t.Addr, t.Code))
		diffs, err := b.execute(c, t, &s, nil)
		if err != nil {
			one.Stuck = append(one.Stuck, err)
			return
		}
		for i := range diffs {
			diffs[i].Kind = Detach
			diffs[i].Emitter = b.emit[t.im+b.image.members[noted].Offset]
			diffs[i].At = 0
		}
		if len(diffs) > 0 {
			one.Failed = append(one.Failed, Failed{*c, while, diffs})
		}
	}
	if b.image.has("ip_after_call") && c.Flags&flagCallOrig != 0 {
		run(Scenario{GivenUp: true}, func(t *Built) (int32, error) {
			if t.AfterCall == 0 || t.Epilogue == 0 {
				return 0, nil // execute finds that nothing has changed
			}
			return b.poke(t.AfterCall, b.jump, 0, t.Epilogue)
		}, "ip_epilogue", "the trampoline given up (a branch from ip_after_call to ip_epilogue)")
	}
	skip, ok := b.Image.Addr("arch_bpf_trampoline_skip")
	if !b.image.has("skips") || !ok {
		return one
	}
	for i := range c.Progs {
		while := (&runner{c: c}).progName(i) + " taken off"
		run(Scenario{Detached: map[int]bool{i: true}}, func(t *Built) (int32, error) {
			for _, s := range t.Skips {
				if s.Prog == t.progs[i] {
					v, returned, err := b.w.Execute(world.Subject{Name: "arch_bpf_trampoline_skip", Fn: skip, Args: []uint64{s.NOP, s.Target}})
					if err == nil && !returned {
						err = errors.New(b.w.Faults[0].What)
					}
					return int32(v), err
				}
			}
			return 0, nil
		}, "skips", while)
	}
	return one
}
