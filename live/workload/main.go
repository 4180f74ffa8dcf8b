//go:build linux

// Workload is the init of a kernel that a test boots: it uses ftrace in the ways
// that people do, and says on the console what went wrong.
//
// It prints "LIVE" and the name of each part before that part, "LIVE wrong: ..."
// for each thing that is not as it should be, and "LIVE done N" at its end, where N
// counts those. An Oops, a WARNING, or no such end is for its caller to see. A file
// /callsites has it compare callsites instead: see words.go. A file /functions has it
// compare what can be traced: see functions.go. A file /trampolines has it attach BPF
// programs: see trampolines.go. A file /dynamic has it print ftrace's own trampolines: see
// dynamic.go.
package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	tracing = "/sys/kernel/tracing/"
	modules = "/modules/"

	// leaf is a function that nothing but calls() executes, nested one that calls
	// vfs_read.
	leaf   = "__arm64_sys_getppid"
	nested = "__arm64_sys_read"

	graphName = "function_graph" // the tracer's
)

// wrongs counts what went wrong.
var wrongs int

func wrong(format string, args ...any) {
	fmt.Printf("LIVE wrong: "+format+"\n", args...)
	wrongs++
}

func main() {
	runtime.LockOSThread() // a stack and a trace are a thread's
	for _, m := range []struct{ kind, at string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"tracefs", tracing}, {"tmpfs", "/tmp"}} {
		os.MkdirAll(m.at, 0o755)
		if err := syscall.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			wrong("mount %s: %v", m.kind, err)
		}
	}
	switch {
	case syscall.Access("/callsites", 0) == nil:
		compareCallsites()
	case syscall.Access("/functions", 0) == nil:
		compareFunctions()
	case syscall.Access("/trampolines", 0) == nil:
		compareTrampolines()
	case syscall.Access("/dynamic", 0) == nil:
		dumpDynamic()
	default:
		for _, part := range parts {
			fmt.Println("LIVE", part.name)
			part.run()
		}
	}
	fmt.Println("LIVE done", wrongs)
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}

var parts = []struct {
	name string
	run  func()
}{
	{"work", work},
	{"function", function},
	{"instances", instances},
	{"graph", graph},
	{"graph filtered", graphFiltered},
	{"stack", stacks},
	{"all functions", allFunctions},
	{"all graph", allGraph},
	{"probes", probes},
	{"fprobe", fprobe},
	{"module", module},
	{"direct", direct},
	{"ops", ops},
	{"work again", work},
}

// readFile reads a file, at most n bytes. Package os would have the runtime poll files, which a
// small kernel need not be able to.
func readFile(path string, n int) (string, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer syscall.Close(fd)
	b := make([]byte, n)
	got := 0
	for got < n {
		m, err := syscall.Read(fd, b[got:])
		if err != nil {
			return string(b[:got]), err
		}
		if m <= 0 {
			break
		}
		got += m
	}
	return string(b[:got]), nil
}

