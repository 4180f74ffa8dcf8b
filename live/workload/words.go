//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// A callsite is a record of /callsites, which is little-endian: where the callsite
// lies and what is expected there. Addresses are those that the kernel is linked at.
// Before the records stand the addresses of _stext and of entry code. The latter is 0
// unless calls go to a tracer's trampoline in its place.
type callsite struct {
	At      uint64 // address of 8 bytes with the callsite
	Mask    uint64 // the bits of them that are the callsite's
	Off     uint64 // the 8 bytes with nothing enabled
	On      uint64 // the same with the function tracer
	Literal uint64 // address of the pointer to an ops; 0 if there is none
	Nop     uint64 // that pointer with nothing enabled
	Ops     uint64 // and with the function tracer
}

const recordSize = 7 * 8

// A segment is memory of the kernel in /proc/kcore.
type segment struct{ addr, size, offset uint64 }

// core reads the kernel's memory.
type core struct {
	fd       int
	segments []segment
	from     uint64 // address of buf
	buf      []byte
}

func openCore() (*core, error) {
	fd, err := syscall.Open("/proc/kcore", syscall.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	head := make([]byte, 64)
	if _, err := syscall.Pread(fd, head, 0); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	at, size, n := le.Uint64(head[32:]), int(le.Uint16(head[54:])), int(le.Uint16(head[56:]))
	table := make([]byte, size*n)
	if _, err := syscall.Pread(fd, table, int64(at)); err != nil {
		return nil, err
	}
	c := &core{fd: fd}
	for i := range n {
		p := table[i*size:]
		const load = 1
		if le.Uint32(p) == load {
			c.segments = append(c.segments, segment{le.Uint64(p[16:]), le.Uint64(p[40:]), le.Uint64(p[8:])})
		}
	}
	return c, nil
}

// chunk is how much is read at once, in bytes.
const chunk = 64 << 10

func (c *core) forget() { c.buf = nil }

// read is the 8 bytes at addr.
func (c *core) read(addr uint64) (uint64, error) {
	if addr < c.from || addr+8 > c.from+uint64(len(c.buf)) {
		found := false
		for _, s := range c.segments {
			if addr-s.addr < s.size {
				b := make([]byte, min(chunk, s.size-(addr-s.addr)))
				n, err := syscall.Pread(c.fd, b, int64(s.offset+addr-s.addr))
				if err != nil {
					return 0, err
				}
				c.from, c.buf, found = addr, b[:n], true
				break
			}
		}
		if !found || len(c.buf) < 8 {
			return 0, fmt.Errorf("/proc/kcore has not %#x", addr)
		}
	}
	return binary.LittleEndian.Uint64(c.buf[addr-c.from:]), nil
}

// What traces while callsites are compared.
const (
	byNothing = iota
	byFunction
	byGraph
)

// A comparison compares callsites with what is expected.
type comparison struct {
	shift   uint64 // of the running kernel
	entry   uint64 // see callsite
	records []byte
	core    *core
}

// compareCallsites compares the callsites with what is expected before, during and
// after tracing.
func compareCallsites() {
	text, err := readFile("/callsites", 64<<20)
	if err != nil || len(text) < 16 {
		wrong("/callsites: %v", err)
		return
	}
	data := []byte(text)
	at := loadedAt()
	if at == 0 {
		return
	}
	c := &comparison{shift: at - binary.LittleEndian.Uint64(data), entry: binary.LittleEndian.Uint64(data[8:]), records: data[16:]}
	fmt.Printf("LIVE shift %#x\n", c.shift)
	if c.core, err = openCore(); err != nil {
		wrong("/proc/kcore: %v", err)
		return
	}
	c.compare("before", byNothing)
	tracer("", "function")
	c.compare("during", byFunction)
	tracer("", "nop")
	c.compare("after", byNothing)
	if !offers(graphName) {
		return
	}
	tracer("", graphName)
	c.compare("during graph", byGraph)
	tracer("", "nop")
	c.compare("after graph", byNothing)
}

func (c *comparison) compare(when string, traced int) {
	c.core.forget()
	moved := uint64(0) // from the entry code to where calls go
	if traced != byNothing && c.entry != 0 {
		to, err := trampolineOfAll()
		if err != nil {
			wrong("%s: %v", when, err)
			return
		}
		fmt.Printf("LIVE trampoline of all %#x\n", to)
		moved = to - (c.entry + c.shift)
	}
	equal, differ := 0, 0
	see := func(s *callsite, what string, addr, mask, want uint64) bool {
		got, err := c.core.read(addr + c.shift)
		if got&mask == want && err == nil {
			return true
		}
		if differ++; differ <= 20 {
			wrong("%s: callsite %#x: %s is %016x, not %016x, %v", when, s.At, what, got&mask, want, err)
		}
		return false
	}
	for i := 0; i+recordSize <= len(c.records); i += recordSize {
		var s callsite
		for j, p := range []*uint64{&s.At, &s.Mask, &s.Off, &s.On, &s.Literal, &s.Nop, &s.Ops} {
			*p = binary.LittleEndian.Uint64(c.records[i+8*j:])
		}
		want, ops := s.Off, s.Nop
		if traced != byNothing {
			want, ops = s.On, s.Ops
		}
		if want&0xff == callOpcode && moved != 0 {
			want = retarget(want, moved)
		}
		// By address: the literal stands first. Which ops the graph tracer has is
		// the core's affair.
		if s.Literal != 0 && traced != byGraph && !see(&s, "literal", s.Literal, ^uint64(0), ops+c.shift) {
			continue
		}
		if see(&s, "code", s.At, s.Mask, want) {
			equal++
		}
	}
	fmt.Printf("LIVE callsites %s: %d as predicted, %d not\n", when, equal, differ)
	if differ > 0 || equal == 0 {
		wrong("%s: %d callsites are not as predicted, %d are", when, differ, equal)
	}
}

// callOpcode is the first byte of an x86-64 CALL, which the distance follows.
const callOpcode = 0xe8

// retarget has a CALL go further by a number of bytes.
func retarget(call, by uint64) uint64 {
	return callOpcode | uint64(uint32(call>>8)+uint32(by))<<8
}

// trampolineOfAll is the trampoline that all functions that are traced call.
func trampolineOfAll() (addr uint64, err error) {
	seen := map[string]int{}
	err = eachLine(tracing+"enabled_functions", func(line string) {
		_, to, ok := strings.Cut(line, "tramp: ")
		if !ok {
			to = "none: " + line
		}
		where, _, _ := strings.Cut(to, " ")
		seen[where]++
		addr, _ = strconv.ParseUint(where, 0, 64)
	})
	if err != nil || len(seen) != 1 || addr == 0 {
		return 0, fmt.Errorf("enabled_functions names other trampolines than one: %v, %v", seen, err)
	}
	return addr, nil
}

// loadedAt is the address of _stext in the running kernel, 0 if that is not known.
func loadedAt() uint64 {
	fd, err := syscall.Open("/proc/kallsyms", syscall.O_RDONLY, 0)
	if err != nil {
		wrong("/proc/kallsyms: %v", err)
		return 0
	}
	defer syscall.Close(fd)
	rest, b := "", make([]byte, 16<<10)
	for {
		n, err := syscall.Read(fd, b)
		if n <= 0 {
			wrong("/proc/kallsyms has no _stext: %v", err)
			return 0
		}
		lines := strings.Split(rest+string(b[:n]), "\n")
		rest = lines[len(lines)-1]
		for _, line := range lines {
			if f := strings.Fields(line); len(f) == 3 && f[2] == "_stext" {
				a, _ := strconv.ParseUint(f[0], 16, 64)
				return a
			}
		}
	}
}
