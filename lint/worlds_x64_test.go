package lint_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	emux64 "github.com/ftlint/ftlint/emu/x64"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/mutants"
	"github.com/ftlint/ftlint/world"
	"github.com/ftlint/ftlint/x64"
)

// x64Worlds are worlds for x86-64 images. They are world.World's own, with random
// values in registers, flags, memory, callsites and ops, calls that fail at random, and
// text that is not what it should be. Noted is what the rest of the kernel can see: what
// is called, with which arguments, what is allocated, freed, protected, patched and
// warned of, what is stored outside the stack and the function's own buffers, and what
// comes back to the caller. A mutant for which all of that is the same in all worlds
// changes nothing.
type x64Worlds struct {
	im    *elfscan.Image
	w     *world.World
	m     *emux64.Machine
	mem   *world.Memory
	r     *rand.Rand
	play  func(*x64Worlds)
	plain [][]uint64 // what is seen in each world without a mutant
	seen  []uint64
	done  bool // a function has not returned
	err   error
	sites []callsite.Site
	ops   map[string]uint64
	types *callsite.Types

	// own are the addresses of buffers that no other function looks at.
	own map[uint64]bool

	refused bool           // something fails in this world, so that a warning is allowed, and not asked for
	iter    []uint64       // records that ftrace_replace_code() goes through
	updates map[uint64]int // what ftrace_test_record() says of each
	stores  uint64         // a sum of what is stored
}

const x64WorldCount = 150

// ownX64 are the beginnings of names of variables that no other function looks at, or
// that are for messages.
var ownX64 = []string{"insn.", "__already_done", "ftrace_expected"}

func newX64Worlds(t *testing.T, im *elfscan.Image, sites []callsite.Site, play func(*x64Worlds)) *x64Worlds {
	t.Helper()
	j := &x64Worlds{im: im, w: world.New(im), play: play, sites: sites, types: callsite.ReadTypes(im, true), own: map[uint64]bool{}, updates: map[uint64]int{}}
	j.m = j.w.X
	j.w.Mem.WatchLoaded = true
	fn, ok := im.Lookup("arch_ftrace_update_trampoline")
	if !ok {
		t.Fatal("no builder")
	}
	j.ops = opsMembers(t, im, fn.Addr)
	j.mem = world.NewMemory(j.w)
	if _, ok := im.Addr("__vmalloc_node_range"); ok {
		j.w.Unhook("module_alloc")
	}
	area := j.w.Mem.OnWrite
	j.w.Mem.OnWrite = func(pc, addr uint64, size int, value uint64) {
		area(pc, addr, size, value)
		j.store(addr, size, value)
	}
	j.hooks()
	died := 0
	for i := range x64WorldCount {
		j.plain = append(j.plain, slices.Clone(j.run(i, nil)))
		if j.done {
			died++
		}
	}
	if died*20 > x64WorldCount {
		t.Errorf("the code as it is does not return in %d of %d worlds: %v", died, x64WorldCount, j.err)
	}
	return j
}

// store adds a store to the sum, unless nobody else can see it.
func (j *x64Worlds) store(addr uint64, size int, value uint64) {
	if _, inImage := j.im.SectionAt(addr); inImage {
		own, known := j.own[addr]
		if !known {
			s, ok := j.im.SymbolAt(addr)
			own = ok && slices.ContainsFunc(ownX64, func(p string) bool { return strings.HasPrefix(s.Name, p) })
			j.own[addr] = own
		}
		if own {
			return
		}
	}
	if slices.ContainsFunc(j.mem.Areas, func(a *world.Area) bool { return a.Contains(addr) }) {
		return // its contents are looked at
	}
	h := (addr ^ uint64(size)<<56) * 0x9e3779b97f4a7c15
	j.stores += (h ^ value) * 1099511628211
}

func (j *x64Worlds) note(v ...uint64) { j.seen = append(j.seen, v...) }

func (j *x64Worlds) same(m *mutants.X64) bool {
	for i, want := range j.plain {
		if !slices.Equal(j.run(i, m), want) {
			return false
		}
	}
	return true
}

