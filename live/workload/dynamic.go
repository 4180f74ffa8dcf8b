//go:build linux

package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// layout is what the file /dynamic says: offsets in bytes.
type layout struct {
	fn, trampoline, size int            // members of struct ftrace_ops
	literal              map[string]int // the pointer to the ops in a trampoline, by its entry code
}

// A situation has ftrace use trampolines.
type situation struct {
	name string
	ok   func() bool // it is there; nil: always
	on   func()
	off  func()
}

const instance = "instances/a/"

// addProbe enables a dynamic event. It reports whether the kernel has such events.
func addProbe(file, text string) bool {
	if write(file, text, syscall.O_APPEND) != nil {
		return false
	}
	put("events/live/enable", "1")
	return true
}

func removeProbe() {
	put("events/live/enable", "0")
	put("dynamic_events", "\n")
}

func tracedAs(tracerName, functions string) func() {
	return func() {
		put("set_ftrace_filter", functions)
		tracer("", tracerName)
	}
}

func traceInInstance(functions string) {
	os.Mkdir(tracing+instance, 0o755)
	put(instance+"set_ftrace_filter", functions)
	tracer(instance, "function")
}

func removeInstance() {
	untraced()
	tracer(instance, "nop")
	if err := syscall.Rmdir(tracing + instance); err != nil {
		wrong("rmdir of an instance: %v", err)
	}
}

func untraced() { tracer("", "nop") }

var situations = []situation{
	{name: "function", on: tracedAs("function", "vfs_read"), off: untraced},
	{name: "stack", on: func() {
		put("options/func_stack_trace", "1")
		tracedAs("function", "vfs_read vfs_write")()
	}, off: func() {
		put("options/func_stack_trace", "0")
		put("current_tracer", "nop")
	}},
	{name: "pid", on: func() {
		put("set_ftrace_pid", "1")
		tracedAs("function", "vfs_read")()
	}, off: func() {
		untraced()
		put("set_ftrace_pid", "\n")
	}},
	{name: "instance", on: func() {
		traceInInstance("ksys_read")
		tracedAs("function", "vfs_read")()
	}, off: removeInstance},
	{name: "two", on: func() {
		traceInInstance("vfs_read")
		tracedAs("function", "vfs_read")()
	}, off: removeInstance},
	{name: "trigger", on: func() { put("set_ftrace_filter", "vfs_open:traceon") }, off: func() {
		if err := write("set_ftrace_filter", "!vfs_open:traceon", syscall.O_APPEND); err != nil {
			wrong("!vfs_open:traceon: %v", err)
		}
	}},
	{name: "kprobe", on: func() { addProbe("kprobe_events", "p:live/a vfs_read") }, off: removeProbe},
	{name: "kprobe+function", on: func() {
		addProbe("kprobe_events", "p:live/a vfs_read")
		tracedAs("function", "ksys_read")()
	}, off: func() { untraced(); removeProbe() }},
	{name: "kprobe+function-on-one", on: func() {
		addProbe("kprobe_events", "p:live/a vfs_read")
		tracedAs("function", "vfs_read")()
	}, off: func() { untraced(); removeProbe() }},
	{name: "graph", on: tracedAs(graphName, "vfs_read"), off: untraced},
	{name: "graph+kprobe", on: func() {
		addProbe("kprobe_events", "p:live/a vfs_read")
		tracedAs(graphName, "ksys_read")()
	}, off: func() { untraced(); removeProbe() }},
	{name: "graph+instance", on: func() {
		traceInInstance("vfs_read")
		tracedAs(graphName, "ksys_read")()
	}, off: removeInstance},
	{name: "fprobe", ok: func() bool { return addProbe("dynamic_events", "f:live/a vfs_read") }, off: removeProbe},
	{name: "fprobe+graph", ok: func() bool { return addProbe("dynamic_events", "f:live/a vfs_read%return") },
		on: tracedAs(graphName, "ksys_read"), off: func() { untraced(); removeProbe() }},
	{name: "function-again", on: tracedAs("function", "vfs_read"), off: untraced},
}

