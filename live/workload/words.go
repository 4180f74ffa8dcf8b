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
type callsite struct {
	Call    uint64 // address of the BL, or of its place
	Pair    uint64 // the words at Call-4 and Call with nothing enabled, the first in the low half
	Enabled uint64 // the same with the function tracer
	Literal uint64 // address of the pointer to an ops; 0 if there is none
	Nop     uint64 // that pointer with nothing enabled
	Ops     uint64 // and with the function tracer
}

const recordSize = 6 * 8

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

// compareCallsites compares the callsites with what is expected before, during and
// after tracing.
func compareCallsites() {
	text, err := readFile("/callsites", 64<<20)
	if err != nil || len(text) < 8 {
		wrong("/callsites: %v", err)
		return
	}
	data := []byte(text)
	at := loadedAt()
	if at == 0 {
		return
	}
	shift := at - binary.LittleEndian.Uint64(data)
	data = data[8:]
	fmt.Printf("LIVE shift %#x\n", shift)
	c, err := openCore()
	if err != nil {
		wrong("/proc/kcore: %v", err)
		return
	}
	const off, function, graph = 0, 1, 2
	compare := func(when string, tracer int) {
		c.forget()
		equal, differ := 0, 0
		see := func(s *callsite, what string, addr, want uint64) bool {
			got, err := c.read(addr + shift)
			if got == want && err == nil {
				return true
			}
			if differ++; differ <= 20 {
				wrong("%s: callsite %#x: %s is %016x, not %016x, %v", when, s.Call, what, got, want, err)
			}
			return false
		}
		for i := 0; i+recordSize <= len(data); i += recordSize {
			var s callsite
			for j, p := range []*uint64{&s.Call, &s.Pair, &s.Enabled, &s.Literal, &s.Nop, &s.Ops} {
				*p = binary.LittleEndian.Uint64(data[i+8*j:])
			}
			pair, ops := s.Pair, s.Nop
			if tracer != off {
				pair, ops = s.Enabled, s.Ops
			}
			// By address: the literal stands first. Which ops the graph tracer has is
			// the core's affair.
			if s.Literal != 0 && tracer != graph && !see(&s, "literal", s.Literal, ops+shift) {
				continue
			}
			if see(&s, "words", s.Call-4, pair) {
				equal++
			}
		}
		fmt.Printf("LIVE callsites %s: %d as predicted, %d not\n", when, equal, differ)
		if differ > 0 || equal == 0 {
			wrong("%s: %d callsites are not as predicted, %d are", when, differ, equal)
		}
	}
	compare("before", off)
	tracer("", "function")
	compare("during", function)
	tracer("", "nop")
	compare("after", off)
	if !offers(graphName) {
		return
	}
	tracer("", graphName)
	compare("during graph", graph)
	tracer("", "nop")
	compare("after graph", off)
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