// executes reports whether the instruction at addr is executed in any world.
func (j *x64Worlds) executes(addr uint64) bool {
	return !j.same(&mutants.X64{Addr: addr, Code: []byte{0x0f, 0x0b}}) // UD2
}

// run plays a world, with the mutant or without.
func (j *x64Worlds) run(i int, m *mutants.X64) []uint64 {
	j.r = rand.New(rand.NewPCG(uint64(i), 0x78))
	j.w.Reset()
	j.mem.Reset(arch.X86.Modules.Base + j.r.Uint64N(512)*emu.PageSize)
	j.w.Fail = nil
	j.seen, j.done, j.stores, j.refused = j.seen[:0], false, 0, false
	j.iter = nil
	clear(j.updates)
	if canary, ok := j.w.PerCPU(arch.X86.Canary); ok {
		j.must(j.w.Mem.Write64(canary, j.r.Uint64()))
	}
	if m != nil {
		j.must(j.w.Mem.Write(m.Addr, m.Code))
	}
	if j.r.IntN(2) == 0 {
		j.w.FlipFlags()
	}
	j.m.MaxSteps = 1 << 18
	j.play(j)
	return j.seen
}

func (j *x64Worlds) must(err error) {
	if err != nil {
		j.note(0xe4404)
	}
}

func (j *x64Worlds) addr(name string) uint64 { a, _ := j.im.Addr(name); return a }

// set gives a variable of 32 bits a value, if the image has it.
func (j *x64Worlds) set(name string, v uint32) {
	if a := j.addr(name); a != 0 {
		j.must(j.w.Mem.Write32(a, v))
	}
}

// hide has a value that is an address on the stack be the same wherever that is.
func hide(v uint64) uint64 {
	if v-world.Stack < 64<<10 {
		return 0x57ac
	}
	return v
}

// hook notes each call of the functions, with the first arguments: x of 64 bits, w of 32.
func (j *x64Worlds) hook(takes string, result func() uint64, names ...string) {
	j.w.Hook(func(name string) error {
		j.note(j.addr(name))
		for i, c := range takes {
			v := hide(j.w.Arg(i))
			if c == 'w' {
				v = uint64(uint32(v))
			}
			j.note(v)
		}
		v := uint64(0xc10b_2222_c10b_0000)
		if result != nil {
			v = result()
		}
		j.w.SetResult(v)
		return nil
	}, names...)
}

func (j *x64Worlds) hooks() {
	read := func(a uint64) uint64 { v, _ := j.w.Mem.Read64(a); return v }
	j.hook("x", func() uint64 { return read(j.w.Arg(0) + j.ops["func"]) }, "ftrace_ops_get_func")
	j.hook("x", nil, "mutex_lock", "mutex_unlock")
	j.hook("", nil, "text_poke_finish", "smp_text_poke_batch_finish")
	j.hook("w", nil, "ftrace_modify_all_code")
	next := func(i int) uint64 {
		if i < len(j.iter) {
			return 0xffff_0001_0000_0000 + uint64(i)<<32
		}
		return 0
	}
	index := func() int { return int(j.w.Arg(0)>>32) - 0xffff_0001 }
	j.hook("", func() uint64 { return next(0) }, "ftrace_rec_iter_start")
	j.hook("x", func() uint64 { return next(index() + 1) }, "ftrace_rec_iter_next")
	j.hook("x", func() uint64 {
		if i := index(); i >= 0 && i < len(j.iter) {
			return j.iter[i]
		}
		return 0
	}, "ftrace_rec_iter_record")
	const high = 0xc10b_0000_0000_0000 // of a register with an int
	j.hook("xw", func() uint64 { return high | uint64(j.updates[j.w.Arg(0)]) }, "ftrace_test_record", "ftrace_update_record")
	j.hook("x", func() uint64 { return read(j.w.Arg(0) + 64) }, "ftrace_get_addr_curr")
	j.hook("x", func() uint64 { return read(j.w.Arg(0) + 72) }, "ftrace_get_addr_new")
	j.hook("xx", nil, "ftrace_bug") // to whom another error tells the same
	j.w.Hook(func(name string) error {
		j.note(j.addr(name), j.w.Arg(0), j.w.Arg(1), hide(j.w.Arg(3)))
		j.w.SetResult(high)
		if j.r.IntN(3) == 0 {
			j.w.SetResult(high | uint64(pick(j.r, 1, 0xffff_fff0, j.r.Uint32())))
		}
		return nil
	}, arch.X86.GraphEnter...)
	j.w.AtCall = func(name string) {
		if slices.Contains(arch.X86.Patching.WriteBytes, name) && name != "text_poke_early" {
			j.note(hide(j.w.Arg(3))) // what is emulated meanwhile
		}
	}
	j.hook("", nil, "__SCT__preempt_schedule_notrace", "preempt_schedule_notrace", "preempt_schedule_notrace_thunk")
}