// dumpDynamic prints what is in the memory of the kernel while its trampolines are used.
func dumpDynamic() {
	l := layout{literal: map[string]int{}}
	err := eachLine("/dynamic", func(line string) {
		f := strings.Fields(line)
		n, _ := strconv.Atoi(f[1])
		switch f[0] {
		case "func":
			l.fn = n
		case "trampoline":
			l.trampoline = n
		case "trampoline_size":
			l.size = n
		default:
			l.literal[f[0]] = n
		}
	})
	if err != nil {
		wrong("/dynamic: %v", err)
		return
	}
	mem, err := openCore()
	if err != nil {
		wrong("/proc/kcore: %v", err)
		return
	}
	syms := map[string]uint64{}
	list, err := kallsyms()
	if err != nil {
		wrong("/proc/kallsyms: %v", err)
	}
	for _, s := range list {
		syms[s.name] = s.addr
	}
	fmt.Printf("LIVE dynamic shift %#x\n", syms["_stext"])
	if thunk := syms["x86_return_thunk"]; thunk != 0 {
		to, err := mem.read(thunk)
		fmt.Printf("LIVE dynamic thunk %#x %v\n", to, err)
	}
	for name := range l.literal {
		fmt.Printf("LIVE dynamic entry %s %s\n", name, mem.hex(syms[name], 384))
	}
	for i := range situations {
		s := &situations[i]
		if s.ok != nil && !s.ok() {
			continue
		}
		if s.on != nil {
			s.on()
		}
		reads(3)
		calls(3)
		mem.forget()
		l.dump(s.name, mem, syms)
		s.off()
		put("set_ftrace_filter", "\n")
	}
	fmt.Println("LIVE dynamic end")
}

// hex is n bytes of memory; what cannot be read is left out.
func (c *core) hex(addr uint64, n int) string {
	var b []byte
	for ; n > 0; n, addr = n-8, addr+8 {
		v, err := c.read(addr)
		if err != nil {
			break
		}
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return hex.EncodeToString(b)
}

// dump prints each function that is traced with what stands there, and each trampoline.
// In words:
//
//	LIVE dynamic on SITUATION ENTRY NAME TRAMPOLINE ADDR BYTES    a function; TRAMPOLINE is 0x0 if it calls the entry code
//	LIVE dynamic code SITUATION ENTRY TRAMPOLINE CALLBACK OPS OPS.FUNC OPS.TRAMPOLINE OPS.SIZE PERM BYTES
func (l *layout) dump(name string, mem *core, syms map[string]uint64) {
	text, err := readFile(tracing+"enabled_functions", 64<<10)
	if err != nil {
		wrong("enabled_functions: %v", err)
	}
	seen := map[string]bool{}
	for _, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		if len(f) < 3 || !strings.HasPrefix(f[1], "(") { // the ops of the function before
			continue
		}
		_, rest, ok := strings.Cut(line, "tramp: ")
		if !ok {
			rest = "0x0 (none+"
		}
		where, callback, _ := strings.Cut(rest, " (")
		callback, _, _ = strings.Cut(callback, "+")
		entry := "ftrace_caller"
		if f[2] == "R" {
			entry = "ftrace_regs_caller"
		}
		fmt.Printf("LIVE dynamic on %s %s %s %s %#x %s\n", name, entry, f[0], where, syms[f[0]], mem.hex(syms[f[0]], 16))
		at, _ := strconv.ParseUint(where, 0, 64)
		if at == 0 || seen[where] {
			continue
		}
		seen[where] = true
		word := func(addr uint64) uint64 {
			v, err := mem.read(addr)
			if err != nil {
				wrong("%s: %v", name, err)
			}
			return v
		}
		ops := word(at + uint64(l.literal[entry]))
		fmt.Printf("LIVE dynamic code %s %s %#x %s %#x %#x %#x %#x %s %s\n", name, entry, at, callback, ops,
			word(ops+uint64(l.fn)), word(ops+uint64(l.trampoline)), word(ops+uint64(l.size)), mem.perm(at, syms), mem.hex(at, 512))
	}
}

// perm is the permissions of the page at addr in x86-64's page tables (SDM, volume 3,
// "4-level paging and 5-level paging"), which the kernel reads in its map of all memory.
func (c *core) perm(addr uint64, syms map[string]uint64) string {
	const (
		present, write, large, noExec = 1, 1 << 1, 1 << 7, 1 << 63
		next                          = 1<<52 - 1<<12 // bits of an entry with a physical address
	)
	base, err := c.read(syms["page_offset_base"])
	if err != nil {
		return err.Error()
	}
	levels := 4
	if l5, err := c.read(syms["__pgtable_l5_enabled"]); err == nil && uint32(l5) != 0 {
		levels = 5
	}
	table, w, x := syms["init_top_pgt"], true, true
	for level := levels; level > 0; level-- {
		e, err := c.read(table + addr>>(3+9*level)&0x1ff*8)
		if err != nil || e&present == 0 {
			return fmt.Sprintf("none:level%d:%v", level, err)
		}
		w, x = w && e&write != 0, x && e&noExec == 0
		if level > 1 && e&large != 0 {
			break
		}
		table = base + e&next
	}
	perm := []byte("r--")
	if w {
		perm[1] = 'w'
	}
	if x {
		perm[2] = 'x'
	}
	return string(perm)
}
