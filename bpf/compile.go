package bpf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// A compiled program is what bpf_int_jit_compile() has made of instructions.
type compiled struct {
	prog  uint64 // address of its struct bpf_prog
	addr  uint64 // of its code
	size  uint64 // of its code, in bytes
	alloc uint64 // the call in bpf_int_jit_compile() that allocated its memory, 0 if that is not known
}

// fillHole fills memory for code with instructions that trap.
const fillHole = "jit_fill_hole"

// hookCompiler makes the stand-ins for what the JIT calls beside allocators.
func (b *bench) hookCompiler() {
	b.w.Hook(b.w.Returns(0), "bpf_jit_charge_modmem", "bpf_jit_uncharge_modmem")
	random := func(of func() uint64) func(string) error {
		return func(string) error {
			b.noteAlloc()
			b.w.SetResult(of())
			return nil
		}
	}
	b.w.Hook(random(func() uint64 { return uint64(b.random) }), "get_random_u32")
	b.w.Hook(random(func() uint64 { return uint64(b.random) * (b.w.Arg(0) & 0xffff_ffff) >> 32 }), "__get_random_u32_below")
	b.w.Hook(random(func() uint64 { return uint64(b.random >> 16) }), "get_random_u16")
	b.w.Hook(random(func() uint64 { return uint64(b.random >> 24) }), "get_random_u8")
}

// noteAlloc notes the call in bpf_int_jit_compile() that is active, by the first
// random number that is asked for: the one of the place of a program in its memory.
func (b *bench) noteAlloc() {
	fn, ok := b.Image.Lookup("bpf_int_jit_compile")
	for _, pc := range append([]uint64{b.w.M.X[30] - a64.Size}, b.callers()...) {
		if ok && b.allocCall == 0 && pc-fn.Addr < fn.Size {
			b.allocCall = pc
		}
	}
}

// compile executes bpf_int_jit_compile() for a program. random is the random number
// that chooses where in its memory the program lies.
func (b *bench) compile(insns []uint64, random uint32) (c compiled, err error) {
	c.prog = b.makeProgram(insns, func(prog, _ object) { prog.set("type", b.tracing) })
	if err := b.translate(c.prog, random); err != nil {
		return c, err
	}
	c.addr, c.size = b.translated(c.prog)
	c.alloc = b.allocCall
	if c.addr == 0 || c.size == 0 {
		return c, fmt.Errorf("the JIT does not compile a program of %d instructions", len(insns))
	}
	return c, nil
}

// makeProgram makes the struct bpf_prog of a program. set sets the members of that and of
// its struct bpf_prog_aux that differ from program to program.
func (b *bench) makeProgram(insns []uint64, set func(prog, aux object)) uint64 {
	prog, aux := b.prog.object(8*uint64(len(insns))), b.aux.object(0)
	prog.set("expected_attach_type", b.fentry)
	prog.set("jit_requested", 1)
	prog.set("len", uint64(len(insns)))
	set(prog, aux)
	for i, insn := range insns {
		binary.LittleEndian.PutUint64(prog.data[b.insnsOff()+8*uint64(i):], insn)
	}
	auxAddr := b.put(aux)
	prog.set("aux", auxAddr)
	addr := b.put(prog)
	b.must(b.w.M.Write64(auxAddr+b.aux.members["prog"].Offset, addr))
	return addr
}

// translate executes bpf_int_jit_compile() for a struct bpf_prog.
func (b *bench) translate(prog uint64, random uint32) error {
	fn, _ := b.Image.Addr("bpf_int_jit_compile")
	b.w.Hook(b.w.Returns(0), fillHole) // a pack is too large to be filled: here it has zeros, which are UDF
	defer b.w.Unhook(fillHole)
	b.onePack()
	b.random, b.allocCall = random, 0
	args := []uint64{prog}
	if b.verifies {
		args = []uint64{0, prog}
	}
	b.w.Events = b.w.Events[:0]
	_, returned, err := b.w.Execute(world.Subject{Name: "bpf_int_jit_compile", Fn: fn, Args: args})
	switch {
	case err != nil:
		return err
	case !returned:
		return fmt.Errorf("%s", b.w.Faults[0].What)
	}
	return nil
}

// translated is where the code of a struct bpf_prog is, and its size in bytes; 0 if it has
// none.
func (b *bench) translated(prog uint64) (addr, size uint64) {
	addr, err := b.w.M.Read64(prog + b.prog.members["bpf_func"].Offset)
	b.must(err)
	size, err = b.w.M.Read64(prog + b.prog.members["jited_len"].Offset)
	b.must(err)
	return addr, size & 0xffff_ffff
}

// A Compiled is a program that the JIT has made, and to which a trampoline that is
// far away was attached.
type Compiled struct {
	Addr    uint64
	Literal uint64 // address of the 64-bit literal that its PLT loads
	Store   uint64 // the instruction that writes the first bytes of the literal
	Alloc   uint64 // the call in bpf_int_jit_compile() that allocated the program's memory, 0 if that is not known
	Diffs   []Diff
	WX      []WXMoment
}