// write writes text to a file of tracefs.
func write(file, text string, flags int) error {
	fd, err := syscall.Open(tracing+file, syscall.O_WRONLY|flags, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	for len(text) > 0 { // tracefs takes a word at a time
		n, err := syscall.Write(fd, []byte(text))
		if err != nil {
			return err
		}
		if n <= 0 {
			return syscall.EIO
		}
		text = text[n:]
	}
	return nil
}

// put is write to a file whose content text replaces.
func put(file, text string) {
	if err := write(file, text, syscall.O_TRUNC); err != nil {
		wrong("%q, written to %s: %v", text, file, err)
	}
}

func has(file string) bool {
	return syscall.Access(tracing+file, 0) == nil
}

// offers reports whether the kernel has a tracer.
func offers(tracer string) bool {
	list, err := readFile(tracing+"available_tracers", 256)
	if err != nil {
		wrong("available_tracers: %v", err)
	}
	return slices.Contains(strings.Fields(list), tracer)
}

// tracer selects a tracer, and asks for it: writing is not all.
func tracer(in, name string) {
	put(in+"current_tracer", name)
	if got, _ := readFile(tracing+in+"current_tracer", 64); strings.TrimSpace(got) != name {
		wrong("%scurrent_tracer is %q, not %s", in, got, name)
	}
	clear(in)
}

// clear empties the trace.
func clear(in string) { put(in+"trace", "\n") }

// trace is the lines of the trace, up to a size: a whole one takes long to read.
func trace(in string) (lines []string) {
	put(in+"tracing_on", "0")
	defer put(in+"tracing_on", "1")
	text, err := readFile(tracing+in+"trace", 256<<10)
	if err != nil {
		wrong("%strace: %v", in, err)
	}
	for _, line := range strings.Split(text, "\n") {
		if line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// count is how many lines hold all the texts.
func count(lines []string, texts ...string) (n int) {
	for _, line := range lines {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			n++
		}
	}
	return n
}

func must(what string, got, want int, lines []string) {
	if got == want {
		return
	}
	example := "no line"
	if len(lines) > 0 {
		example = lines[0]
	}
	wrong("%s: %d, not %d, in %d lines: %s", what, got, want, len(lines), example)
}

// some is must for "at least one".
func some(what string, got int, lines []string) { must(what, min(got, 1), 1, lines) }

// calls executes leaf n times.
func calls(n int) {
	for range n {
		if r, _, _ := syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0); r != 0 {
			wrong("getppid: %d", r)
		}
	}
}

// reads executes nested n times, and asks for 77 bytes each time.
func reads(n int) {
	var b [77]byte
	fd, err := syscall.Open("/tmp/reads", syscall.O_RDWR|syscall.O_CREAT, 0o600)
	if err != nil {
		wrong("/tmp/reads: %v", err)
		return
	}
	defer syscall.Close(fd)
	data := bytes.Repeat([]byte("ftrace "), n*11)
	if m, err := syscall.Write(fd, data); m != len(data) || err != nil {
		wrong("write: %d, %v", m, err)
	}
	syscall.Seek(fd, 0, 0)
	for i := range n {
		r, _, e := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b)), 77)
		if r != 77 || !bytes.Equal(b[:], data[i*77:(i+1)*77]) {
			wrong("read: %d, %v, %.8q", r, e, b)
		}
	}
}

// work uses the kernel: processes, files, memory, pipes, timers.
func work() {
	for range 4 {
		pid, _, e := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
		if e == 0 && pid == 0 {
			syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 42, 0, 0)
		}
		var st syscall.WaitStatus
		got, err := syscall.Wait4(int(pid), &st, 0, nil)
		if e != 0 || err != nil || got != int(pid) || st.ExitStatus() != 42 {
			wrong("child %d: %v, waited for %d: %v, status %#x", pid, e, got, err, st)
		}
		reads(2)
		b, err := syscall.Mmap(-1, 0, 1<<16, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			wrong("mmap: %v", err)
			continue
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = byte(i >> 12)
		}
		syscall.Munmap(b)
		var p [2]int
		var back [3]byte
		syscall.Pipe2(p[:], 0)
		syscall.Write(p[1], []byte("abc"))
		if n, err := syscall.Read(p[0], back[:]); n != 3 || string(back[:]) != "abc" {
			wrong("pipe: %d, %v, %q", n, err, back)
		}
		syscall.Close(p[0])
		syscall.Close(p[1])
		syscall.Nanosleep(&syscall.Timespec{Nsec: 50e3}, nil)
	}
}

// callers are the functions that call leaf.
var callers = []string{"<-invoke_syscall", "<-el0_svc_common", "<-do_el0_svc"}

// mustCall requires that leaf was traced n times, with a caller that calls it.
func mustCall(what string, lines []string, n int) {
	got := 0
	for _, c := range callers {
		got += count(lines, " "+leaf+" ", c)
	}
	must(what+": calls of "+leaf, got, n, lines)
}