// events notes what was done, in order: what is stored to memory is looked at as a
// whole instead.
func (j *x64Worlds) events() {
	for _, e := range j.w.Events {
		switch e.Kind {
		case world.Store:
			if e.Perm&emu.Write == 0 {
				j.note(0x5707)
			}
		case world.Trap:
			if !j.refused {
				j.note(0x74a9)
			}
		case world.Copy:
			if e.Perm&emu.Write == 0 {
				j.note(0x5707)
			}
		default:
			failed := uint64(0)
			if e.Err {
				failed = 1
			}
			j.note(uint64(e.Kind), e.Addr, e.Size, e.Value, uint64(e.Perm), failed)
			if queuesX64[e.Func] {
				j.note(0x9e)
			}
		}
	}
	j.w.Events = j.w.Events[:0]
}

var queuesX64 = map[string]bool{"text_poke_queue": true, "smp_text_poke_batch_add": true}

// areas notes the memory for code, as it is.
func (j *x64Worlds) areas(upTo func(*world.Area) uint64) {
	for _, a := range j.mem.Areas {
		if a.Freed {
			j.note(0xf4ee)
			continue
		}
		b := make([]byte, min(upTo(a), 4096))
		_ = j.w.Mem.Read(a.Addr, b)
		for c := range slices.Chunk(b, 8) {
			j.note(binary.LittleEndian.Uint64(append(bytes.Clone(c), make([]byte, 8)...)))
		}
		for _, p := range a.Perms {
			j.note(uint64(p))
		}
	}
}

// call calls a function. width is how many bits of its result count; anyError is as
// for A64.
func (j *x64Worlds) call(name string, width uint, args ...uint64) {
	fn := j.addr(name)
	if fn == 0 || j.done {
		return
	}
	j.w.Enter()
	j.m.Flags = emux64.FlagIF | j.r.Uint64()&(emux64.FlagCF|emux64.FlagPF|emux64.FlagZF|emux64.FlagSF|emux64.FlagOF)
	top := uint64(world.StackTop)
	junk := make([]byte, 1024)
	for i := range junk {
		junk[i] = byte(j.r.Uint32())
	}
	j.must(j.w.Mem.Write(top-1024, junk))
	above := make([]byte, 512)
	j.must(j.w.Mem.Read(top, above))
	ret, err := j.w.Call(fn, args...)
	j.events()
	if err != nil {
		var stop *emu.Stop
		if j.note(0xdead); errors.As(err, &stop) {
			j.note(uint64(stop.Reason))
		}
		j.done, j.err = true, err
		return
	}
	switch {
	case width == anyError:
		if ret = uint64(uint32(ret)); -4095 <= int32(ret) && int32(ret) < 0 {
			ret = 1 << 32
		}
	case width < 64:
		ret &= 1<<width - 1
	}
	j.note(ret, j.m.R[emux64.RSP], j.m.Flags&emux64.FlagDF, j.stores)
	for _, i := range emux64.Saved {
		j.note(j.m.R[i])
	}
	now := make([]byte, 512)
	j.must(j.w.Mem.Read(top, now))
	if !bytes.Equal(now, above) {
		j.note(0xbad)
	}
}