// Torn reports whether a processor that loads the literal can get a part of it, while
// another writes it by one store: see "Single-copy atomicity" in the Arm ARM, B2.
func (c *Compiled) Torn() bool { return c.Literal%8 != 0 }

// compiles has a program compiled at several offsets in its memory, with all at every
// offset that random numbers lead to, and attaches a trampoline that is far away.
func (b *bench) compiles(all bool) (out []Compiled, stuck error) {
	var short, long code
	short.imm(0, 0)
	short.exit()
	long.imm(0, 0)
	long = append(long, short...)
	seen := map[uint64]bool{}
	one := func(insns []uint64, random uint32) (addr uint64) {
		if stuck != nil {
			return 0
		}
		c, err := b.compileOnce(insns, random, seen)
		if err != nil {
			stuck = err
		} else if c.Store != 0 {
			out = append(out, c)
		}
		return c.Addr
	}
	for _, random := range []uint32{0, 0x9e3779b9, ^uint32(0)} { // with the last there is no room left behind it
		one(short, random)
		one(long, random)
	}
	if all {
		span := max(one(short, ^uint32(0)), one(short, 0)) - one(short, 0) + a64.Size
		for off := uint64(0); off < span && span <= 2*b.mem.Page; off += 2 { // twice as often as needed: the multiplication is not known
			one(short, uint32((off+1)<<32/span))
		}
	}
	return out, stuck
}

// compileOnce compiles a program, and attaches a trampoline that is far away, unless a
// program of that length was seen at that address: then the result has no more than that.
func (b *bench) compileOnce(insns []uint64, random uint32, seen map[uint64]bool) (c Compiled, stuck error) {
	b.reset()
	p, err := b.compile(insns, random)
	if err != nil {
		return c, err
	}
	key := p.addr<<8 | uint64(len(insns))
	c.Addr = p.addr
	if seen[key] {
		return c, nil
	}
	seen[key] = true
	c.Alloc, c.WX = p.alloc, b.moments()
	b.judgeCompiled(&c, p)
	b.symbols = append(b.symbols[:0], symbolRange{p.addr, p.size})
	ret, err := b.poke(p.addr, b.call, 0, b.text[1]+far)
	if err != nil || ret != 0 {
		return c, fmt.Errorf("attaching a trampoline to a compiled program: it returns %d, %v", ret, err)
	}
	call := p.addr // the instruction that becomes a branch
	for i := range b.w.Events {
		e := &b.w.Events[i]
		switch {
		case (e.Kind == world.Store || e.Kind == world.PatchLiteral) && e.Addr-p.addr < p.size+64:
			if c.Store == 0 || e.Addr < c.Literal {
				c.Literal, c.Store = e.Addr, e.PC
			}
		case e.Kind == world.Patch:
			call = e.Addr
		}
	}
	if c.Store == 0 {
		return c, fmt.Errorf("no literal is written when a trampoline that is far away is attached to a compiled program")
	}
	if bad := b.enterCompiled(p, call, b.text[1]+far); bad != "" {
		fn, _ := b.Image.Addr("bpf_int_jit_compile")
		text := "makes a program to which a trampoline that is far away is attached, and then " + bad
		c.Diffs = append(c.Diffs, Diff{Kind: Reach, Text: text, Emitter: Emitter{PC: fn}})
	}
	return c, nil
}

// enterCompiled executes the entry of a compiled program to which a trampoline is attached
// that is far away: call is the branch there. It says what is wrong with the way there.
func (b *bench) enterCompiled(p compiled, call, far uint64) string {
	near := p.addr + 1<<20
	t := &tracee{addr: p.addr, call: call, body: call + a64.Size, targets: [4]uint64{near, near + 0x100, far, far + 0x100}}
	b.w.M.Map(far&^(emu.PageSize-1), emu.PageSize, emu.Read|emu.Exec)
	b.must(b.w.M.Write32(far, a64.BTIjc))
	return b.enter(t, b.call, far)
}

// judgeCompiled judges the memory of a compiled program: its permissions, and whether
// instruction fetch sees the code.
func (b *bench) judgeCompiled(c *Compiled, p compiled) {
	diff := func(kind DiffKind, pc uint64, format string, args ...any) {
		c.Diffs = append(c.Diffs, Diff{Kind: kind, Text: fmt.Sprintf(format, args...), Emitter: Emitter{PC: pc}})
	}
	fn, _ := b.Image.Addr("bpf_int_jit_compile")
	if perm := b.permAt(p.addr); perm&emu.Exec == 0 {
		diff(ICache, fn, "the memory of a compiled program is %v", perm)
	}
	var dirty *world.Event
	blamed := uint64(0) // what makes it executable, or stores
	for i := range b.w.Events {
		e := &b.w.Events[i]
		within := e.Addr < p.addr+p.size && p.addr < e.Addr+e.Size
		switch e.Kind {
		case world.Store, world.Copy, world.Patch, world.PatchLiteral:
			if within && !e.Err {
				if dirty = e; e.ByInterface() {
					dirty = nil
				}
			}
		case world.ICache:
			if e.Addr <= p.addr && e.Addr+e.Size >= p.addr+p.size {
				dirty = nil
			}
		case world.Protect:
			if within && dirty != nil && e.Perm&emu.Exec != 0 {
				blamed = e.PC
			}
		case world.Trap:
			diff(Failing, e.PC, "warns (brk #%#x at %s)", e.Value, b.Image.At(e.PC))
		}
	}
	if dirty != nil {
		diff(ICache, cmp.Or(blamed, dirty.PC), "does not maintain the instruction cache for the %d bytes of a compiled program", p.size)
	}
}