func function() {
	put("set_ftrace_filter", leaf)
	for range 2 {
		tracer("", "function")
		calls(40)
		mustCall("function", trace(""), 40)
		tracer("", "nop")
		clear("")
		calls(5)
		mustCall("nop", trace(""), 0)
	}
	put("set_ftrace_filter", leaf+" "+nested+" vfs_read kfree schedule")
	tracer("", "function")
	reads(10)
	lines := trace("")
	must("filtered: "+nested, count(lines, " "+nested+" "), 10, lines)
	clear("")
	work()
	tracer("", "nop")
}

// instances has two ops on one function, and each one on its own.
func instances() {
	os.Mkdir(tracing+"instances/a", 0o755)
	put("set_ftrace_filter", leaf+" vfs_read")
	put("instances/a/set_ftrace_filter", leaf+" "+nested)
	tracer("", "function")
	tracer("instances/a/", "function")
	calls(20)
	reads(10)
	mustCall("first of two", trace(""), 20)
	lines := trace("instances/a/")
	mustCall("second of two", lines, 20)
	some("second of two: "+nested, count(lines, " "+nested+" "), lines)
	tracer("", "nop")
	clear("instances/a/")
	calls(20)
	mustCall("second alone", trace("instances/a/"), 20)
	tracer("instances/a/", "nop")
	calls(3)
	if err := syscall.Rmdir(tracing + "instances/a"); err != nil {
		wrong("rmdir of an instance: %v", err)
	}
}

// graphTracer selects the graph tracer, and has it leave out interrupts: the slower
// the machine, the more of them.
func graphTracer() {
	tracer("", graphName)
	put("options/funcgraph-irqs", "0")
	clear("")
}

// graph traces all calls that read() makes.
func graph() {
	if !offers(graphName) {
		return
	}
	put("set_ftrace_filter", "\n")
	put("set_graph_function", nested)
	for range 2 {
		graphTracer()
		put("options/funcgraph-tail", "1") // the name of what is left, at its end
		clear("")
		reads(5)
		lines := trace("")
		must("graph: "+nested, count(lines, nested+"() {"), 5, lines)
		must("graph: end of "+nested, count(lines, "} /* "+nested), 5, lines)
		some("graph: vfs_read", count(lines, "  vfs_read() {")+count(lines, "  vfs_read();"), lines)
		put("options/funcgraph-tail", "0")
		tracer("", "nop")
		clear("")
		reads(3)
	}
	put("set_graph_function", "\n")
}

// graphFiltered traces two functions beside the function tracer in an instance.
func graphFiltered() {
	if !offers(graphName) {
		return
	}
	put("set_ftrace_filter", leaf+" "+nested)
	retval := has("options/funcgraph-retval")
	if retval {
		put("options/funcgraph-retval", "1")
	}
	graphTracer()
	calls(30)
	reads(10)
	lines := trace("")
	must("graph of two: leaf", count(lines, " "+leaf+"();"), 30, lines)
	must("graph of two: nested", count(lines, " "+nested+"();"), 10, lines)
	if retval {
		must("graph of two: value returned", count(lines, nested, "0x4d")+count(lines, nested, "= 77"), 10, lines)
		put("options/funcgraph-retval", "0")
	}
	os.Mkdir(tracing+"instances/b", 0o755)
	put("instances/b/set_ftrace_filter", leaf)
	tracer("instances/b/", "function")
	clear("")
	calls(10)
	mustCall("function beside graph", trace("instances/b/"), 10)
	lines = trace("")
	must("graph beside function", count(lines, " "+leaf+"();"), 10, lines)
	tracer("", "nop")
	clear("instances/b/")
	calls(10)
	mustCall("function after graph", trace("instances/b/"), 10)
	tracer("instances/b/", "nop")
	if err := syscall.Rmdir(tracing + "instances/b"); err != nil {
		wrong("rmdir of an instance: %v", err)
	}
}