// playX64Builder builds, updates and frees the trampoline of a random ops.
func playX64Builder(j *x64Worlds) {
	r, m := j.r, j.w.Mem
	j.mem.FailAlloc = r.IntN(8) == 0
	j.mem.FailCopy = max(0, r.IntN(9)-5)
	j.mem.FailPerm = 0 // its result means nothing to the builder
	j.refused = j.mem.FailAlloc || j.mem.FailCopy > 0
	j.set("system_state", uint32(pick(r, 3, 3, 3, 1, 0)))
	if a := j.addr("boot_cpu_data"); a != 0 { // mitigations
		var b [1]byte
		for off := uint64(0); off < 128; off++ {
			if r.IntN(2) == 0 {
				_ = m.Read(a+off, b[:])
				_ = m.Write(a+off, []byte{b[0] ^ 1<<r.IntN(8)})
			}
		}
	}
	if r.IntN(6) == 0 { // the entry code is not what it should be
		for _, label := range []string{"ftrace_caller_op_ptr", "ftrace_regs_caller_op_ptr", "ftrace_regs_caller_jmp"} {
			if a := j.addr(label); a != 0 {
				at := a + r.Uint64N(3)
				var b [1]byte
				_ = m.Read(at, b[:])
				j.must(m.Write(at, []byte{b[0] ^ 1<<r.IntN(8)}))
			}
		}
		j.refused = true
	}
	ops := j.w.Object(callsite.OpsSize)
	for off := uint64(0); off < callsite.OpsSize; off += 8 {
		j.must(m.Write64(ops+off, r.Uint64()))
	}
	set := func(member string, v uint64) { j.must(m.Write64(ops+j.ops[member], v)) }
	callback := func() uint64 { return arch.X86.Modules.Base + 1<<24 + r.Uint64N(1<<20)*16 }
	flags := r.Uint64()&^(opsSaveRegs|opsAllocTramp) | pick(r, uint64(0), opsSaveRegs)
	set("func", callback())
	set("trampoline", 0)
	switch r.IntN(8) {
	case 0: // of the owner's
		set("trampoline", arch.X86.Modules.Base+1<<25)
	case 1:
		flags |= opsAllocTramp
	}
	set("flags", flags)
	look := func() {
		for off := uint64(0); off < callsite.OpsSize; off += 8 {
			v, _ := m.Read64(ops + off)
			j.note(v)
		}
		j.areas(func(a *world.Area) uint64 { return a.Size })
	}
	rec := j.w.Object(64)
	j.must(m.Write64(rec+8, r.Uint64()))
	hook := func() {
		args := []uint64{pick(r, ops, ops, ops, 0), rec}
		j.call("arch_ftrace_trampoline_func", 64, args...)
	}
	update := func() { j.call("arch_ftrace_update_trampoline", 0, ops); look() }
	update()
	for range r.IntN(3) {
		set("func", callback())
		update()
		hook()
	}
	j.call("arch_ftrace_trampoline_free", 0, ops)
	look()
	hook()
	update()
}

// x64Code are instructions that stand at a callsite.
func (j *x64Worlds) x64Code(at uint64, targets ...uint64) []byte {
	call, _ := x64.EncodeCall(at, targets[j.r.IntN(len(targets))])
	code := pick(j.r, bytes.Clone(x64.Nop5[:]), bytes.Clone(x64.Nop5[:]), call[:], call[:], call[:])
	if j.r.IntN(3) == 0 {
		code[j.r.IntN(len(code))] ^= 1 << j.r.IntN(8)
	}
	return code
}

