package lint_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/mutants"
	"github.com/ftlint/ftlint/ktypes"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// worldCount is how many random worlds a mutant must do the same in, to count
// as one that changes nothing.
const worldCount = 600

// Worlds executes functions as a whole in random worlds, many more than the
// checks know: what they call may fail, memory and targets lie anywhere, at
// the borders of reach most of all, and words and members are not what they
// should be. What a mutant does otherwise in none of them changes nothing.
type worlds struct {
	im    *elfscan.Image
	w     *world.World
	r     *rand.Rand // of the world that is played
	play  func(*worlds)
	plain [][]uint64 // what is seen in each world without a mutant
	seen  []uint64   // in the world that is played
	done  bool       // its end is reached: a function has not returned

	looked []stretch // memory whose contents are looked at
	stores uint64    // a sum of what is stored elsewhere
	fails  int       // how many calls of 100 that can fail do
	salt   uint64    // of which do
	traps  uint64    // BRKs, of the call that runs
	// clobbers has what makes instructions clobber what a call may.
	clobbers bool
	dirty    bool // code memory was written since caches were maintained for it
	sealed   bool // it is read-only

	// Of worlds that are built in.
	base, page uint64
	areas      []stretch // as asked for
	// Of callsites.
	site           callsite.Site
	found          uint64
	sites          []callsite.Site
	ops            map[string]uint64 // offsets of members of struct ftrace_ops
	types          *callsite.Types
	always, chosen []world.Word // that boot writes into the code that is played
}

type stretch struct{ addr, size uint64 }

// What worlds have beside the image: world.World has a stack and a heap.
const (
	ownMark   = uint64(0x5afe_1111_5afe_0000) // registers of the caller
	junkMark  = uint64(0xc10b_2222_c10b_0000) // registers after a call
	mapLimit  = 16 << 20
	codeArea  = 0x1_0000 // bytes of code memory that are looked at
	ourTask   = uint64(0xffff_0000_1000_0000)
	ourStack  = uint64(0xffff_0000_2000_0000)
	stackSize = uint64(64 << 10)

	vmFlags    = 24    // of struct vm_struct, in bytes
	flushReset = 0x100 // VM_FLUSH_RESET_PERMS
)

func newWorlds(t *testing.T, im *elfscan.Image, play func(*worlds), sites []callsite.Site) *worlds {
	j := &worlds{im: im, w: world.New(im), play: play, sites: sites, types: callsite.ReadTypes(im, true), clobbers: true}
	j.w.M.MaxSteps = 1 << 14
	if fn, ok := im.Lookup("arch_ftrace_update_trampoline"); ok && fn.Bind != elf.STB_WEAK {
		j.ops = opsMembers(t, im, fn.Addr)
	}
	j.hooks()
	j.hooksOfCore()
	for i := range worldCount {
		j.plain = append(j.plain, slices.Clone(j.run(i, nil)))
	}
	return j
}

// opsMembers is where the builder at addr finds some members of an ops.
func opsMembers(t *testing.T, im *elfscan.Image, addr uint64) map[string]uint64 {
	t.Helper()
	types, err := ktypes.Open(im, addr)
	if err != nil {
		t.Fatal(err)
	}
	ops, err := types.Struct("ftrace_ops")
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]uint64{}
	for _, name := range []string{"func", "flags", "trampoline", "trampoline_size"} {
		m, err := types.Member(ops, name)
		if err != nil {
			t.Fatal(err)
		}
		at[name] = m.Offset
	}
	return at
}

// Flags of struct ftrace_ops (include/linux/ftrace.h).
const (
	opsSaveRegs   = 1 << 2
	opsAllocTramp = 1 << 11
)

// same tells whether code with the mutant is seen to do the same in all
// worlds.
func (j *worlds) same(m *mutants.Mutant) bool {
	for i, want := range j.plain {
		if !slices.Equal(j.run(i, m), want) {
			return false
		}
	}
	return true
}

// executes tells whether the instruction at addr is executed in any world.
func (j *worlds) executes(addr uint64) bool {
	const udf = 0
	return !j.same(&mutants.Mutant{Addr: addr, Words: []uint32{udf}})
}

// run plays a world, with the mutant or without.
func (j *worlds) run(i int, m *mutants.Mutant) []uint64 {
	j.r = rand.New(rand.NewPCG(uint64(i), 0x77))
	j.w.Reset()
	j.seen, j.done, j.stores, j.looked, j.areas = j.seen[:0], false, 0, nil, nil
	j.salt = j.r.Uint64()
	j.found, j.traps = 0, 0
	if j.fails = 0; i%2 == 1 {
		j.fails = 2 + j.r.IntN(30)
	}
	if m != nil {
		for k, w := range m.Words {
			_ = j.w.M.Write32(m.Addr+uint64(k)*a64.Size, w)
		}
	}
	// The task that runs: thread_info, which stays zero, and among the rest the
	// stack's canary.
	task := make([]byte, 8<<10)
	for i := 128; i < len(task); i += 8 {
		binary.LittleEndian.PutUint64(task[i:], j.salt^uint64(i)*0x9e3779b97f4a7c15)
	}
	_ = j.w.M.Write(ourTask, task)
	if j.im.Size() < 1<<20 { // a sample
		for _, s := range j.im.Sections() {
			if !s.Executable() && s.Flags&elf.SHF_WRITE != 0 {
				_ = j.w.M.Watch(s.Addr, s.Size)
			}
		}
	}
	j.play(j)
	return j.seen
}

