package bpf

// fill gives callee-saved registers, those of the mask from r6 on, values of their own,
// and the first and the last word of the stack. id is the program's.
func (c *code) fill(id uint64, regs uint, stack int) {
	for i := range 4 {
		if regs>>i&1 != 0 {
			c.set(6+i, id<<32|0xca11_0000_0000_0006+uint64(i))
		}
	}
	for _, off := range ends(stack) {
		c.set(2, id<<32|0x57ac_0000_0000_0000+uint64(off))
		c.store(frame, -off, 2)
	}
}

// ends are the distances of the first and the last word of a stack from its end.
func ends(stack int) []int {
	switch {
	case stack == 0:
		return nil
	case stack < 16:
		return []int{stack &^ 7}
	}
	return []int{8, stack &^ 7}
}

// show passes what fill has filled to a probe.
func (c *code) show(id uint64, regs uint, stack int, probe int32) {
	for i := range 4 {
		if regs>>i&1 != 0 {
			c.move(2+i, 6+i)
		} else {
			c.imm(2+i, int32(i))
		}
	}
	c.set(1, id)
	c.call(probe)
	if stack == 0 {
		return
	}
	for i := range 4 {
		c.imm(2+i, 0)
	}
	for i, off := range ends(stack) {
		c.load(2+i, frame, -off)
	}
	c.set(1, id+1)
	c.call(probe)
}

// tell passes r2 to a probe.
func (c *code) tell(id uint64) {
	for i := 3; i < 6; i++ {
		c.imm(i, 0)
	}
	c.set(1, id)
	c.call(nearProbe)
}

// end returns a value.
func (c *code) end(v uint64) {
	c.set(0, v)
	c.exit()
}

// Marks of programs, in what they show and return.
const (
	mainID   = 0x1a10
	subID    = 0x5b00
	targetID = 0x7a00
	returns  = 0x4e74_8765_4321_0000
)

// plainProg is a program that fills registers and stack, calls a probe, and looks again
// after the action.
func plainProg(id uint64, regs uint, stack int, probe int32, act func(c *code)) source {
	var c code
	c.fill(id, regs, stack)
	c.show(id, regs, stack, probe)
	if act != nil {
		act(&c)
		c.show(id+2, regs, stack, probe)
	}
	c.end(returns + id)
	return source{code: c, stack: stack}
}

const all4 = 15 // r6 to r9

// jitCases are programs that use every way into a program and out of it. With all they
// do so in every combination.
func (b *bench) jitCases(all bool) (out []jitCase) {
	one := func(name string, s source) { out = append(out, jitCase{name: name, progs: []source{s}}) }
	one("a program with registers and stack", plainProg(mainID, all4, 40, nearProbe, nil))
	if b.ext != 0 {
		replacing := plainProg(mainID, 3, 0, nearProbe, nil)
		replacing.replaces = true
		out = append(out, jitCase{name: "a program that replaces another's function, entered through a PLT", progs: []source{replacing}, jumped: true})
	}
	if b.array.has("ptrs") {
		out = append(out, tailCases(all)...)
	}
	out = append(out, subCases(all)...)
	if all && b.array.has("ptrs") && b.returnsTrue("bpf_jit_supports_subprog_tailcalls") {
		out = append(out, subTailCases()...)
	}
	if b.aux.has("exception_cb") && b.returnsTrue("bpf_jit_supports_exceptions") {
		out = append(out, throwCases(all)...)
		if all && b.array.has("ptrs") {
			out = append(out, throwTailCase())
		}
	}
	if b.aux.has("arena") && b.returnsTrue("bpf_jit_supports_arena") {
		out = append(out, arenaCase())
	}
	if b.aux.has("priv_stack_ptr") && b.returnsTrue("bpf_jit_supports_private_stack") {
		out = append(out, privateCases()...)
	}
	if !all {
		return out
	}
	classic := plainProg(mainID, 6, 16, farProbe, nil)
	classic.classic = true
	one("a classic program that calls far away", classic)
	var leaf code
	leaf.end(returns)
	one("a program that only returns", source{code: leaf})
	for reg := 6; reg < 10; reg++ {
		var c code
		c.imm(reg, 0)
		c.end(returns)
		one("a program that writes a register and does not read it", source{code: c})
	}
	for regs := range uint(16) {
		for _, stack := range []int{0, 8, 16, 24, 504, 512} {
			one("a program with other registers and stack", plainProg(mainID, regs, stack, nearProbe+int32(regs&1), nil))
		}
	}
	return out
}