// playX64Site calls one of the functions that change callsites.
func playX64Site(j *x64Worlds) {
	r, m := j.r, j.w.Mem
	poke := pick(r, uint32(0), 1, 1)
	j.set("ftrace_poke_late", poke)
	caller, regs, fentry := j.addr("ftrace_caller"), j.addr("ftrace_regs_caller"), j.addr("__fentry__")
	targets := []uint64{caller, caller, regs, regs, fentry, fentry, caller + 16*r.Uint64N(1<<20)}
	target := func() uint64 { return targets[r.IntN(len(targets))] }
	n := 1 + r.IntN(4)
	for range n {
		s := j.sites[r.IntN(len(j.sites))]
		rec := j.w.Object(128)
		at := s.Call
		if r.IntN(24) == 0 {
			at = 0xffff_1000_0000_0000 // cannot be read
		}
		curr := target()
		_ = m.Write(at, j.x64Code(at, curr, curr, curr, target()))
		j.must(errors.Join(m.Write64(rec, at), m.Write64(rec+8, r.Uint64()), m.Write64(rec+64, curr), m.Write64(rec+72, target()), m.Watch(rec, 128)))
		j.updates[rec] = pick(r, 0, 1, 1, 2, 2, 3, 3)
		j.iter = append(j.iter, rec)
		stands, _ := x64.EncodeCall(at, curr)
		if j.updates[rec] == 1 {
			stands = x64.Nop5
		}
		if r.IntN(3) > 0 {
			if r.IntN(6) == 0 {
				stands[4] ^= 1 << r.IntN(8)
			}
			_ = m.Write(at, stands[:])
		}
	}
	j.refused = true // judged by the results
	look := func() {
		var b [16]byte
		for _, rec := range j.iter {
			at, _ := m.Read64(rec)
			_ = m.Read(at-4, b[:])
			j.note(binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:]))
		}
	}
	rec := j.iter[0]
	switch name := pick(r, "ftrace_make_call", "ftrace_make_nop", "ftrace_modify_call", "ftrace_replace_code", "ftrace_replace_code"); name {
	case "ftrace_make_call":
		at, _ := m.Read64(rec)
		stands := x64.Nop5
		if r.IntN(4) == 0 {
			stands[4] ^= 1 << r.IntN(8)
		}
		if r.IntN(3) > 0 {
			_ = m.Write(at, stands[:])
		}
		j.call(name, 32, rec, target())
	case "ftrace_make_nop":
		addr, _ := m.Read64(rec + 64)
		j.call(name, 32, pick(r, 0, r.Uint64()), rec, pick(r, addr, fentry, target()))
	case "ftrace_modify_call":
		j.call(name, 32, rec, target(), target())
	case "ftrace_replace_code":
		if r.IntN(16) == 0 {
			j.iter = nil
		}
		j.set("ftrace_poke_late", 1)
		j.call(name, 0, r.Uint64N(2))
	}
	look()
}

// playX64Hook calls one of the functions by which the core drives the architecture.
func playX64Hook(j *x64Worlds) {
	r, m := j.r, j.w.Mem
	regs, parent := j.w.Object(512), j.w.Object(64)
	for off := uint64(0); off < 512; off += 8 {
		j.must(m.Write64(regs+off, r.Uint64()))
	}
	j.must(m.Write64(regs+152, parent)) // pt_regs.sp
	j.must(m.Write64(parent, r.Uint64()))
	j.must(errors.Join(m.Watch(regs, 512), m.Watch(parent, 64)))
	task := make([]byte, 16<<10)
	if r.IntN(3) == 0 {
		for i := range task {
			task[i] = byte(r.Uint32())
		}
	}
	j.must(m.Write(world.Task, task))
	if off := j.types.GraphPause; j.types.HasGraphPause && r.IntN(4) > 0 {
		j.must(m.Write32(world.Task+off, 0))
	}
	if off := j.types.Recursion; j.types.HasRecursion {
		j.must(m.Write64(world.Task+off, pick(r, 0, 0, 1<<r.IntN(10), 1<<r.IntN(10), r.Uint64())))
	}
	if count, ok := j.w.PerCPU(arch.X86.Preempt); ok {
		j.must(m.Write32(count, pick(r, 0, 1, 1<<31, 1<<8, 1<<16, 1<<20, 1<<16|1<<8, r.Uint32()&0x8fff_ffff)))
	}
	name := pick(r, "ftrace_update_ftrace_func", "arch_ftrace_update_code", "ftrace_arch_code_modify_prepare", "ftrace_arch_code_modify_post_process",
		"ftrace_graph_func", "ftrace_graph_func", "prepare_ftrace_return")
	switch name {
	case "ftrace_update_ftrace_func":
		j.call(name, 32, arch.X86.Modules.Base+1<<24-r.Uint64N(1<<30))
	case "arch_ftrace_update_code":
		j.call(name, 0, uint64(r.Uint32()))
	case "ftrace_graph_func":
		j.call(name, 0, r.Uint64(), r.Uint64(), r.Uint64(), regs)
	case "prepare_ftrace_return":
		j.call(name, 0, r.Uint64(), parent, 0)
	default:
		j.call(name, 0)
	}
	for a := parent; a < parent+64; a += 8 {
		v, _ := m.Read64(a)
		j.note(v)
	}
	_ = m.Read(world.Task, task)
	for c := range slices.Chunk(task, 8) {
		j.note(binary.LittleEndian.Uint64(c))
	}
}

