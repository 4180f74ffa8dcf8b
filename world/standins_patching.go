package world

import (
	"bytes"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
)

// hookPatching makes the stand-ins for the patching interface, the functions that
// read and write text.
func (w *World) hookPatching() {
	p := w.arch.Patching
	w.Hook(w.readInsn, p.Read...)
	w.Hook(w.writeInsn, p.Write...)
	w.Hook(w.writeLiteral, p.WriteLiteral...)
	w.Hook(w.writeBytes, p.WriteBytes...)
}

// readInsn stands for aarch64_insn_read(addr, word).
func (w *World) readInsn(name string) error {
	addr, to := w.Arg(0), w.Arg(1)
	v, err := w.M.Read32(addr)
	switch {
	case atLimit(err):
		return err
	case err != nil || addr%a64.Size != 0:
		return w.result(efault)
	case w.fails(name):
		w.event(Event{Kind: ReadInsn, PC: w.Caller(), Addr: addr, Func: name, Err: true})
		// A word on the stack that nobody has written can have any value, also the
		// one that the code expects to read.
		if v, err := w.M.Read32(to); err == nil && to-Stack < stackSize && unwritten(to, v) {
			_ = w.M.Write32(to, a64.NOP)
		}
		return w.result(erange) // as copy_from_kernel_nofault() may
	}
	w.event(Event{Kind: ReadInsn, PC: w.Caller(), Addr: addr, Value: uint64(v), Func: name})
	_ = w.result(0)
	return w.M.Write32(to, v)
}

// writeInsn stands for aarch64_insn_write(addr, word), which writes through a
// writable alias.
func (w *World) writeInsn(name string) error {
	addr, insn := w.Arg(0), uint32(w.Arg(1))
	old, err := w.M.Read32(addr)
	switch {
	case atLimit(err):
		return err
	case addr%a64.Size != 0:
		return w.result(einval)
	case err != nil:
		return w.result(efault)
	case w.fails(name):
		w.event(Event{Kind: Patch, PC: w.Caller(), Addr: addr, Size: 4, Old: uint64(old), Value: uint64(insn), Func: name, Err: true})
		return w.result(erange)
	}
	w.event(Event{Kind: Patch, PC: w.Caller(), Addr: addr, Size: 4, Old: uint64(old), Value: uint64(insn), Func: name})
	_ = w.result(0)
	return w.M.Write32(addr, insn)
}

// writeLiteral stands for aarch64_insn_write_literal_u64(addr, value).
func (w *World) writeLiteral(name string) error {
	addr, v := w.Arg(0), w.Arg(1)
	if _, err := w.M.Read64(addr); atLimit(err) {
		return err
	} else if err != nil {
		return w.result(efault)
	}
	if w.fails(name) {
		w.event(Event{Kind: PatchLiteral, PC: w.Caller(), Addr: addr, Size: 8, Value: v, Func: name, Err: true})
		return w.result(erange)
	}
	w.event(Event{Kind: PatchLiteral, PC: w.Caller(), Addr: addr, Size: 8, Value: v, Func: name})
	_ = w.result(0)
	return w.M.Write64(addr, v)
}

// ClobberMakers has the makers of instructions clobber the registers that a call may
// clobber. Their callers, in another file of the kernel, cannot know which registers
// the makers leave alone. end undoes the effect.
func (w *World) ClobberMakers() (end func()) {
	var hooked []uint64
	for _, name := range w.arch.Patching.Makers {
		fn, ok := w.Image.Addr(name)
		if !ok || !w.Image.IsText(fn) {
			continue
		}
		hooked = append(hooked, fn)
		var hook emu.Hook
		hook = func(m *emu.Machine) error {
			m.Hook(fn, nil)
			_, err := m.Call(fn)
			m.Hook(fn, hook)
			if err == nil {
				w.Clobber()
			}
			return err
		}
		w.M.Hook(fn, hook)
	}
	return func() {
		for _, fn := range hooked {
			w.M.Hook(fn, nil)
		}
	}
}

// emulates notes that a function is to have processors that come by emulate another
// instruction than it writes: its fourth argument is the address of that.
func (w *World) emulates(name string, code []byte) {
	other := make([]byte, len(code))
	if at := w.Arg(3); at != 0 && (w.Mem.Read(at, other) != nil || !bytes.Equal(other, code)) {
		w.Fault(w.Caller(), "has %s() emulate %#x, not what it writes", name, at)
	}
}

// writeBytes stands for text_poke_bp(addr, code, size, ...) and its like, which write
// through another mapping and cannot fail.
func (w *World) writeBytes(name string) error {
	const most = 64 // bytes: ftrace writes one instruction
	addr, from, size := w.Arg(0), w.Arg(1), w.Arg(2)
	if size > most {
		w.Fault(w.Caller(), "has %s() write %#x bytes: no instruction has so many", name, size)
		return nil
	}
	code, old := make([]byte, size), make([]byte, size)
	for _, b := range []struct {
		addr uint64
		to   []byte
		what string
	}{{from, code, "has %s() write %#x bytes that are at %#x, where nothing is mapped"}, {addr, old, "has %s() write %#x bytes to %#x, where nothing is mapped"}} {
		if err := w.Mem.Read(b.addr, b.to); atLimit(err) {
			return err
		} else if err != nil {
			w.Fault(w.Caller(), b.what, name, size, b.addr)
			return nil
		}
	}
	if slices.Contains(w.arch.Patching.Emulating, name) {
		w.emulates(name, code)
	}
	number := func(b []byte) (v uint64) {
		for i, c := range b[:min(len(b), 8)] {
			v |= uint64(c) << (8 * i)
		}
		return v
	}
	w.event(Event{Kind: Patch, PC: w.Caller(), Addr: addr, Size: size, Old: number(old), Value: number(code), Func: name})
	w.SetResult(addr) // of text_poke() and text_poke_copy(); the others return nothing
	return w.Mem.Write(addr, code)
}
