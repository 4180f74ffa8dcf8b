//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// A traced is a function to which programs are attached, and how it is called: a line
// of the file /trampolines, with its programs in the lines behind.
//
//	case NAME ID ARGS RET CALL SIZE   the function's number in BTF, the number of its arguments, 1 if it
//	                                  returns a value, what calls it, and the bytes of the trampoline
//	prog KIND COOKIE RET              what the program returns
type traced struct {
	name, call string
	id         uint32
	args       int
	ret        bool
	size       int
	progs      []attached
}

type attached struct {
	kind   string
	cookie uint64
	ret    int32
}

// compareTrampolines attaches the programs of each case, calls the function, and prints
// what programs have seen, what the caller gets, and the words of the trampoline.
func compareTrampolines() {
	var cases []traced
	err := eachLine("/trampolines", func(line string) {
		f := strings.Fields(line)
		n := func(i int) uint64 { v, _ := strconv.ParseUint(f[i], 0, 64); return v }
		if f[0] == "case" {
			cases = append(cases, traced{f[1], f[5], uint32(n(2)), int(n(3)), n(4) == 1, int(n(6)), nil})
			return
		}
		last := &cases[len(cases)-1]
		ret, _ := strconv.ParseInt(f[3], 0, 32)
		last.progs = append(last.progs, attached{f[1], n(2), int32(ret)})
	})
	if err != nil {
		wrong("/trampolines: %v", err)
		return
	}
	for i := range cases {
		if err := cases[i].try(); err != nil {
			wrong("%s: %v", cases[i].name, err)
		}
	}
}

// Offsets in the memory that programs write to, in bytes. Each has a slot.
const (
	slotSize   = 256
	slotOrder  = 0 // the number of programs that have run, with this one
	slotArgs   = 8 // then the return value
	slotRuns   = 224
	slotIP     = 232
	slotCookie = 240
	orderAt    = 4088 // how many programs have run
	mapSize    = 4096
)

func (c *traced) try() error {
	seen, err := newArray(mapSize)
	if err != nil {
		return fmt.Errorf("a map: %w", err)
	}
	defer syscall.Close(seen)
	var t target
	if c.call == "program" {
		if t, err = newTarget(); err != nil {
			return fmt.Errorf("a program to attach to: %w", err)
		}
		defer t.close()
		c.id = targetID
	}
	for i := len(c.progs) - 1; i >= 0; i-- { // the kernel runs the one that was attached last first
		p := &c.progs[i]
		observer := c.observer(p, seen, i)
		load := func() (int, string, error) { return loadTracing(observer, kinds[p.kind], c.id, 0) }
		if c.call == "program" {
			load = func() (int, string, error) { return t.loadTracing(observer, kinds[p.kind]) }
		}
		fd, log, err := load()
		if err != nil {
			return fmt.Errorf("load of %s: %w: %s", p.kind, err, strings.ReplaceAll(log, "\n", "; "))
		}
		defer syscall.Close(fd)
		link, err := linkTracing(fd, kinds[p.kind], p.cookie)
		if err != nil {
			return fmt.Errorf("attach of %s: %w", p.kind, err)
		}
		defer syscall.Close(link)
	}
	ret := c.use(t)
	data := make([]byte, mapSize)
	if err := lookUp(seen, data); err != nil {
		return fmt.Errorf("what programs have seen: %w", err)
	}
	le := binary.LittleEndian
	fmt.Printf("LIVE trampoline %s returned %#x\n", c.name, uint64(ret))
	for i := range c.progs {
		slot := data[i*slotSize:]
		word := func(off int) uint64 { return le.Uint64(slot[off:]) }
		text := fmt.Sprintf("LIVE trampoline %s saw %d %d %d %#x %#x", c.name, i, word(slotRuns), word(slotOrder), word(slotIP), word(slotCookie))
		for j := range c.args + 1 {
			text += fmt.Sprintf(" %#x", word(slotArgs+8*j))
		}
		fmt.Println(text)
	}
	return c.dump()
}