// Of struct pt_regs: what ftrace's callbacks get of it in any case, and what with
// FTRACE_OPS_FL_SAVE_REGS.
var (
	someRegs = []uint64{32, 64, 72, 80, 88, 96, 104, 112, 120, 128, 136, 152}
	allRegs  = []uint64{0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128, 136, 144, 152, 160}
)

// playX64Entry executes entry code, from a callsite or, for return_to_handler, from the
// return of a function.
func playX64Entry(j *x64Worlds) {
	r, m := j.r, j.m
	page := entry.CallbackPage(j.im)
	const to, direct, callback, caller, tramp = 0x600, 0x700, 0x100, 0x200, 0x500
	m.Map(page, emu.PageSize, emu.Read|emu.Exec)
	m.MaxSteps = 4096
	sp := world.StackTop - 2048 + 8*r.Uint64N(4)
	words := make([]byte, 2048)
	for i := range words {
		words[i] = byte(r.Uint32())
	}
	j.must(m.Write(sp-1024, words))
	for i := range m.R {
		m.R[i] = r.Uint64()
	}
	const status = emux64.FlagCF | emux64.FlagPF | emux64.FlagZF | emux64.FlagSF | emux64.FlagOF
	m.Flags = emux64.FlagIF | r.Uint64()&status
	m.R[emux64.RSP], m.R[emux64.RBP] = sp, sp+8*r.Uint64N(32)
	j.must(m.Write64(sp, page+caller))
	clobber := func() {
		for _, i := range []int{emux64.RAX, emux64.RCX, emux64.RDX, emux64.RSI, emux64.RDI, emux64.R8, emux64.R9, emux64.R10, emux64.R11} {
			m.R[i] = r.Uint64()
		}
		m.Flags ^= r.Uint64() & status
		for i := range words[:512] {
			words[i] = byte(r.Uint32())
		}
		j.must(m.Write(m.R[emux64.RSP]-512, words[:512]))
	}
	lost := uint64(visibleX64)
	end := func(until uint64, owned ...int) {
		err := m.Run(until)
		j.note(m.R[emux64.RSP], m.Flags&lost)
		if err != nil {
			j.note(0xdead)
			j.done, j.err = true, err
			return
		}
		for i, v := range m.R {
			if !slices.Contains(owned, i) {
				j.note(v)
			}
		}
		for off := m.R[emux64.RSP]; off < sp+512; off += 8 {
			v, _ := m.Read64(off)
			j.note(v)
		}
		j.note(j.stores)
	}
	if r.IntN(4) == 0 {
		m.Hook(j.addr("ftrace_return_to_handler"), func(*emux64.Machine) error {
			frame := m.R[emux64.RSP] + 8
			switch arg := j.w.Arg(0); {
			case arg == frame && sp-frame < 168: // struct fgraph_ret_regs
				j.fields(frame, []uint64{0, 8, 16})
			case arg == frame:
				j.fields(frame, []uint64{32, 80, 96, 152})
			default:
				j.note(arg)
			}
			clobber()
			j.w.SetResult(page + caller)
			return nil
		})
		defer m.Hook(j.addr("ftrace_return_to_handler"), nil)
		m.PC = j.addr("return_to_handler")
		lost = emux64.FlagDF | emux64.FlagIF
		end(page+caller, emux64.RCX, emux64.RSI, emux64.RDI, emux64.R8, emux64.R9, emux64.R10, emux64.R11)
		return
	}
	s := j.sites[r.IntN(len(j.sites))]
	entries := []string{"ftrace_caller", "ftrace_caller", "ftrace_regs_caller", "ftrace_regs_caller", "__fentry__"}
	if _, ok := j.im.Addr("ftrace_stub_direct_tramp"); ok {
		entries = append(entries, "ftrace_stub_direct_tramp")
	}
	target := entries[r.IntN(len(entries))]
	all := target == "ftrace_regs_caller"
	for _, region := range arch.X86.Regions {
		for _, slot := range region.Slots {
			if at, ok := j.im.Addr(slot.Label); ok && slot.Is == arch.CallSlot {
				call, _ := x64.EncodeCall(at, page+callback)
				j.must(m.Write(at, call[:]))
			}
		}
	}
	call, _ := x64.EncodeCall(s.Call, j.addr(target))
	j.must(m.Write(s.Call, call[:]))
	if op := j.addr("function_trace_op"); op != 0 {
		j.must(m.Write64(op, r.Uint64()))
	}
	until := pick(r, s.Call+5, page+to)
	goesDirect := all && r.IntN(3) == 0 && j.addr("ftrace_regs_caller_jmp") != 0
	if goesDirect {
		until = page + direct
	}
	if target == "__fentry__" || target == "ftrace_stub_direct_tramp" {
		until = s.Call + 5
	}
	m.Hook(page+callback, func(*emux64.Machine) error {
		regs := j.w.Arg(3)
		j.note(0xca11, j.w.Arg(0), j.w.Arg(1), j.w.Arg(2), m.R[emux64.RSP]%8)
		j.note(boolTo(regs > m.R[emux64.RSP] && regs+168 <= sp)) // in its frame
		fields := someRegs
		if all {
			fields = allRegs
		}
		j.fields(regs, fields)
		clobber()
		for _, off := range fields {
			switch off {
			case 128: // ip
				if until == page+to {
					j.must(m.Write64(regs+off, until))
				}
			case 120: // orig_ax
				if goesDirect {
					j.must(m.Write64(regs+off, until))
				}
			case 144:
				if r.IntN(2) == 0 {
					j.must(m.Write64(regs+off, emux64.FlagIF|2|r.Uint64()&status))
				}
			case 136, 152, 160, 48: // not to be changed, or nobody's
			default:
				if r.IntN(2) == 0 {
					j.must(m.Write64(regs+off, r.Uint64()))
				}
			}
		}
		return nil
	})
	m.PC = s.Call
	owned := []int{emux64.R11}
	if !all {
		owned = append(owned, emux64.R10)
		lost = emux64.FlagDF | emux64.FlagIF
	}
	if goesDirect {
		lost = emux64.FlagDF | emux64.FlagIF
	}
	end(until, owned...)
}

const visibleX64 = emux64.FlagCF | emux64.FlagPF | emux64.FlagZF | emux64.FlagSF | emux64.FlagOF | emux64.FlagIF | emux64.FlagDF

// fields notes members of a structure.
func (j *x64Worlds) fields(at uint64, offsets []uint64) {
	for _, off := range offsets {
		v, err := j.w.Mem.Read64(at + off)
		if off == 144 { // flags
			v &= visibleX64
		}
		if err != nil {
			v = 0xbad
		}
		j.note(v)
	}
}