// stacks asks for stack traces, out of a callback and through functions whose
// return the graph tracer waits for.
func stacks() {
	put("set_ftrace_filter", leaf)
	put("options/func_stack_trace", "1")
	tracer("", "function")
	calls(5)
	lines := trace("")
	must("stack out of a callback: leaf", count(lines, "=> "+leaf), 5, lines)
	must("stack out of a callback: its end", count(lines, "=> el0_svc")-count(lines, "=> el0_svc_"), 5, lines)
	tracer("", "nop")
	put("options/func_stack_trace", "0")

	own := func(how string) {
		s, err := readFile("/proc/thread-self/stack", 8<<10)
		for _, name := range []string{"proc_pid_stack", "vfs_read", "el0_svc"} {
			if !strings.Contains(s, name) {
				wrong("/proc/thread-self/stack %s has no %s: %q, %v", how, name, s, err)
				return
			}
		}
		if strings.Contains(s, "return_to_handler") {
			wrong("/proc/thread-self/stack %s has return_to_handler: %q", how, s)
		}
	}
	own("untraced")
	if !offers(graphName) {
		return
	}
	put("set_ftrace_filter", "vfs_read ksys_read "+nested+" seq_read seq_read_iter proc_pid_stack proc_single_show")
	graphTracer()
	own("under the graph tracer")
	tracer("", "nop")
	clear("")
}

func allFunctions() {
	put("set_ftrace_filter", "\n")
	for range 2 {
		tracer("", "function")
		calls(5)
		work()
		tracer("", "nop")
		work()
	}
	clear("")
}

func allGraph() {
	if !offers(graphName) {
		return
	}
	graphTracer()
	work()
	tracer("", "nop")
	clear("")
}

// probes has a kprobe, a kretprobe and both on a function that is traced, too.
func probes() {
	if !has("kprobe_events") {
		return
	}
	for _, p := range []string{"p:pa vfs_read count=%x2", "r:pb vfs_read ret=$retval"} {
		if err := write("kprobe_events", p, syscall.O_APPEND); err != nil {
			wrong("%s: %v", p, err)
		}
	}
	for _, with := range []string{"", "function", graphName} {
		if with != "" && !offers(with) {
			continue
		}
		if with != "" {
			put("set_ftrace_filter", "vfs_read "+nested)
			tracer("", with)
		}
		put("events/kprobes/enable", "1")
		reads(10)
		lines := trace("")
		must("kprobe "+with, count(lines, "pa: ", "count=0x4d"), 10, lines)
		must("kretprobe "+with, count(lines, "pb: ", "ret=0x4d"), 10, lines)
		if with == "function" {
			must("traced and probed", count(lines, " "+nested+" <-"), 10, lines)
		}
		put("events/kprobes/enable", "0")
		if with != "" {
			tracer("", "nop")
		}
		clear("")
	}
	put("kprobe_events", "\n")
}

// fprobe traces a function with its registers, and its return.
func fprobe() {
	if !has("dynamic_events") {
		return
	}
	for _, p := range []string{"f:fprobes/fa vfs_read count=$arg3", "f:fprobes/fb vfs_read%return ret=$retval"} {
		if write("dynamic_events", p, syscall.O_APPEND) != nil {
			return // a kernel without
		}
	}
	put("events/fprobes/enable", "1")
	reads(10)
	lines := trace("")
	must("fprobe", count(lines, "fa: ", "count=0x4d"), 10, lines)
	must("fprobe at return", count(lines, "fb: ", "ret=0x4d"), 10, lines)
	put("events/fprobes/enable", "0")
	put("dynamic_events", "\n")
	clear("")
}

// load loads a module.
func load(name, params string) error {
	text, err := readFile(modules+name+".ko", 8<<20)
	if err != nil {
		return err
	}
	b := []byte(text)
	p, _ := syscall.BytePtrFromString(params)
	if _, _, e := syscall.Syscall(syscall.SYS_INIT_MODULE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(p))); e != 0 {
		return e
	}
	return nil
}

func unload(name string) {
	p, _ := syscall.BytePtrFromString(name)
	if _, _, e := syscall.Syscall(syscall.SYS_DELETE_MODULE, uintptr(unsafe.Pointer(p)), 0, 0); e != 0 {
		wrong("module %s is not unloaded: %v", name, e)
	}
}

func there(name string) bool {
	return syscall.Access(modules+name+".ko", 0) == nil
}

