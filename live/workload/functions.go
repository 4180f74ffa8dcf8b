//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// expected is what ftlint says about the functions of this kernel, file /functions. A
// line of it is one of
//
//	ftrace CALL                    a callsite
//	invalid CALL                   a callsite that the kernel disables
//	kprobe ADDR ANSWER TRY         of a function: y, b (blacklisted) or n; TRY: 1 to register a probe
//	bpf ID TYPE ERRNO NAME         attaching to a function: fentry, fexit or fmod_ret
//	can CAPABILITY true|false      of the kernel as a whole
//	hook ID NAME                   a function that BPF LSM attaches to
//	module NAME                    a module to load, of which the next lines are
//	modfunc NAME FTRACE KPROBE     a function that has its name alone: y or n
//	modbpf ID TYPE ERRNO NAME      as bpf
type expected struct {
	module   string
	modfuncs []modfunc
	modprogs []program
	can      map[string]bool
	hooks    []program
	calls    map[uint64]bool
	invalid  map[uint64]bool // of calls
	probes   []probe
	progs    []program
}

type probe struct {
	addr   uint64
	answer string
	try    bool
}

type program struct {
	id    uint32
	kind  string
	errno int
	name  string
	btf   int // descriptor of the types of a module; 0: the kernel's
}

type modfunc struct {
	name           string
	ftrace, kprobe bool
}

// compareFunctions compares what ftlint says with what the kernel does. A difference is
// a line "LIVE wrong".
func compareFunctions() {
	if err := syscall.Mount("debugfs", "/sys/kernel/debug", "debugfs", 0, ""); err != nil {
		wrong("mount debugfs: %v", err)
	}
	e, err := readExpected("/functions")
	if err != nil {
		wrong("/functions: %v", err)
		return
	}
	syms, err := kallsyms()
	if err != nil {
		wrong("/proc/kallsyms: %v", err)
		return
	}
	fmt.Println("LIVE capabilities")
	e.capabilities()
	fmt.Println("LIVE filter functions")
	e.filterFunctions(syms)
	fmt.Println("LIVE blacklist")
	e.blacklist()
	fmt.Println("LIVE kprobes")
	e.register()
	fmt.Println("LIVE programs")
	e.attach(e.progs)
	if e.module != "" {
		fmt.Println("LIVE module")
		e.ofModule()
	}
}

func readExpected(path string) (*expected, error) {
	e := &expected{calls: map[uint64]bool{}, invalid: map[uint64]bool{}, can: map[string]bool{}}
	return e, eachLine(path, func(line string) {
		f := strings.Fields(line)
		n, _ := strconv.ParseUint(f[1], 0, 64)
		switch f[0] {
		case "ftrace":
			e.calls[n] = true
		case "invalid":
			e.calls[n], e.invalid[n] = true, true
		case "can":
			e.can[f[1]] = f[2] == "true"
		case "hook":
			e.hooks = append(e.hooks, program{id: uint32(n), kind: "lsm", name: f[2]})
		case "kprobe":
			e.probes = append(e.probes, probe{n, f[2], f[3] == "1"})
		case "bpf":
			errno, _ := strconv.Atoi(f[3])
			e.progs = append(e.progs, program{id: uint32(n), kind: f[2], errno: errno, name: f[4]})
		case "module":
			e.module = f[1]
		case "modfunc":
			e.modfuncs = append(e.modfuncs, modfunc{name: f[1], ftrace: f[2] == "y", kprobe: f[3] == "y"})
		case "modbpf":
			errno, _ := strconv.Atoi(f[3])
			e.modprogs = append(e.modprogs, program{id: uint32(n), kind: f[2], errno: errno, name: f[4]})
		}
	})
}

func eachLine(path string, f func(line string)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewScanner(file)
	for in.Scan() {
		f(in.Text())
	}
	return in.Err()
}

type ksym struct {
	addr uint64
	name string
}

// kallsyms are the kernel's symbols, by address; those at one address in the order of
// the kernel, which takes the first.
func kallsyms() (list []ksym, err error) {
	err = eachLine("/proc/kallsyms", func(line string) {
		f := strings.Fields(line)
		if len(f) > 3 { // of a module, or of a BPF program
			return
		}
		a, _ := strconv.ParseUint(f[0], 16, 64)
		list = append(list, ksym{a, f[2]})
	})
	sort.SliceStable(list, func(i, j int) bool { return list[i].addr < list[j].addr })
	if len(list) == 0 || list[len(list)-1].addr == 0 {
		return nil, fmt.Errorf("%d symbols, without addresses", len(list))
	}
	return list, err
}