// tailTo is the action of a program that tail calls slot n of the array. The bench makes
// the address of the array of r2's mark.
func tailTo(n int32) func(c *code) {
	return func(c *code) {
		c.set(1, ctxArg)
		c.set(2, arrayMark)
		c.imm(3, n)
		c.tail()
	}
}

// arrayMark stands for the address of the array of programs in code.
const arrayMark = 0xa44a_0000_0000_0000

// tailCases are programs that tail call others.
func tailCases(all bool) (out []jitCase) {
	target := plainProg(targetID, all4, 256, nearProbe, nil)
	small := plainProg(targetID, 0, 0, nearProbe, nil)
	from := func(n int32) source { return plainProg(mainID, 5, 40, nearProbe, tailTo(n)) }
	out = []jitCase{
		{name: "a program that tail calls one with more registers and stack", progs: []source{from(0), target}, table: []int{1}},
		{name: "a program that tail calls itself", progs: []source{plainProg(mainID, 4, 8, nearProbe, tailTo(0))}, table: []int{0}},
	}
	if !all {
		return out
	}
	out = append(out, []jitCase{
		{name: "a program that tail calls one with less registers and stack", progs: []source{from(1), small}, table: []int{-1, 1}},
		{name: "a program whose tail call finds no program", progs: []source{from(0), target}, table: []int{-1, 1}},
		{name: "a program whose tail call is behind the array's end", progs: []source{from(2), target}, table: []int{1, 1}},
	}...)
	for regs := range uint(16) {
		for _, stack := range []int{0, 8, 512} {
			first := plainProg(mainID, regs, stack, nearProbe, tailTo(0))
			out = append(out, jitCase{name: "a program that tail calls another", progs: []source{first, target}, table: []int{1}},
				jitCase{name: "a program that tail calls another", progs: []source{from(0), plainProg(targetID, regs, stack, nearProbe, nil)}, table: []int{1}})
		}
	}
	return out
}

// callTo is the action of a program that calls subprogram n, and shows what it returns.
func callTo(n int16) func(c *code) {
	return func(c *code) {
		for i := 1; i < 6; i++ {
			c.set(i, 0xa46_0000_0000+uint64(i))
		}
		c.sub(n)
		c.move(2, 0)
		c.tell(mainID + 8)
	}
}

// subProg is plainProg for a subprogram. It shows its arguments, too.
func subProg(id uint64, regs uint, stack int, act func(c *code)) source {
	s := plainProg(id, regs, stack, nearProbe, act)
	var c code
	c.call(nearProbe)
	s.code, s.sub = append(c, s.code...), true
	return s
}

// subCases are programs that call subprograms, and these others.
func subCases(all bool) []jitCase {
	chain := []source{plainProg(mainID, 8, 24, nearProbe, callTo(1)), subProg(subID, 6, 128, callTo(2)), subProg(subID+0x10, 1, 0, nil)}
	out := []jitCase{{name: "a program that calls a subprogram, and that another", progs: chain}}
	if !all {
		return out
	}
	through := source{sub: true, stack: 16} // a subprogram that reads its caller's stack
	through.code.load(0, 1, 0)
	through.code.exit()
	pass := plainProg(mainID, 2, 32, nearProbe, func(c *code) {
		c.move(1, frame)
		c.add(encoded{op: opAddImm, dst: 1, imm: -32})
		c.sub(1)
		c.move(2, 0)
		c.tell(mainID + 8)
	})
	return append(out, []jitCase{
		{name: "a program that calls a subprogram without a frame of its own", progs: []source{
			plainProg(mainID, all4, 0, nearProbe, callTo(1)), subProg(subID, 0, 0, nil)}},
		{name: "a subprogram that reads its caller's stack", progs: []source{pass, through}},
	}...)
}