// module loads a module untraced and traced, and traces its functions.
func module() {
	if !there("binfmt_misc") {
		return
	}
	const mount = "/tmp/binfmt"
	os.Mkdir(mount, 0o755)
	use := func(n int) {
		if err := syscall.Mount("binfmt_misc", mount, "binfmt_misc", 0, ""); err != nil {
			wrong("mount of a module's file system: %v", err)
			return
		}
		for range n {
			if b, err := readFile(mount+"/status", 64); b != "enabled\n" {
				wrong("a module's file: %q, %v", b, err)
			}
		}
		if err := syscall.Unmount(mount, 0); err != nil {
			wrong("unmount of a module's file system: %v", err)
		}
	}
	round := func() {
		if err := load("binfmt_misc", ""); err != nil {
			wrong("module binfmt_misc is not loaded: %v", err)
			return
		}
		use(2)
		unload("binfmt_misc")
	}
	round()
	put("set_ftrace_filter", "\n")
	tracer("", "function")
	round()
	tracer("", "nop")
	clear("")
	if err := load("binfmt_misc", ""); err != nil {
		wrong("module binfmt_misc is not loaded again: %v", err)
		return
	}
	put("set_ftrace_filter", "bm_status_read bm_fill_super")
	for range 2 {
		tracer("", "function")
		use(3)
		lines := trace("")
		some("a module's function", count(lines, " bm_status_read "), lines)
		must("another function of a module", count(lines, " bm_fill_super "), 1, lines)
		if offers(graphName) {
			graphTracer()
			clear("")
			use(3)
			lines = trace("")
			some("graph of a module's function", count(lines, " bm_status_read [binfmt_misc]();")+count(lines, " bm_status_read();"), lines)
		}
		tracer("", "nop")
		clear("")
	}
	unload("binfmt_misc")
	put("set_ftrace_filter", "\n")
}

// direct has samples of the kernel call their trampolines directly, with and
// without another tracer on the same function.
func direct() {
	for _, name := range []string{"ftrace-direct", "ftrace-direct-multi"} {
		if !there(name) {
			continue
		}
		for _, traced := range []bool{false, true, false} {
			if traced {
				put("set_ftrace_filter", "wake_up_process")
				tracer("", "function")
			}
			if err := load(name, ""); err != nil {
				wrong("module %s is not loaded: %v", name, err)
				return
			}
			for range 3 {
				time.Sleep(time.Millisecond)
			}
			lines := trace("")
			some(name, count(lines, "waking up")+count(lines, "my_direct_func"), append(lines, "none"))
			if traced {
				some(name+" and a tracer", count(lines, " wake_up_process <-"), lines)
				tracer("", "nop")
				time.Sleep(time.Millisecond)
			}
			unload(strings.ReplaceAll(name, "-", "_"))
			clear("")
			time.Sleep(time.Millisecond)
		}
	}
}

// ops has a sample of the kernel count calls of callbacks, as many as calls.
func ops() {
	if !there("ftrace-ops") {
		return
	}
	for _, params := range []string{"nr_ops_relevant=1", "nr_ops_relevant=2 nr_ops_irrelevant=2", "nr_ops_relevant=1 save_regs=1 assist_recursion=1"} {
		if err := load("ftrace-ops", params+" nr_function_calls=100 check_count=1"); err != syscall.EINVAL {
			wrong("module ftrace-ops with %s: %v, not %v", params, err, syscall.EINVAL)
		}
	}
	log, err := kernelLog()
	if n := strings.Count(log, "Attempted 100 calls"); n != 3 {
		wrong("module ftrace-ops reports %d times, not 3: %v", n, err)
	}
	if i := strings.Index(log, "Counter called"); i >= 0 {
		wrong("module ftrace-ops: %.60q", log[i:])
	}
}

// kernelLog is what the kernel has printed.
func kernelLog() (string, error) {
	b := make([]byte, 1<<20)
	const readAll = 3
	n, err := syscall.Klogctl(readAll, b)
	return string(b[:max(n, 0)]), err
}