// nameAt is the name that the kernel has for an address, and the distance from there.
func nameAt(syms []ksym, addr uint64) (name string, off uint64) {
	i := sort.Search(len(syms), func(i int) bool { return syms[i].addr > addr }) - 1
	for i > 0 && syms[i-1].addr == syms[i].addr {
		i--
	}
	if i < 0 {
		return "", 0
	}
	return syms[i].name, addr - syms[i].addr
}

// counted prints the first differences, and counts all.
type counted struct {
	what string
	n    int
}

func (s *counted) wrong(format string, args ...any) {
	if s.n++; s.n <= 12 {
		wrong(s.what+": "+format, args...)
	} else {
		wrongs++
	}
}

// capabilities compares what the kernel as a whole can do. What fentry, fexit and
// fmod_ret can, attach shows.
func (e *expected) capabilities() {
	s := counted{what: "capabilities"}
	n := 0
	check := func(id string, does bool) {
		if n++; does != e.can[id] {
			s.wrong("%s: %t is expected", id, e.can[id])
		}
	}
	check("function", offers("function"))
	check("graph", offers(graphName))
	if e.can["graph"] {
		put("current_tracer", graphName) // a tracer's options are there while it is in use
		check("graph-retval", has("options/funcgraph-retval"))
		put("current_tracer", "nop")
	}
	probe := func(kind string) bool {
		err := write("kprobe_events", kind+":live/can vfs_read\n", syscall.O_APPEND)
		if err == nil {
			err = write("kprobe_events", "-:live/can\n", syscall.O_APPEND)
		}
		return err == nil
	}
	check("kprobes", probe("p"))
	check("kretprobes", probe("r"))
	check("livepatch", syscall.Access("/sys/kernel/livepatch", 0) == nil)
	err := useStructOps()
	if check("struct_ops", err == nil); err != nil && e.can["struct_ops"] {
		s.wrong("struct_ops: %v", err)
	}
	for _, h := range e.hooks {
		fd, log, err := loadTracing(nothing, lsmHook, h.id, 0)
		if err == nil {
			var link int
			if link, err = attachTracing(fd); err == nil {
				syscall.Close(link)
			}
			syscall.Close(fd)
		}
		if check("lsm", err == nil); err != nil && err != syscall.Errno(524) {
			s.wrong("lsm: %s fails with %v, not 524: %s", h.name, err, log)
		}
	}
	fmt.Printf("LIVE functions %d capabilities, %d differences\n", n, s.n)
}

func (e *expected) filterFunctions(syms []ksym) {
	s := counted{what: "available_filter_functions"}
	const withAddrs = tracing + "available_filter_functions_addrs"
	n := 0
	if syscall.Access(withAddrs, 0) == nil {
		seen := map[uint64]bool{}
		err := eachLine(withAddrs, func(line string) {
			f := strings.Fields(line)
			a, _ := strconv.ParseUint(strings.TrimPrefix(f[0], "0x"), 16, 64)
			seen[a] = true
			n++
			if !e.calls[a] {
				s.wrong("%s is there", line)
			}
		})
		if err != nil {
			s.wrong("%v", err)
		}
		for a := range e.calls {
			if !seen[a] {
				name, _ := nameAt(syms, a)
				s.wrong("%#x %s is not there", a, name)
			}
		}
	} else {
		count := map[string]int{}
		for a := range e.calls {
			name, off := nameAt(syms, a)
			if e.invalid[a] {
				name = fmt.Sprintf("__ftrace_invalid_address___%d", off)
			}
			count[name]++
		}
		err := eachLine(tracing+"available_filter_functions", func(line string) {
			count[strings.Fields(line)[0]]--
			n++
		})
		if err != nil {
			s.wrong("%v", err)
		}
		for name, n := range count {
			if n != 0 {
				s.wrong("%s is there %d times less than expected", name, n)
			}
		}
	}
	fmt.Printf("LIVE functions %d that ftrace can use, %d differences\n", n, s.n)
}