// subTailCases are subprograms that tail call.
func subTailCases() []jitCase {
	main := plainProg(mainID, 9, 40, nearProbe, callTo(1))
	target := plainProg(targetID, 6, 64, nearProbe, nil)
	return []jitCase{
		{name: "a subprogram that tail calls a program", progs: []source{main, subProg(subID, all4, 24, tailTo(0)), target}, table: []int{2}},
		{name: "a subprogram whose tail call finds no program", progs: []source{main, subProg(subID, all4, 24, tailTo(0))}, table: []int{-1}},
	}
}

// throw is the action of a program that throws an exception.
func throw(c *code) {
	c.set(1, 0xc00c_1e00_0000_0001)
	for i := 2; i < 6; i++ {
		c.imm(i, 0)
	}
	c.call(throwProbe)
}

// boundary is a program that exceptions end.
func boundary(act func(c *code), regs uint, stack int) source {
	s := plainProg(mainID, regs, stack, nearProbe, act)
	s.boundary = true
	return s
}

// catcher is the callback of an exception. It shows the cookie that was thrown.
func catcher(regs uint, stack int) source {
	var c code
	c.move(2, 1)
	c.tell(subID + 0x20)
	s := plainProg(subID+0x30, regs, stack, nearProbe, nil)
	s.code, s.sub, s.callback = append(c, s.code...), true, true
	return s
}

// throwTailCase is a program that exceptions can end, and that tail calls.
func throwTailCase() jitCase {
	return jitCase{name: "a program that could throw an exception and tail calls another", progs: []source{
		boundary(tailTo(0), 9, 48), plainProg(targetID, 6, 16, nearProbe, nil), catcher(0, 0)}, table: []int{1}}
}

// throwCases are programs that throw exceptions.
func throwCases(all bool) (out []jitCase) {
	out = []jitCase{{name: "a subprogram that throws an exception", progs: []source{boundary(callTo(1), 4, 24), subProg(subID, 9, 128, throw), catcher(2, 16)}}}
	if !all {
		return out
	}
	out = append(out, []jitCase{
		{name: "a program that throws an exception", progs: []source{boundary(throw, 1, 40), catcher(all4, 64)}},
		{name: "a program that could throw an exception and returns", progs: []source{boundary(callTo(1), 2, 16), subProg(subID, all4, 0, nil), catcher(0, 0)}},
	}...)
	for regs := range uint(16) {
		out = append(out, jitCase{name: "a subprogram that throws an exception", progs: []source{
			boundary(callTo(1), regs, 24), subProg(subID, 15&^regs, 128, throw), catcher(regs, 8*int(regs))}})
	}
	return out
}

// arenaCase is a program with an arena, whose base is in a register that is saved.
func arenaCase() jitCase {
	const at = 0x1238
	act := func(c *code) {
		c.set(2, 0xa4e7_a000_0000_0001)
		c.imm(1, at)
		c.add(encoded{op: opSaveArena, dst: 1, src: 2, off: 8})
		c.tell(mainID + 9)
		c.imm(1, at+16)
		c.add(encoded{op: opLoadArena, dst: 2, src: 1, off: -8})
		c.tell(mainID + 10)
	}
	main := plainProg(mainID, 8, 16, nearProbe, act)
	main.arena = true
	return jitCase{name: "a program with an arena", progs: []source{main}}
}

// privateCases are programs whose stacks are not the kernel's.
func privateCases() []jitCase {
	main := plainProg(mainID, 8, 24, nearProbe, callTo(1))
	sub := subProg(subID, 3, 512, nil)
	main.private, sub.private = true, true
	tails := plainProg(mainID, 2, 128, nearProbe, tailTo(0))
	tails.private = true
	return []jitCase{
		{name: "a program with a private stack", progs: []source{main, sub}},
		{name: "a program with a private stack that tail calls another", progs: []source{tails, plainProg(targetID, 6, 64, nearProbe, nil)}, table: []int{1}},
	}
}