// observer is a program that notes what it sees.
func (c *traced) observer(p *attached, seen, slot int) []insn {
	const (
		move, load, store, add, set, call, moveImm, exit = 0xbf, 0x79, 0x7b, 0x07, 0x18, 0x85, 0xb7, 0x95

		mapValue                   = 2 // the source register of set: an address in a map
		getFuncIP, getAttachCookie = 173, 174
	)
	regs := func(dst, src uint8) uint8 { return src<<4 | dst }
	at := func(reg uint8, off int) []insn {
		return []insn{{set, regs(reg, mapValue), 0, int32(seen)}, {0, 0, 0, int32(off)}}
	}
	prog := []insn{{move, regs(6, 1), 0, 0}}
	prog = append(prog, at(7, slot*slotSize)...)
	prog = append(prog, at(8, orderAt)...)
	count := func(reg uint8, off int16) {
		prog = append(prog, insn{load, regs(1, reg), off, 0}, insn{add, 1, 0, 1}, insn{store, regs(reg, 1), off, 0})
	}
	count(8, 0)
	prog = append(prog, insn{store, regs(7, 1), slotOrder, 0})
	count(7, slotRuns)
	words := c.args
	if c.ret && p.kind != "fentry" {
		words++
	}
	for i := range int16(words) {
		prog = append(prog, insn{load, regs(1, 6), 8 * i, 0}, insn{store, regs(7, 1), slotArgs + 8*i, 0})
	}
	ask := func(helper int32, to int16) {
		prog = append(prog, insn{move, regs(1, 6), 0, 0}, insn{call, 0, 0, helper}, insn{store, regs(7, 0), to, 0})
	}
	ask(getFuncIP, slotIP)
	ask(getAttachCookie, slotCookie)
	return append(prog, insn{moveImm, 0, 0, p.ret}, insn{exit, 0, 0, 0})
}

// use calls the function, which is t if it is a BPF program.
func (c *traced) use(t target) (ret int64) {
	raw := func(n, a, b, d, e, f uintptr) int64 {
		r, _, errno := syscall.RawSyscall6(n, a, b, d, e, f, 0)
		if errno != 0 {
			return -int64(errno)
		}
		return int64(r)
	}
	switch c.call {
	case "prctl":
		return raw(syscall.SYS_PRCTL, 0x7e57, 0x1111, 0x2222_2222_2222, 0x3333, 0x4444)
	case "program":
		return t.run()
	case "sync":
		return raw(syscall.SYS_SYNC, 0, 0, 0, 0, 0)
	case "read":
		var b [77]byte
		fd, err := syscall.Open("/init", syscall.O_RDONLY, 0)
		if err != nil {
			wrong("/init: %v", err)
		}
		defer syscall.Close(fd)
		return raw(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b)), 77, 0, 0)
	}
	wrong("%s: how is it called?", c.call)
	return 0
}

// dump prints the words of the trampoline.
func (c *traced) dump() error {
	var at uint64
	err := eachLine("/proc/kallsyms", func(line string) {
		f := strings.Fields(line)
		key, ok := strings.CutPrefix(f[2], "bpf_trampoline_")
		if n, err := strconv.ParseUint(key, 10, 64); ok && err == nil && uint32(n)&0x7fff_ffff == c.id {
			at, _ = strconv.ParseUint(f[0], 16, 64)
		}
	})
	if err != nil || at == 0 {
		return fmt.Errorf("/proc/kallsyms has no trampoline for it: %v", err)
	}
	mem, err := openCore()
	if err != nil {
		return err
	}
	defer syscall.Close(mem.fd)
	text := fmt.Sprintf("LIVE trampoline %s words %#x", c.name, at)
	for off := 0; off < c.size; off += 8 {
		v, err := mem.read(at + uint64(off))
		if err != nil {
			return err
		}
		text += fmt.Sprintf(" %08x", uint32(v))
		if off+4 < c.size {
			text += fmt.Sprintf(" %08x", uint32(v>>32))
		}
	}
	fmt.Println(text)
	return nil
}