// blacklist compares every function with the kernel's blacklist of kprobes.
func (e *expected) blacklist() {
	s := counted{what: "kprobes/blacklist"}
	type span struct{ lo, hi uint64 }
	var list []span
	err := eachLine("/sys/kernel/debug/kprobes/blacklist", func(line string) {
		lo, rest, _ := strings.Cut(line, "-")
		hi, _, _ := strings.Cut(rest, "\t")
		a, _ := strconv.ParseUint(lo, 0, 64)
		b, _ := strconv.ParseUint(hi, 0, 64)
		list = append(list, span{a, b})
	})
	if err != nil || len(list) == 0 {
		s.wrong("%v, %d lines", err, len(list))
		return
	}
	sort.Slice(list, func(i, j int) bool { return list[i].lo < list[j].lo })
	in := func(a uint64) bool {
		for _, l := range list {
			if l.lo <= a && a < l.hi {
				return true
			}
		}
		return false
	}
	n := 0
	for _, p := range e.probes {
		if in(p.addr) {
			n++
			if p.answer != "b" {
				s.wrong("%#x is there (%s)", p.addr, p.answer)
			}
		} else if p.answer == "b" {
			s.wrong("%#x is not there", p.addr)
		}
	}
	fmt.Printf("LIVE functions %d looked at, %d blacklisted, %d differences\n", len(e.probes), n, s.n)
}

// register registers kprobes by address.
func (e *expected) register() {
	s := counted{what: "kprobe_events"}
	var yes, no int
	for _, p := range e.probes {
		if !p.try {
			continue
		}
		err := write("kprobe_events", fmt.Sprintf("p:live/probe %#x\n", p.addr), syscall.O_APPEND)
		if err == nil { // an address that the kernel has no symbol for is accepted, and not probed
			if list, _ := readFile("/sys/kernel/debug/kprobes/list", 256); list == "" {
				err = syscall.ENOENT
			}
			write("kprobe_events", "-:live/probe\n", syscall.O_APPEND)
		}
		switch {
		case err == nil:
			yes++
			if p.answer != "y" {
				s.wrong("%#x can be probed (%s)", p.addr, p.answer)
			}
		default:
			no++
			if p.answer == "y" {
				s.wrong("%#x cannot be probed: %v", p.addr, err)
			}
		}
	}
	fmt.Printf("LIVE functions %d probed, %d refused, %d differences\n", yes, no, s.n)
}

var kinds = map[string]uint32{"fentry": traceFentry, "fexit": traceFexit, "fmod_ret": modifyReturn}

// attach attaches a program to each function, and compares the error numbers.
func (e *expected) attach(progs []program) {
	s := counted{what: "attach"}
	var yes, no int
	for _, p := range progs {
		errno := func(err error) int {
			if n, ok := err.(syscall.Errno); ok {
				return int(n)
			}
			return 0
		}
		fd, log, err := loadTracing(nothing, kinds[p.kind], p.id, p.btf)
		at := "load"
		if err == nil {
			var link int
			at = "attach"
			if link, err = attachTracing(fd); err == nil {
				syscall.Close(link)
			}
			syscall.Close(fd)
		}
		if err == nil {
			yes++
		} else {
			no++
		}
		if errno(err) != p.errno {
			s.wrong("%s of %s: %s fails with %d, not %d: %s", p.kind, p.name, at, errno(err), p.errno, strings.ReplaceAll(strings.TrimSpace(log), "\n", "; "))
		}
	}
	fmt.Printf("LIVE functions %d programs attached, %d refused, %d differences\n", yes, no, s.n)
}

// ofModule loads the module, and compares its functions as those of the kernel.
func (e *expected) ofModule() {
	s := counted{what: "module " + e.module}
	if err := load(e.module, ""); err != nil {
		s.wrong("%v", err)
		return
	}
	there := map[string]bool{}
	err := eachLine(tracing+"available_filter_functions", func(line string) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == "["+e.module+"]" {
			there[f[0]] = true
		}
	})
	if err != nil {
		s.wrong("%v", err)
	}
	for _, f := range e.modfuncs {
		if f.ftrace != there[f.name] {
			s.wrong("available_filter_functions has %s: %t", f.name, there[f.name])
		}
		err := write("kprobe_events", fmt.Sprintf("p:live/probe %s:%s\n", e.module, f.name), syscall.O_APPEND)
		if err == nil {
			write("kprobe_events", "-:live/probe\n", syscall.O_APPEND)
		}
		if f.kprobe != (err == nil) {
			s.wrong("a kprobe of %s: %v", f.name, err)
		}
	}
	fmt.Printf("LIVE functions %d of a module, %d that ftrace can use, %d differences\n", len(e.modfuncs), len(there), s.n)
	if len(e.modprogs) == 0 {
		return
	}
	fd := moduleBTF(e.module)
	if fd < 0 {
		s.wrong("it has no BTF")
		return
	}
	for i := range e.modprogs {
		e.modprogs[i].btf = fd
	}
	e.attach(e.modprogs)
}
