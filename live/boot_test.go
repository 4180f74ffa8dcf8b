package live

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/child"
)

// A file is one of an initrd.
type file struct {
	name string
	mode uint32 // as in struct stat
	data []byte
}

// cpio is an archive in the format that the kernel unpacks as its first file system
// (Documentation/driver-api/early-userspace/buffer-format.rst).
func cpio(files []file) []byte {
	var b bytes.Buffer
	pad := func() {
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
	}
	add := func(ino int, f file) {
		// ino, mode, uid, gid, nlink, mtime, filesize, 4 numbers of devices, namesize, check
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
			ino, f.mode, 0, 0, 1, 0, len(f.data), 0, 0, 0, 0, len(f.name)+1, 0)
		b.WriteString(f.name + "\x00")
		pad()
		b.Write(f.data)
		pad()
	}
	for i, f := range files {
		add(i+1, f)
	}
	add(0, file{name: "TRAILER!!!"})
	return b.Bytes()
}

const (
	isDir  = 0o040755
	isFile = 0o100755
)

// A board is a machine that qemu emulates.
type board struct {
	qemu    string   // the program
	args    []string // that choose the machine and its processor
	console string   // as the kernel calls it
	goarch  string   // as Go calls its architecture
	slow    int      // see machine
	// kaslr are the arguments of a kernel that is booted at various addresses.
	kaslr []string
}

var boards = map[*arch.Arch]*board{
	arch.ARM64: {
		qemu: "qemu-system-aarch64", args: []string{"-M", "virt", "-cpu", "max,pauth-impdef=on"}, console: "ttyAMA0", goarch: "arm64",
		slow: 1, kaslr: []string{"nokaslr", ""},
	},
	arch.X86: {
		qemu: "qemu-system-x86_64", args: []string{"-cpu", "max"}, console: "ttyS0", goarch: "amd64",
		slow: 8, kaslr: []string{""}, // each change of all callsites has qemu forget what it has translated
	},
}