func (j *worlds) note(v ...uint64) { j.seen = append(j.seen, v...) }

// look has the contents of memory looked at from now on.
func (j *worlds) look(addr, size uint64) { j.looked = append(j.looked, stretch{addr, size}) }

// memory is a sum of what is in the memory that is looked at.
func (j *worlds) memory() uint64 {
	h := uint64(14695981039346656037)
	var b [2048]byte
	for _, s := range j.looked {
		for at := uint64(0); at < s.size; at += uint64(len(b)) {
			part := b[:min(uint64(len(b)), s.size-at)]
			if j.w.M.Read(s.addr+at, part) != nil {
				break // freed
			}
			for len(part) >= 8 {
				h = (h ^ binary.LittleEndian.Uint64(part)) * 1099511628211
				h ^= h >> 29
				part = part[8:]
			}
		}
	}
	return h
}

// anyError is the width of a result that is 0 or an error, of which none is better
// than another.
const anyError = 65

// call calls a function; width is how many bits of its result count.
func (j *worlds) call(name string, width uint, args ...uint64) {
	fn, ok := j.im.Addr(name)
	if !ok || j.done {
		return
	}
	m := j.w.M
	for i := range m.X {
		m.X[i] = ownMark | uint64(i)
	}
	m.X[18] = ourTask + 32<<10 // the shadow call stack grows upwards
	m.N, m.Z, m.C, m.V = j.r.IntN(2) == 0, j.r.IntN(2) == 0, j.r.IntN(2) == 0, j.r.IntN(2) == 0
	top := ourStack + stackSize - 4096
	junk := make([]byte, 1024)
	for i := range junk {
		junk[i] = byte(j.r.Uint32())
	}
	_ = m.Write(top-uint64(len(junk)), junk)
	before := j.memoryAt(top, 512)
	ret, err := j.w.Call(fn, args...)
	var stop *emu.Stop
	switch {
	case errors.As(err, &stop):
		j.note(0xdead, uint64(stop.Reason))
		j.done = true
		return
	case err != nil:
		j.note(0xdead)
		j.done = true
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
	// To warn of what is refused is allowed, and not asked for.
	if width != 32 && width != anyError || ret == 0 {
		j.note(j.traps)
	}
	j.traps = 0
	j.note(ret, m.SP, m.X[18], j.memory(), j.stores)
	for i := 19; i < 30; i++ {
		j.note(m.X[i])
	}
	if j.memoryAt(top, 512) != before {
		j.note(0xbad)
	}
}

func (j *worlds) memoryAt(addr, size uint64) uint64 {
	old := j.looked
	j.looked = []stretch{{addr, size}}
	h := j.memory()
	j.looked = old
	return h
}

// quiet calls are not seen, but for what they do and whether a stack trace
// passes them: one more or less of them makes no difference.
const quiet = "quiet"

// hook has f stand for functions; takes says what of their arguments counts: x
// all 64 bits, w 32 bits.
func (j *worlds) hook(takes string, f func(x *[31]uint64), names ...string) {
	m := j.w.M
	for _, name := range names {
		fn, ok := j.im.Addr(name)
		if !ok || !j.im.IsText(fn) {
			continue
		}
		m.Hook(fn, func(*emu.Machine) error {
			if takes == quiet {
				j.frames()
				f(&m.X)
				j.clobber()
				return nil
			}
			j.note(fn)
			for i, c := range takes {
				switch v := m.X[i]; {
				case c == 'w':
					j.note(v & 0xffff_ffff)
				case v-ourStack < stackSize:
					j.note(0x57ac) // its own frame, wherever that is
				default:
					j.note(v)
				}
			}
			j.frames()
			f(&m.X)
			j.clobber()
			return nil
		})
	}
}

// printed notes a message: its format, and as many arguments as that has.
func (j *worlds) printed(x *[31]uint64) {
	j.note(0x9f, x[0])
	text := make([]byte, 256)
	if j.w.M.Read(x[0], text) != nil {
		return
	}
	text, _, _ = bytes.Cut(text, []byte{0})
	text = bytes.ReplaceAll(text, []byte("%%"), nil)
	for i := range min(bytes.Count(text, []byte("%")), 7) {
		if v := x[1+i]; v-ourStack >= stackSize {
			j.note(v)
		}
	}
}

// frames notes whether a stack trace comes back to the caller.
func (j *worlds) frames() {
	fp, m := j.w.M.X[29], j.w.M
	for range 16 {
		if fp-ourStack >= stackSize || fp%8 != 0 {
			break
		}
		fp, _ = m.Read64(fp)
	}
	if fp != ownMark|29 {
		j.note(0xf0)
	}
}

func (j *worlds) clobber() {
	m := j.w.M
	for i := uint64(1); i < 18; i++ {
		m.X[i] = junkMark | i
	}
	m.N, m.Z, m.C, m.V = !m.N, !m.Z, !m.C, !m.V
}

// failing tells whether a call that can fail does. That depends on what is
// called, and with which arguments, not on what came before.
func (j *worlds) failing(what ...uint64) bool {
	h := j.salt
	for _, v := range what {
		h = (h ^ v) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return int(h>>33%100) < j.fails
}

// outcome has a function return an int: 0, or an error.
func (j *worlds) outcome(x *[31]uint64, what ...uint64) bool {
	x[0] = junkMark &^ 0xffff_ffff
	if j.failing(what...) {
		x[0] |= uint64(uint32(-[]int32{1, 12, 14, 22, 34}[j.salt%5]))
		return false
	}
	return true
}

func (j *worlds) hooks() {
	m := j.w.M
	m.OnWrite = func(_, addr uint64, size int, value uint64) {
		for _, s := range j.areas {
			if addr-s.addr < j.page {
				if j.dirty = true; j.sealed {
					j.note(0x5707)
				}
				return
			}
		}
		if value-ourStack < stackSize {
			value = 0x57ac
		}
		h := (addr ^ uint64(size)<<56) * 0x9e3779b97f4a7c15
		j.stores += (h ^ value) * 1099511628211
	}
	m.OnBreak = func(uint64, uint16) emu.BreakAction {
		j.traps++
		return emu.Continue
	}
	nothing := func(*[31]uint64) {}
	j.hook("", func(x *[31]uint64) { j.done = true; m.PC = emu.ReturnAddress; j.note(0x55b) }, "__stack_chk_fail")
	j.hook(quiet, func(x *[31]uint64) { j.printed(x) }, "_printk", "printk", "__warn_printk")
	j.hook("xx", func(x *[31]uint64) { x[0] = j.salt & 1 }, "___ratelimit")
	j.hook("", nothing, "preempt_schedule", "preempt_schedule_notrace")

	// Memory for code.
	alloc := func(size func(x *[31]uint64) uint64) func(x *[31]uint64) {
		return func(x *[31]uint64) {
			n := size(x)
			x[0] = 0
			if j.failing(1, uint64(len(j.areas))) || n == 0 || n > mapLimit {
				return
			}
			x[0] = j.base + uint64(len(j.areas))*(16<<20)
			m.Map(x[0], n, emu.Read|emu.Write|emu.Exec)
			_ = m.Watch(x[0], n)
			j.areas, j.dirty, j.sealed = append(j.areas, stretch{x[0], n}), false, false
			j.look(x[0], min((n+j.page-1)&^(j.page-1), codeArea))
		}
	}
	pages := func(i int) func(x *[31]uint64) uint64 { // what it gets is whole pages
		return func(x *[31]uint64) uint64 {
			j.note((x[i] + j.page - 1) &^ (j.page - 1))
			return x[i]
		}
	}
	j.hook("", alloc(pages(0)), "module_alloc", "vmalloc")
	execmem := alloc(pages(1))
	j.hook("w", func(x *[31]uint64) {
		execmem(x)
		flags, _ := m.Read64(j.vm() + vmFlags) // its areas have it from the start
		_ = m.Write64(j.vm()+vmFlags, flags|flushReset)
	}, "execmem_alloc")
	j.hook(quiet, func(x *[31]uint64) {
		if x[0] != 0 { // to free nothing is allowed
			j.note(0xf4ee, x[0])
		}
		for _, s := range j.areas {
			if s.addr == x[0] {
				j.covered(s)
				m.Unmap(s.addr, s.size)
			}
		}
	}, "module_memfree", "execmem_free", "vfree")
	j.hook(quiet, func(x *[31]uint64) {
		known := slices.ContainsFunc(j.areas, func(s stretch) bool { return x[0]-s.addr < s.size })
		if x[0] = 0; known {
			x[0] = j.vm()
		}
	}, "find_vm_area")
	copied := func(mayFail bool) func(x *[31]uint64) {
		return func(x *[31]uint64) {
			to, from := x[0], x[1]
			buf := make([]byte, min(x[2], 4<<20))
			if mayFail && !j.outcome(x, 3, to, from) {
				x[0] |= ^uint64(0xffff_ffff) // a long
				return
			}
			if err := errors.Join(m.Read(from, buf), m.Write(to, buf)); err != nil {
				j.note(0xfa17)
			}
			if j.dirty = true; j.sealed {
				j.note(0x5707)
			}
			if mayFail {
				x[0] = 0
			}
		}
	}
	// What is copied is seen in memory.
	j.hook("x", copied(true), "copy_from_kernel_nofault", "copy_to_kernel_nofault")
	j.hook("x", copied(false), "memcpy", "__memcpy", "__pi_memcpy", "memmove")
	j.hook("xw", func(x *[31]uint64) {
		for _, s := range j.areas {
			if x[0]-s.addr < j.page && uint64(uint32(x[1])) <= (s.size+j.page-1)/j.page+1 {
				fn := m.PC
				j.note(boolTo(j.dirty))
				if ro, _ := j.im.Addr("set_memory_ro"); j.outcome(x, fn, x[0]) && fn == ro {
					j.sealed = true
				}
				return
			}
		}
		x[0] = junkMark | 0xffff_ffea // -EINVAL: not of one area
	}, "set_memory_ro", "set_memory_rw", "set_memory_x", "set_memory_nx", "set_memory_rox")
	j.hook(quiet, func(x *[31]uint64) { j.flushed(x[0], x[1]) }, "__flush_icache_range", "flush_icache_range", "caches_clean_inval_pou")

	// Instructions.
	j.hook(quiet, func(x *[31]uint64) {
		at, to := x[0], x[1]
		v, err := m.Read32(at)
		if j.outcome(x, 5, at) {
			if err = errors.Join(err, m.Write32(to, v)); err != nil {
				x[0] |= 0xffff_fff2 // -EFAULT
			}
		}
	}, "aarch64_insn_read")
	j.hook(quiet, func(x *[31]uint64) {
		at, v := x[0], uint32(x[1])
		if old, err := m.Read32(at); err == nil && old == v { // it does not matter whether that is tried
			x[0] = 0
			return
		}
		if j.outcome(x, 6, at) && m.Write32(at, v) != nil {
			x[0] |= 0xffff_fff2
		}
	}, "aarch64_insn_patch_text_nosync", "aarch64_insn_write")
	j.hook(quiet, func(x *[31]uint64) {
		at, v := x[0], x[1]
		if j.outcome(x, 7, at) && m.Write64(at, v) != nil {
			x[0] |= 0xffff_fff2
		}
	}, "aarch64_insn_write_literal_u64")

	// ftrace's core, and modules.
	j.hook(quiet, func(x *[31]uint64) { x[0], _ = m.Read64(x[0] + j.ops["func"]) }, "ftrace_ops_get_func")
	j.hook(quiet, func(x *[31]uint64) {
		if x[0]-j.site.Call == 0 {
			x[0] = j.found
		} else {
			x[0] = 0
		}
	}, "__module_text_address")
	j.hook(quiet, func(x *[31]uint64) {
		if x[0] = 0; !j.failing(8) {
			x[0] = j.vm() + 512
		}
	}, "ftrace_find_unique_ops")

	// Those that make instructions do what they do, and clobber what a call may.
	j.im.EachSymbol(func(fn uint64, name []byte, typ elf.SymType) bool {
		if typ != elf.STT_FUNC || !strings.HasPrefix(string(name), "aarch64_insn_gen_") {
			return true
		}
		var hook emu.Hook
		hook = func(*emu.Machine) error {
			m.Hook(fn, nil)
			_, err := m.Call(fn)
			m.Hook(fn, hook)
			if j.clobbers {
				j.clobber()
			}
			return err
		}
		m.Hook(fn, hook)
		return true
	})
}

// vm is an object of the kernel's, behind all others on the heap.
func (j *worlds) vm() uint64 { return 0xffff_0000_3000_0000 + 32<<10 }

// pick is one of several.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// flushed notes whether caches are maintained for all that is built in the
// memory at start, and for nothing outside of it.
func (j *worlds) flushed(start, end uint64) {
	const line = 64
	for _, s := range j.areas {
		if start-s.addr >= j.page {
			continue
		}
		whole := start&^(line-1) == s.addr && end+line-1 >= s.addr+j.extent(s) && end <= s.addr+(s.size+j.page-1)&^(j.page-1)
		if j.note(0xf1, boolTo(whole)); !whole {
			j.note(start, end)
		}
		j.dirty = j.dirty && !whole
		return
	}
	j.note(0xf2, start, end)
}

// covered notes whether what was written to memory is within what was asked
// for.
func (j *worlds) covered(s stretch) { j.note(boolTo(j.extent(s) <= s.size)) }

// extent is how far memory is written, in bytes.
func (j *worlds) extent(s stretch) uint64 {
	b := make([]byte, min((s.size+j.page-1)&^(j.page-1), codeArea))
	if j.w.M.Read(s.addr, b) != nil {
		return 0
	}
	for n := len(b); n > 0; n-- {
		if b[n-1] != 0 {
			return uint64(n)
		}
	}
	return 0
}

func boolTo(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// around is an address that lies somewhere about the borders of BL's reach
// from at, or near it, or far away.
func (j *worlds) around(at uint64, step uint64) uint64 {
	r := j.r
	some := (r.Uint64N(5) - 2) * step
	switch r.IntN(8) {
	case 0:
		return at + 128<<20 + some
	case 1:
		return at - 128<<20 + some
	case 2:
		return at + pick(r, uint64(192<<20), 1<<30, 1<<34) + some
	case 3:
		return at - pick(r, uint64(192<<20), 1<<30, 1<<34) + some
	case 4:
		return at + pick(r, uint64(256<<20), ^uint64(256<<20)+1) + some
	}
	return at + (r.Uint64N(64<<20)-32<<20)&^(step-1)
}

// word is an instruction that may stand in a slot.
func (j *worlds) word(pc uint64) uint32 {
	r := j.r
	bl, _ := a64.EncodeBL(pc, pc+r.Uint64N(1<<20)&^3)
	b, _ := a64.EncodeB(pc, pc+r.Uint64N(1<<20)&^3)
	w := pick(r, uint32(a64.NOP), a64.NOP, bl, b, a64.EncodeMOV(9, a64.LR), trampoline.Aliens[0], trampoline.Aliens[1], r.Uint32())
	if r.IntN(3) == 0 {
		w ^= 1 << r.IntN(32)
	}
	return w
}

// playBuilder builds a trampoline, has it updated, and frees it.
func playBuilder(j *worlds) {
	r, m, im := j.r, j.w.M, j.im
	sections := im.Sections()
	lo, hi := sections[0].Addr, sections[len(sections)-1].End()
	if end, ok := im.Addr("_end"); ok {
		hi = max(hi, end)
	}
	j.page = max(im.PageSize(), emu.PageSize)
	// Memory is near, at the edge of what all of the image reaches, just beyond
	// what all callsites reach, or far. Between the two a builder may take it or
	// refuse it.
	some := r.Uint64N(3) * j.page
	first, last := j.sites[0].Call, j.sites[len(j.sites)-1].Call
	down := func(a uint64) uint64 { return a &^ (j.page - 1) }
	up := func(a uint64) uint64 { return down(a + j.page - 1) }
	const reach = 128 << 20
	j.base = down(pick(r, lo-4<<20, lo-4<<20, lo-32<<20, hi+4<<20,
		up(hi-reach)+some, down(lo+reach)-j.page-some,
		up(first+reach)+some, down(last-reach)-j.page-some,
		lo-192<<20, hi+192<<20, lo-1<<30, hi+1<<30))
	label := func(name string) uint64 { a, _ := im.Addr(name); return a }
	slot := func(name string) uint64 { // where it comes to be, in either variant
		entry := label("ftrace_caller_end") - label("ftrace_caller")
		if r.IntN(2) == 0 {
			entry = label("ftrace_regs_caller_end") - label("ftrace_regs_caller")
		}
		return j.base + entry - pick(r, uint64(4), 4, 4, 0) + label(name) - label("ftrace_common")
	}
	callback := func() uint64 { return j.around(slot("ftrace_call"), 4) }
	ops := j.w.Object(1024)
	for off := uint64(0); off < 1024; off += 8 {
		_ = m.Write64(ops+off, r.Uint64()|1)
	}
	size, flagsAt := ops+j.ops["trampoline_size"], ops+j.ops["flags"]
	j.look(ops, flagsAt-ops)
	j.look(flagsAt+8, size-flagsAt-8)
	j.look(size+8, ops+1024-size-8)
	_ = m.Write64(j.vm()+vmFlags, r.Uint64()&^flushReset)
	j.look(j.vm(), 64)
	// sized notes whether trampoline_size covers what was built, and no more
	// than its memory.
	sized := func() {
		at, _ := m.Read64(ops + j.ops["trampoline"])
		n, _ := m.Read64(size)
		// Without a trampoline, FTRACE_OPS_FL_ALLOC_TRAMP means nothing.
		f, _ := m.Read64(flagsAt)
		if at == 0 {
			f &^= opsAllocTramp
		}
		j.note(f)
		for _, s := range j.areas {
			if s.addr == at {
				j.note(boolTo(n >= j.extent(s) && n <= (s.size+j.page-1)&^(j.page-1)))
				j.covered(s)
				return
			}
		}
		if len(j.areas) == 0 { // one of its owner's
			j.note(n)
		}
	}
	set := func(member string, v uint64) { _ = m.Write64(ops+j.ops[member], v) }
	const save, alloc = uint64(opsSaveRegs), uint64(opsAllocTramp)
	const ifSupported = 1 << 3 // makes the core set SAVE_REGS
	flags := r.Uint64() &^ (save | alloc | ifSupported)
	flags |= pick(r, 0, save, save|ifSupported)
	set("func", callback())
	set("trampoline_size", pick(r, 0, r.Uint64()))
	switch r.IntN(8) {
	case 0: // a trampoline of the owner's
		set("trampoline", pick(r, j.base, slot("ftrace_call")))
	case 1: // one that was freed
		flags |= alloc
		fallthrough
	default:
		set("trampoline", 0)
	}
	set("flags", flags)
	graph := func() {
		if a, ok := im.Addr("ftrace_graph_active"); ok {
			_ = m.Write32(a, pick(r, 0, 0, 1, 1, 2, 0x8000_0000, r.Uint32()))
		}
	}
	graph()
	// The slots of the template are live: they call something, or nothing.
	for _, s := range []string{"ftrace_call", "ftrace_graph_call"} {
		at := label(s)
		b, _ := a64.EncodeB(at, at+r.Uint64N(1<<20)&^3)
		bl, _ := a64.EncodeBL(at, at-r.Uint64N(1<<20)&^3)
		if s == "ftrace_graph_call" {
			bl = b
		}
		if j.fails == 0 {
			_ = m.Write32(at, pick(r, a64.NOP, bl))
		}
	}
	j.call("arch_ftrace_update_trampoline", 0, ops)
	sized()
	for range r.IntN(3) {
		if r.IntN(3) > 0 {
			set("func", callback())
			graph()
		}
		if r.IntN(3) == 0 {
			a := slot(pick(r, "ftrace_call", "ftrace_graph_call"))
			_ = m.Write32(a, j.word(a))
		}
		j.call("arch_ftrace_update_trampoline", 0, ops)
		sized()
	}
	j.call("arch_ftrace_trampoline_free", 0, ops)
	sized()
	j.call("arch_ftrace_update_trampoline", 0, ops)
	sized()
}

// siteArgs are ftrace's functions: how many bits of their result count.
var siteArgs = map[string]uint{"ftrace_call_adjust": 64, "ftrace_init_nop": 32, "ftrace_make_call": 32, "ftrace_modify_call": 32, "ftrace_make_nop": 32}

// playSite calls one of ftrace's functions on a callsite of the image, or of a
// module that is anywhere.
func playSite(j *worlds) {
	r, m, im := j.r, j.w.M, j.im
	if r.IntN(8) == 0 {
		pc := j.sites[r.IntN(len(j.sites))].Call
		j.clobbers = false // it is called itself
		j.call("aarch64_insn_gen_branch_imm", 33, pc, j.around(pc, pick(r, uint64(4), 4, 4, 1)), uint64(r.IntN(2)))
		j.clobbers = true
		return
	}
	table, _ := callsite.Of(im)
	shape := table.Shape
	addr := func(name string) uint64 { a, _ := im.Addr(name); return a }
	caller := addr("ftrace_caller")
	s := j.sites[r.IntN(len(j.sites))]
	inModule := r.IntN(2) == 0
	if inModule {
		at := j.around(caller, 8)
		if r.IntN(2) == 0 { // far from all of the entry code
			at = caller + pick(r, uint64(1<<30), ^uint64(1<<30)+1) + r.Uint64N(1<<20)&^7
		}
		s = j.moduleSite(at, shape)
	}
	j.site = s
	rec := j.w.Object(64)
	set := func(at, v uint64) { _ = m.Write64(at, v) }
	set(rec, s.Call)
	set(rec+8, pick(r, 0, 1<<21, 0xfff8_0000, ^uint64(1<<21), r.Uint64()))
	mod := j.w.Object(2048)
	for off := uint64(0); off < 2048; off += 8 {
		set(mod+off, r.Uint64())
	}
	plt := s.Call + pick(r, uint64(64<<10), ^uint64(64<<10)+1, 1<<20)
	sound := r.IntN(3) > 0 // the module is as it should be
	text, init := s.Call-4092+r.Uint64N(4093)&^3, s.Call+1<<21
	if l := j.types.Module; j.types.HasModule && sound {
		if r.IntN(2) == 0 {
			text, init = init, text
		}
		set(mod+l.PLT, plt)
		set(mod+l.TextBase, text)
		_ = m.Write32(mod+l.TextSize, 4096)
		set(mod+l.InitBase, init)
		_ = m.Write32(mod+l.InitSize, 4096)
		if l.HasInitPLT {
			set(mod+l.InitPLT, plt+24)
		}
	} else if j.types.HasModule {
		set(mod+l.PLT, pick(r, plt, plt, plt, 0))
		if l.HasInitPLT {
			set(mod+l.InitPLT, pick(r, plt+24, plt+24, plt+24, 0))
		}
		for _, part := range []struct{ base, size uint64 }{{l.TextBase, l.TextSize}, {l.InitBase, l.InitSize}} {
			set(mod+part.base, pick(r, s.Call-4092, s.Call-4096, s.Call, s.Call+1, s.Call+4, s.Call&^0xfff, s.Call+1<<20, r.Uint64()))
			_ = m.Write32(mod+part.size, pick(r, uint32(0), 1, 4, 4092, 4093, 4096, 4097, 12288, 1<<31))
		}
	}
	j.found = pick(r, mod, mod, mod, mod, mod, 0)
	given := pick(r, 0, 0, j.found, mod)
	regs := addr("ftrace_regs_caller")
	if regs == 0 {
		regs = caller
	}
	targets := []uint64{caller, caller, caller, regs, regs, regs, s.Call + 4096, s.Call - 4096, j.around(s.Call, 4), addr("_mcount")}
	target, other := targets[r.IntN(len(targets))], targets[r.IntN(len(targets))]
	bl := func(to uint64) uint32 {
		w, err := a64.EncodeBL(s.Call, to)
		if err != nil {
			w = 0xd4202000
		}
		return w
	}
	second := pick(r, a64.NOP, a64.NOP, bl(target), bl(target), bl(plt), bl(plt+12), bl(plt+24), bl(plt+36), bl(caller), bl(other), j.word(s.Call))
	if r.IntN(8) == 0 {
		second ^= 1 << r.IntN(32)
	}
	name := pick(r, "ftrace_call_adjust", "ftrace_init_nop", "ftrace_make_call", "ftrace_make_call", "ftrace_make_call", "ftrace_modify_call",
		"ftrace_modify_call", "ftrace_modify_call", "ftrace_modify_call", "ftrace_make_nop", "ftrace_make_nop", "ftrace_make_nop")
	if r.IntN(2) == 0 { // what belongs there
		at := target
		if !a64.ReachOf(a64.Call).Contains(a64.Offset(s.Call, target)) {
			at = plt
			if inInit := sound && j.types.Module.HasInitPLT && s.Call-init < 4096; inInit {
				at += 24
			}
			if target == regs && regs != caller {
				at += 12
			}
		}
		if second = bl(at); name == "ftrace_make_call" {
			second = a64.NOP
		}
	}
	_ = m.Write32(s.Call, second)
	if shape != arch.BLMcount {
		_ = m.Write32(s.Call-a64.Size, pick(r, a64.NOP, a64.NOP, a64.EncodeMOV(9, a64.LR), j.word(s.Call)))
	}
	if shape == arch.OpsAndNOPs {
		set(s.Entry, pick(r, addr("ftrace_nop_ops"), addr("ftrace_list_ops"), j.vm()+512, r.Uint64()))
	}
	j.look(s.Entry&^7-16, s.Call-s.Entry+32)
	j.look(rec, 64)
	j.look(mod, 2048)
	_ = errors.Join(m.Watch(rec, 64), m.Watch(mod, 2048)) // on the heap
	args := []uint64{rec, target}
	switch name {
	case "ftrace_call_adjust":
		args = []uint64{s.Entry}
		if shape == arch.OpsAndNOPs && r.IntN(2) == 0 {
			args[0] += pick(r, uint64(1), 2, 4)
		}
	case "ftrace_init_nop":
		args = []uint64{given, rec}
	case "ftrace_make_nop":
		args = []uint64{given, rec, target}
	case "ftrace_modify_call":
		args = append(args, other)
	}
	j.call(name, siteArgs[name], args...)
}

// moduleSite maps a callsite of a module, whose BL is at about call.
func (j *worlds) moduleSite(call uint64, shape *arch.Shape) callsite.Site {
	m := j.w.M
	for _, s := range j.im.Sections() { // no module is where the image is
		if call < s.End()+1<<16 && s.Addr < call+1<<16 {
			call = j.im.Sections()[0].Addr - 1<<20
		}
	}
	s := callsite.Site{Call: call, Entry: call - a64.Size}
	if shape == arch.OpsAndNOPs {
		s.Entry -= 8
		if s.BTI = s.Entry%8 != 0; s.BTI {
			s.Entry -= a64.Size
		}
	}
	page := (s.Entry - 64) &^ (emu.PageSize - 1)
	m.Map(page, 3*emu.PageSize, emu.Read|emu.Exec)
	for a := page; a < page+3*emu.PageSize; a += a64.Size {
		_ = m.Write32(a, a64.NOP)
	}
	if s.BTI {
		_ = m.Write32(s.Entry+8, a64.BTIc)
	}
	return s
}

// playLoader has the kernel's loader rewrite the sections of a made-up module,
// and write its PLT entries.
func playLoader(j *worlds) {
	r, m := j.r, j.w.M
	const base, size = uint64(0xffff_0000_4000_0000), uint64(64 << 10)
	m.Map(base, size, emu.Read|emu.Write)
	caller, _ := j.im.Addr("ftrace_caller")
	code := j.around(caller, 4) &^ 0xfff
	if _, taken := j.im.SectionAt(code); taken {
		code = j.im.Sections()[0].Addr - 1<<20
	}
	m.Map(code, emu.PageSize, emu.Read|emu.Write)
	names := []string{".plt", ".init.plt", arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT}
	more := []string{".text", ".data", ".plt.", ".pl", arch.ARM64.Modules.PLT[:len(arch.ARM64.Modules.PLT)-1], arch.ARM64.Modules.PLT + "s", arch.ARM64.Modules.InitPLT[:20], "", ".rodata"}
	type header struct {
		name string
		typ  uint32
	}
	var all []header
	for _, n := range names {
		if r.IntN(6) > 0 {
			all = append(all, header{n, 1})
		}
	}
	for range r.IntN(4) {
		all = append(all, header{more[r.IntN(len(more))], 1})
	}
	if r.IntN(8) > 0 {
		all = append(all, header{".symtab", 2})
	}
	r.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
	all = append(append([]header{{}}, all...), header{".shstrtab", 3})
	le := binary.LittleEndian
	b := make([]byte, 64+64*len(all))
	copy(b, "\x7fELF")
	le.PutUint64(b[40:], 64)
	le.PutUint16(b[58:], 64)
	le.PutUint16(b[60:], uint16(len(all)))
	le.PutUint16(b[62:], uint16(len(all)-1))
	var strings []byte
	for i, h := range all {
		s := b[64+64*i:]
		le.PutUint32(s, uint32(len(strings)))
		le.PutUint32(s[4:], h.typ)
		le.PutUint64(s[8:], r.Uint64N(8))
		le.PutUint64(s[16:], code+uint64(i)*128)
		le.PutUint64(s[32:], r.Uint64N(64))
		le.PutUint64(s[48:], 1)
		strings = append(append(strings, h.name...), 0)
	}
	le.PutUint64(b[64+64*(len(all)-1)+24:], uint64(len(b)))
	_ = m.Write(base, append(b, strings...))
	mod := base + size/2 // zero, but for its name
	_ = m.Write(mod+24, []byte("made_up\x00"))
	j.look(base, uint64(len(b)))
	j.look(mod, 4096)
	j.look(code, emu.PageSize)
	j.call("module_frob_arch_sections", 32, base, base+64, base+uint64(len(b)), mod)
	j.call("module_finalize", 32, base, base+64, mod)
}

// playRoom has the kernel's loader make room for the PLT entries of a random module,
// on a processor with erratum 843419 or without it, and write them. Which entries it
// makes is not looked at: only that there is room for them and that they lead where
// they must.
func playRoom(j *worlds) {
	r, m := j.r, j.w.M
	const base, mod, code = uint64(0xffff_0000_4000_0000), uint64(0xffff_0000_4100_0000), uint64(0xffff_0001_4000_0000)
	m.MaxSteps = 1 << 17
	var fns []uint64
	for _, name := range []string{"module_frob_arch_sections", "module_emit_plt_entry", "module_emit_veneer_for_adrp"} {
		if fn, ok := j.im.Addr(name); ok {
			fns = append(fns, fn)
		}
	}
	if j.always == nil {
		j.always, j.chosen = world.Alternatives(j.im, fns...)
	}
	erratum := r.IntN(2) == 0
	boot := j.always
	if erratum {
		boot = append(slices.Clip(boot), j.chosen...)
		if s, ok := j.im.Lookup("cpu_hwcaps"); ok {
			_ = m.Write(s.Addr, bytes.Repeat([]byte{0xff}, int(s.Size)))
		}
	}
	for _, w := range boot {
		_ = m.Write32(w.Addr, w.Insn)
	}
	le := binary.LittleEndian
	names := []string{"", ".plt", ".init.plt", arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT, ".text", ".init.text", ".exit.text", ".text.unlikely", ".data", ".symtab", ".shstrtab"}
	const firstCode, symtab, strtab = 5, 10, 11
	const symbols = 24
	b := make([]byte, 64)
	copy(b, "\x7fELF")
	var headers, strings []byte
	relas := map[int]int{}
	add := func(name string, typ uint32, flags uint64, content []byte, info int) {
		h := make([]byte, 64)
		le.PutUint32(h, uint32(len(strings)))
		le.PutUint32(h[4:], typ)
		le.PutUint64(h[8:], flags)
		le.PutUint64(h[16:], base+uint64(len(b)))
		le.PutUint64(h[24:], uint64(len(b)))
		le.PutUint64(h[32:], uint64(len(content)))
		le.PutUint32(h[44:], uint32(info))
		le.PutUint64(h[48:], 1<<r.IntN(8))
		headers, strings, b = append(headers, h...), append(append(strings, name...), 0), append(b, content...)
	}
	syms := make([]byte, symbols*24)
	for i := range symbols {
		le.PutUint16(syms[i*24+6:], uint16(r.IntN(9)))
		le.PutUint64(syms[i*24+8:], code+1<<30+uint64(i)*4100)
	}
	for i, name := range names {
		typ, flags, content := uint32(1), uint64(6), []byte(nil)
		switch i {
		case 0:
			typ = 0
		case 9:
			flags = 3
		case symtab:
			typ, flags, content = 2, 0, syms
		case strtab:
			typ, flags = 3, 0
		}
		add(name, typ, flags, content, 0)
	}
	types := []uint32{282, 283, 283, 283, 283, 275, 276, 274, 277, 281, 284, 257, 280}
	for s := firstCode; s < symtab; s++ {
		var content []byte
		for range r.IntN(40) {
			off := uint64(r.IntN(1<<13)) &^ 3
			if r.IntN(6) == 0 {
				off |= 0xff8
			}
			content = le.AppendUint64(content, off)
			content = le.AppendUint64(content, uint64(r.IntN(symbols))<<32|uint64(types[r.IntN(len(types))]))
			content = le.AppendUint64(content, uint64(max(0, r.IntN(9)-6))*8)
		}
		relas[s] = len(headers) / 64
		add(".rela", 4, 0, content, s)
	}
	sections := len(headers) / 64
	switch r.IntN(30) { // something that every module has is missing
	case 0:
		le.PutUint32(headers[[]int{1, 2, symtab}[r.IntN(3)]*64:], 0)
		le.PutUint32(headers[symtab*64+4:], uint32(r.IntN(3)))
	case 1:
		le.PutUint32(headers[3*64:], 0) // the PLT for ftrace
	case 2:
		sections = 0
	}
	shdrs, strs := base+uint64(len(b)), base+uint64(len(b)+len(headers))
	le.PutUint64(b[40:], uint64(len(b)))
	le.PutUint16(b[60:], uint16(sections))
	b = append(append(b, headers...), strings...)
	m.Map(base, 1<<20, emu.Read|emu.Write)
	m.Map(mod, 16<<10, emu.Read|emu.Write)
	_ = m.Write(base, b)
	_ = m.Write(mod+24, []byte("made_up\x00"))
	j.call("module_frob_arch_sections", 32, base, shdrs, strs, mod)
	if j.done || uint32(m.X[0]) != 0 { // refused
		return
	}
	init := code + 1<<20
	l := j.types.Module
	_ = m.Write64(mod+l.InitBase, init)
	_ = m.Write32(mod+l.InitWhole, 1<<13)
	now := make([]byte, len(b))
	_ = m.Read(base, now)
	var plts, sizes [3]uint64
	for i := 1; i <= 2; i++ {
		h := now[shdrs-base+uint64(i)*64:]
		plts[i], sizes[i] = code+8<<20+uint64(i)<<20+uint64(r.IntN(64))*64, le.Uint64(h[32:])
		m.Map(plts[i]&^4095, 8192, emu.Read|emu.Write)
		_ = m.Write64(shdrs+uint64(i)*64+16, plts[i])
		j.note(uint64(le.Uint32(h[4:])), le.Uint64(h[8:]))
	}
	for s := firstCode; s < 9; s++ {
		h := shdrs - base + uint64(relas[s])*64
		at, n := le.Uint64(now[h+24:]), le.Uint64(now[h+32:])/24
		text, part := code, 1
		if s == 6 {
			text, part = init, 2
		}
		for k := range n {
			rel := now[at+k*24:]
			typ, sym := le.Uint32(rel[8:]), le.Uint32(rel[12:])
			loc := text + le.Uint64(rel)
			target := code + 1<<30
			switch {
			case (typ == 282 || typ == 283) && int(le.Uint16(syms[sym*24+6:])) != s:
				target += uint64(sym)*4100 + le.Uint64(rel[16:])
				j.call("module_emit_plt_entry", 0, mod, shdrs, loc, base+at+k*24, base+64+uint64(sym)*24)
			case erratum && (typ == 275 || typ == 276) && le.Uint64(rel)&0xff8 == 0xff8:
				m.Map(loc&^4095, 4096, emu.Read|emu.Write)
				_ = m.Write32(loc, 0x90000010)
				j.call("module_emit_veneer_for_adrp", 0, mod, shdrs, loc, target)
			default:
				continue
			}
			if j.done {
				return
			}
			entry := m.X[0]
			adrp, _ := m.Read32(entry)
			add, _ := m.Read32(entry + 4)
			page, _ := a64.Target(adrp, entry)
			in := entry >= plts[part] && entry+12 <= plts[part]+sizes[part]
			if !in || adrp&0x9f00001f != 0x90000010 || add&0xffc003ff != 0x91000210 || page+uint64(add>>10&0xfff) != target || erratum && entry&0xff8 == 0xff8 {
				j.note(0xbad, entry)
			}
		}
	}
}
