package live

import (
	"bytes"
	"fmt"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mikelolasagasti/xz"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/tracing"
)

// Of the functions for which an answer has the same reason, this many are tried.
const (
	probesOfReason   = 40
	probes           = 300 // of functions that can be probed
	programsOfReason = 25
	programsInAll    = 200
)

// lsmHooks are functions that programs of BPF LSM are attached to. The verifier refuses
// some hooks: these it takes.
var lsmHooks = []string{"bpf_lsm_file_open", "bpf_lsm_file_permission", "bpf_lsm_file_ioctl"}

// spread calls f with n of the list, evenly spread. Which ones depends on the seed.
func spread[T any](list []T, n int, seed uint64, f func(T)) {
	for i := range min(n, len(list)) {
		f(list[(i*len(list)/min(n, len(list))+int(seed))%len(list)])
	}
}

// answers is what ftlint says of the functions of a kernel, as a file for the workload.
func answers(t *testing.T, k *tracing.Kernel) []byte {
	t.Helper()
	if len(k.Unknown) > 0 {
		t.Fatal(k.Unknown)
	}
	var b bytes.Buffer
	for _, c := range k.Capabilities {
		fmt.Fprintf(&b, "can %s %t\n", c.ID, c.Has)
	}
	for _, f := range k.Functions {
		if f.Call != 0 && f.Ftrace.OK() {
			fmt.Fprintf(&b, "ftrace %#x\n", f.Call)
		}
	}
	stray := "ftrace"
	if _, disables := k.Image.Lookup(weakCheck); disables {
		stray = "invalid"
	}
	for _, call := range k.Stray {
		fmt.Fprintf(&b, "%s %#x\n", stray, call)
	}
	type reason struct {
		why, ftrace tracing.Reason
	}
	of := map[reason][]uint64{}
	for _, f := range k.Functions {
		r := reason{f.Kprobe.Why, f.Ftrace.Why}
		of[r] = append(of[r], f.Addr)
	}
	try := map[uint64]int{}
	for r, list := range of {
		n := probesOfReason
		if r.why == tracing.Can {
			n = probes
		}
		spread(list, n, seed(t), func(a uint64) { try[a] = 1 })
	}
	for _, f := range k.Functions {
		answer := "n"
		switch f.Kprobe.Why {
		case tracing.Can:
			answer = "y"
		case tracing.Blacklisted:
			base, _, _ := strings.Cut(f.Name, ".")
			if !strings.HasPrefix(f.Kprobe.About, base+": ") { // the function that it is made of is, which the list has alone
				answer = "b"
			}
		case tracing.Init:
			if try[f.Addr] == 0 {
				continue
			}
		}
		fmt.Fprintf(&b, "kprobe %#x %s %d\n", f.Addr, answer, try[f.Addr])
	}
	progs := map[string][]string{}
	for _, f := range k.Functions {
		if f.BTF == 0 || f.Fentry.Why == tracing.OtherFirst {
			continue
		}
		if slices.Contains(lsmHooks, f.Name) {
			fmt.Fprintf(&b, "hook %d %s\n", f.BTF, f.Name)
		}
		for _, use := range []struct {
			name   string
			answer tracing.Answer
		}{{"fentry", f.Fentry}, {"fexit", f.Fexit}, {"fmod_ret", f.FmodRet}} {
			if use.name != "fentry" && use.answer == f.Fentry && !use.answer.OK() {
				continue
			}
			r := fmt.Sprint(use.name, use.answer.Why)
			progs[r] = append(progs[r], fmt.Sprintf("bpf %d %s %d %s\n", f.BTF, use.name, use.answer.Errno(), f.Name))
		}
	}
	n := 0
	for _, list := range progs {
		spread(list, programsOfReason, seed(t), func(line string) { b.WriteString(line); n++ })
	}
	can := fmt.Sprint("fentry", tracing.Can)
	if len(progs[can]) == 0 {
		for r, list := range progs {
			if len(list) > len(progs[can]) {
				can = r
			}
		}
	}
	spread(progs[can], programsInAll-n, seed(t)+1, func(line string) { b.WriteString(line) })
	return b.Bytes()
}

// moduleOf opens a module of a kernel that needs no other; nil if there is none. text is
// the module as the kernel takes it.
func moduleOf(t *testing.T, kernel *elfscan.Image) (im *elfscan.Image, text []byte) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(filepath.Dir(kernel.Path), "modules", "loop.ko*"))
	if err != nil || len(list) == 0 {
		return nil, nil
	}
	text, err = os.ReadFile(list[0])
	if err == nil && strings.HasSuffix(list[0], ".xz") {
		var r *xz.Reader
		if r, err = xz.NewReader(bytes.NewReader(text), 0); err == nil {
			text, err = io.ReadAll(r)
		}
	}
	if err == nil {
		im, err = elfscan.OpenModule(list[0], elfscan.ModuleOptions{Kernel: kernel})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(im.Close)
	im.AddTo(token.NewFileSet())
	return im, text
}

// answersOf is answers for a module.
func answersOf(t *testing.T, k *tracing.Kernel, module *elfscan.Image) []byte {
	t.Helper()
	list, err := k.Module(module)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "module %s\n", module.Module().Info.Name)
	yes := map[bool]string{true: "y", false: "n"}
	for _, f := range list {
		if f.Same > 0 || f.Ftrace.Why == tracing.Init || strings.Contains(f.Name, ".") {
			continue
		}
		fmt.Fprintf(&b, "modfunc %s %s %s\n", f.Name, yes[f.Ftrace.OK()], yes[f.Kprobe.OK()])
		if f.BTF != 0 {
			fmt.Fprintf(&b, "modbpf %d fentry %d %s\n", f.BTF, f.Fentry.Errno(), f.Name)
		}
	}
	return b.Bytes()
}

// TestFunctions boots Debian's kernels, and compares what ftlint says about each
// function with what the kernel does: the list of functions that ftrace can use, the
// blacklist of kprobes, probes that are registered, programs that are attached.
func TestFunctions(t *testing.T) {
	number(t)
	names := []string{"trixie", "bookworm", "bullseye", "sid", "trixie-amd64", "bookworm-amd64"}
	if s := os.Getenv("FTLINT_LIVE_FUNCTIONS"); s != "" {
		names = strings.Fields(s)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			im := images.Kernel(t, name)
			needQemu(t, im)
			callsite.Attach(im)
			k, err := tracing.Of(im)
			if err != nil {
				t.Fatal(err)
			}
			lines, parts := answers(t, k), 5
			files := []file{{"functions", isFile, nil}}
			if module, text := moduleOf(t, im); module != nil {
				lines, parts = append(lines, answersOf(t, k, module)...), 7
				files = append(files, file{"modules/" + module.Module().Info.Name + ".ko", isFile, text})
			}
			files[0].data = lines
			m, image := bootable(t, im, files...)
			v, err := m.boot(t, image)
			if err != nil {
				t.Fatal(err)
			}
			said := 0
			for _, line := range v.console {
				if _, what, ok := strings.Cut(line, "LIVE functions "); ok {
					t.Logf("%s: %s", name, what)
					said++
				}
			}
			t.Logf("%s: qemu took %.0f s of processor time", name, v.cpu.Seconds())
			if said != parts {
				t.Errorf("%s: %d parts of %d came to an end", name, said, parts)
			}
			if len(v.bad) > 0 {
				t.Errorf("%s: %s\n%s", name, strings.Join(v.bad, "\n"), strings.Join(v.console[max(0, len(v.console)-40):], "\n"))
			}
		})
	}
}