// initrd writes an initrd with the workload as init, the modules of a kernel and
// other files. It returns its path.
func (b *board) initrd(t *testing.T, modules string, more ...file) string {
	t.Helper()
	dir := t.TempDir()
	cmd := child.Command(t, "go", "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", filepath.Join(dir, "init"), "./workload")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+b.goarch, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build ./workload: %v\n%s", err, out)
	}
	files := []file{{"dev", isDir, nil}, {"modules", isDir, nil}}
	read := func(as, path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{as, isFile, data})
	}
	read("init", filepath.Join(dir, "init"))
	list, err := filepath.Glob(filepath.Join(modules, "*.ko"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range list {
		read("modules/"+filepath.Base(path), path)
	}
	path := filepath.Join(dir, "initrd")
	if err := os.WriteFile(path, cpio(append(files, more...)), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// bootable is a machine for a kernel of Debian's with the workload and its files, and the
// path of what qemu boots: the image's bytes, or the bzImage beside it.
func bootable(t *testing.T, im *elfscan.Image, files ...file) (m machine, kernel string) {
	t.Helper()
	b := boards[im.Arch()]
	m = machine{board: b, initrd: b.initrd(t, "", files...), bad: misbehaves, args: "nokaslr", slow: b.slow}
	if im.Arch() == arch.X86 {
		kernel = filepath.Join(filepath.Dir(im.Path), "vmlinuz")
		if _, err := os.Stat(kernel); err != nil {
			t.Fatalf("%v: run FTLINT_MODULES=1 scripts/fetch-kernels", err)
		}
		return m, kernel
	}
	kernel = filepath.Join(t.TempDir(), "Image")
	if err := os.WriteFile(kernel, flat(t, im), 0o666); err != nil {
		t.Fatal(err)
	}
	return m, kernel
}

// A machine boots kernels.
type machine struct {
	board  *board
	initrd string
	args   string   // more of the kernel's command line
	qemu   []string // more arguments of qemu
	trace  func(line string)
	bad    *regexp.Regexp // what a line of the console holds if something is wrong
	slow   int            // how many times longer than others the kernel may be silent while it is busy
}

// misbehaves is what a kernel prints when something is wrong, and what the workload
// does.
var misbehaves = regexp.MustCompile(`Kernel panic.*|Oops.*|Internal error.*|Unable to handle.*|WARNING: .*|BUG: .*|[Ii]nsecure W\+X.*|.*FAILED!.*|.*\.\. filter (did|failed).*|LIVE wrong.*`)

// ofProcessor stands in warnings about the processor, which refer to documentation.
const ofProcessor = "/hw-vuln/"

// A verdict is what became of a booted kernel.
type verdict struct {
	bad     []string // what was wrong, in the console's words; nil for a kernel that works
	console []string
	last    string        // part of the workload that was begun last
	cpu     time.Duration // that qemu took
}

// Limits of a boot. The first counts processor time, as other programs may keep
// qemu from its own.
const (
	silentCPU  = 8 * time.Second   // without a line on the console
	silentIdle = 60 * time.Second  // likewise, with next to no processor time
	silent     = 300 * time.Second // likewise, in any case
	afterwards = 2 * time.Second   // from the first sign of a defect
)

// boot boots the kernel Image at path.
func (m *machine) boot(t *testing.T, path string) (v verdict, err error) {
	args := append(slices.Clone(m.board.args), "-m", "1024", "-nographic", "-no-reboot", "-kernel", path, "-initrd", m.initrd,
		// The guest's clock counts instructions: a boot is the same each time, and on a busy machine. Sleep takes no time.
		"-icount", "shift=1,sleep=off", "-seed", "15",
		"-append", "console="+m.board.console+" rdinit=/init panic=-1 loglevel=7 "+m.args)
	cmd := child.Command(t, m.board.qemu, append(args, m.qemu...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return v, err
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		return v, err
	}
	var lines atomic.Int64
	var found atomic.Bool
	ended := make(chan struct{})
	over := make(chan string, 1)
	go func() { over <- watch(cmd, m.slow, &lines, &found, &v.cpu, ended) }()
	done := false
	in := bufio.NewScanner(out)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := strings.TrimRight(in.Text(), "\r")
		lines.Add(1)
		v.console = append(v.console, line)
		if _, part, ok := strings.Cut(line, "LIVE "); ok && !strings.HasPrefix(part, "wrong") {
			v.last = part
			done = done || strings.HasPrefix(part, "done ")
		}
		if bad := m.bad.FindString(line); bad != "" && !strings.Contains(line, ofProcessor) {
			v.bad = append(v.bad, bad)
			found.Store(true)
		}
		if m.trace != nil {
			m.trace(line)
		}
	}
	cmd.Wait()
	close(ended)
	switch why := <-over; {
	case why != "":
		v.bad = append(v.bad, why)
	case !done && len(v.bad) == 0:
		at := "before any line"
		if n := len(v.console); n > 0 {
			at = "after " + v.console[n-1]
		}
		how := "ends "
		if strings.Contains(errs.String(), "no active timers") {
			how = "waits for an interrupt that never comes, "
		}
		v.bad = append(v.bad, how+at)
	}
	return v, nil
}

// watch kills qemu when the guest hangs, and returns why; and when something is
// wrong already, for which it has no words.
func watch(cmd *exec.Cmd, slow int, lines *atomic.Int64, found *atomic.Bool, cpu *time.Duration, ended chan struct{}) string {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	last, since, sinceCPU := int64(-1), time.Now(), time.Duration(0)
	idle, idleCPU := time.Now(), time.Duration(0)
	var bad time.Time
	for {
		select {
		case <-ended:
			*cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			return ""
		case <-tick.C:
		}
		now, used := time.Now(), processorTime(cmd.Process.Pid)
		if n := lines.Load(); n != last {
			last, since, sinceCPU = n, now, used
		}
		if used-idleCPU > 200*time.Millisecond {
			idle, idleCPU = now, used
		}
		why := ""
		switch {
		case found.Load():
			if bad.IsZero() {
				bad = now
			}
			if now.Sub(bad) < afterwards {
				continue
			}
		case used-sinceCPU > time.Duration(slow)*silentCPU:
			why = fmt.Sprintf("hangs, busy: no line for %.0f s of processor time", (used - sinceCPU).Seconds())
		case now.Sub(since) > silentIdle && now.Sub(idle) > silentIdle:
			why = fmt.Sprintf("hangs, idle: no line for %.0f s", now.Sub(since).Seconds())
		case now.Sub(since) > time.Duration(slow)*silent:
			why = fmt.Sprintf("hangs: no line for %.0f s", now.Sub(since).Seconds())
		default:
			continue
		}
		cmd.Process.Kill()
		<-ended
		*cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		return why
	}
}

// processorTime is what a process has used of the processor; 0 if that is not known.
func processorTime(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, ok := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if err != nil || !ok || len(fields) < 13 {
		return 0
	}
	var user, system int64 // in ticks, of which Linux has 100 a second
	fmt.Sscan(fields[11], &user)
	fmt.Sscan(fields[12], &system)
	return time.Duration(user+system) * 10 * time.Millisecond
}