// permAt are the permissions of memory for code.
func (b *bench) permAt(addr uint64) (perm emu.Perm) {
	for _, a := range b.mem.Areas {
		if !a.Freed && a.Contains(addr) {
			perm = a.PermAt(addr)
		}
	}
	return perm
}

// packs executes what a trampoline's memory goes through: it is allocated from a pack of
// the JIT, written, protected, executed and freed.
func (b *bench) packs(c *Case) (p Poke, stuck error) {
	p.What = "to allocate the trampoline for " + c.String() + ", write it, and free it"
	alloc, _ := b.Image.Addr("arch_alloc_bpf_trampoline")
	b.reset()
	diff := func(k DiffKind, fn uint64, format string, args ...any) {
		p.Diffs = append(p.Diffs, Diff{Kind: k, Text: fmt.Sprintf(format, args...), Emitter: Emitter{PC: fn}})
	}
	t := b.makeCase(c)
	call := func(name string, args ...uint64) uint64 {
		fn, ok := b.Image.Addr(name)
		if !ok || stuck != nil {
			return 0
		}
		ret, returned, err := b.w.Execute(world.Subject{Name: name, Fn: fn, Args: args})
		if err == nil && !returned {
			err = fmt.Errorf("%s: %s", name, b.w.Faults[0].What)
		}
		stuck = err
		return ret
	}
	size := call("arch_bpf_trampoline_size", t.model, uint64(c.Flags), t.lists, t.fn)
	if stuck == nil && int32(size) <= 0 {
		return p, nil // the generator does not support the function
	}
	if stuck == nil {
		t.Addr, stuck = b.allocate(size)
	}
	if stuck != nil || t.Addr == 0 {
		return p, cmp.Or(stuck, fmt.Errorf("arch_alloc_bpf_trampoline() returns NULL"))
	}
	t.Ret = int32(call(symbol, t.im, t.Addr, t.Addr+size, t.model, uint64(c.Flags), t.lists, t.fn))
	call("arch_protect_bpf_trampoline", t.Addr, size)
	p.WX = b.moments()
	if stuck != nil {
		return p, stuck
	}
	if perm := b.permAt(t.Addr); perm != emu.Read|emu.Exec {
		diff(ICache, alloc, "the memory of a trampoline is %v when it is attached", perm)
	}
	t.Code = make([]byte, max(t.Ret, 0))
	b.must(b.w.M.Read(t.Addr, t.Code))
	if t.Ret <= 0 {
		return p, nil // try has judged it
	}
	diffs, err := b.execute(c, t, &c.scenarios(false)[0], nil)
	p.Diffs = append(p.Diffs, diffs...)
	if err != nil {
		return p, err
	}
	b.w.Hook(b.w.Returns(0), fillHole)
	defer b.w.Unhook(fillHole)
	free, _ := b.Image.Addr("arch_free_bpf_trampoline")
	call("arch_free_bpf_trampoline", t.Addr, size)
	p.WX = append(p.WX, b.moments()...)
	left := make([]byte, t.Ret)
	if stuck == nil && free != 0 && b.permAt(t.Addr)&emu.Exec != 0 && b.w.M.Read(t.Addr, left) == nil && string(left) == string(t.Code) {
		diff(Detach, free, "leaves the code of a trampoline that is free, and executable")
	}
	return p, stuck
}

// allocate has the kernel allocate memory for a trampoline. The address is 0 if the kernel
// has no function for that.
func (b *bench) allocate(size uint64) (addr uint64, err error) {
	const name = "arch_alloc_bpf_trampoline"
	fn, ok := b.Image.Addr(name)
	if !ok {
		return 0, nil
	}
	b.w.Hook(b.w.Returns(0), fillHole)
	defer b.w.Unhook(fillHole)
	b.onePack()
	addr, returned, err := b.w.Execute(world.Subject{Name: name, Fn: fn, Args: []uint64{size}})
	if err == nil && !returned {
		err = errors.New(b.w.Faults[0].What)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return addr, nil
}

// onePack makes a pack of the JIT as small as it is: it is for all possible nodes, which
// are one.
func (b *bench) onePack() {
	if nodes, ok := b.Image.Addr("node_states"); ok {
		b.must(b.w.M.Write64(nodes, 1))
	}
}
