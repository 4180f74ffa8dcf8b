package tracing

import (
	"encoding/binary"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
)

// answers are the answers about a few functions, each for another reason. Package live
// compares all answers with booted kernels.
var answers = []struct {
	kernels, name string
	use           Use
	why           Reason
	about         string // a part of it
}{
	{"bookworm trixie", "vfs_read", Ftrace, Can, ""},
	{"bookworm trixie", "vfs_read", Kprobe, Can, ""},
	{"trixie", "vfs_read", Fentry, Can, ""},
	{"trixie", "vfs_read", Fexit, Can, ""},
	{"bookworm", "vfs_read", Fentry, NoDirect, ""},
	{"bookworm trixie", "vfs_read", Livepatch, NoLivepatch, ""},
	{"bookworm trixie", "set_reset_devices", Ftrace, Init, ""},
	{"bookworm trixie", "set_reset_devices", Kprobe, Init, ""},
	{"bookworm trixie", "el1_dbg", Ftrace, Range, ".noinstr.text"},
	{"bookworm trixie", "el1_dbg", Kprobe, Blacklisted, ".noinstr.text"},
	{"bookworm trixie", "__do_softirq", Kprobe, Can, ""},
	{"bookworm trixie", "gic_handle_irq", Kprobe, Blacklisted, ".irqentry.text"},
	{"bookworm trixie", "mdscr_write", Kprobe, Blacklisted, "NOKPROBE_SYMBOL"},
	{"bookworm trixie", "migrate_disable", Fentry, Denied, ""},
	{"bookworm", "caches_clean_inval_pou", Ftrace, NoRecord, ""},
	{"bookworm trixie", "memcpy", Ftrace, Notrace, ""},
	{"bookworm trixie", "memcpy", Kprobe, NoEvent, ""},
	{"bookworm trixie", "get_plt_entry", Fentry, Prototype, "return type STRUCT"},
	{"trixie", "__blk_add_trace", Fentry, Arguments, "argument 9 (cgid)"},
	{"trixie", "do_exit", Fentry, Can, ""},
	{"trixie", "do_exit", Fexit, Noreturn, ""},
	{"trixie", "security_file_open", FmodRet, Can, ""},
	{"trixie", "update_socket_protocol", FmodRet, Can, ""}, // a set of the kernel's has it
	{"trixie", "vfs_read", FmodRet, Unmodified, ""},
	{"bookworm", "security_file_open", FmodRet, NoDirect, ""},
}

func TestAnswers(t *testing.T) {
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			k, err := Of(images.Kernel(t, suite))
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range k.Unknown {
				t.Error(err)
			}
			named := map[string]*Function{}
			for i := range k.Functions {
				if f := &k.Functions[i]; named[f.Name] == nil {
					named[f.Name] = f
				}
			}
			for _, a := range answers {
				f := named[a.name]
				switch {
				case !strings.Contains(a.kernels, suite):
				case f == nil:
					t.Logf("%s: this kernel has no such function", a.name)
				default:
					if got := f.Answer(a.use); got.Why != a.why || !strings.Contains(got.About, a.about) {
						t.Errorf("%s, %v: %v (%s), want %v (%s)", a.name, a.use, got.Why, got.Text(), a.why, a.about)
					}
				}
			}
		})
	}
}

// TestReasons holds the words to the reasons.
func TestReasons(t *testing.T) {
	for r := Unknown; r <= NoEvent; r++ {
		if reasons[r].id == "" || reasons[r].text == "" {
			t.Errorf("reason %d has no words", r)
		}
	}
	if got, want := (Answer{Why: Part, About: "foo"}).Text(), "it is a part of foo() and has no callsite of its own"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestModule asks about functions of a module. Package live loads it.
func TestModule(t *testing.T) {
	kernel := images.Kernel(t, "trixie")
	list, err := filepath.Glob(filepath.Join(filepath.Dir(kernel.Path), "modules", "loop.ko*"))
	if err != nil || len(list) == 0 {
		t.Skip("NO MODULE loop, nothing is tested")
	}
	k, err := Of(kernel)
	if err != nil {
		t.Fatal(err)
	}
	im, err := elfscan.OpenModule(list[0], elfscan.ModuleOptions{Kernel: kernel})
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	im.AddTo(token.NewFileSet())
	functions, err := k.Module(im)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		name                   string
		ftrace, fentry, kprobe Reason
	}{
		{"loop_queue_rq", Can, Can, Can},
		{"loop_init", Init, Init, Init},
		{"loop_set_hw_queue_depth", Can, Can, Can},
	} {
		i := slices.IndexFunc(functions, func(f Function) bool { return f.Name == want.name })
		if i < 0 {
			t.Errorf("there is no %s", want.name)
			continue
		}
		if f := &functions[i]; f.Ftrace.Why != want.ftrace || f.Fentry.Why != want.fentry || f.Kprobe.Why != want.kprobe {
			t.Errorf("%s: ftrace %v, fentry %v, kprobe %v", want.name, f.Ftrace.Why, f.Fentry.Why, f.Kprobe.Why)
		}
	}
}

// answersX64 are those of x86-64 kernels.
var answersX64 = []struct {
	kernels, name string
	use           Use
	why           Reason
	about         string
}{
	{"bookworm trixie", "vfs_read", Ftrace, Can, ""},
	{"bookworm trixie", "vfs_read", Fentry, Can, ""},
	{"bookworm trixie", "vfs_read", Kprobe, Can, ""},          // by its callsite: nothing is decoded
	{"bookworm trixie", "do_vfs_ioctl.cold", Kprobe, Can, ""}, // its first instruction is
	{"bookworm trixie", "do_trap.cold", Kprobe, Blacklisted, "do_trap: NOKPROBE_SYMBOL"},
	{"bookworm trixie", "vfs_read", Livepatch, Can, ""},
	{"bookworm trixie", "vfs_read", FmodRet, Unmodified, ""},
	{"bookworm trixie", "security_file_open", FmodRet, Can, ""},
	{"bookworm trixie", "set_reset_devices", Ftrace, Init, ""},
	{"bookworm trixie", "set_reset_devices", Kprobe, Init, ""},
	{"bookworm trixie", "irqentry_enter", Ftrace, Range, ".noinstr.text"},
	{"bookworm trixie", "irqentry_enter", Kprobe, Blacklisted, ".noinstr.text"},
	{"bookworm trixie", "migrate_disable", Fentry, Denied, ""},
	{"bookworm trixie", "ftrace_stub", Kprobe, NoEvent, ""},
	{"trixie", "do_exit", Fexit, Noreturn, ""},
	{"bookworm", "do_mmap", Fentry, Arguments, "argument 7"}, // the builder of 6.1 takes 6
	{"trixie", "do_mmap", Fentry, Can, ""},                   // that of 6.12 takes those on the stack
}

func TestAnswersX64(t *testing.T) {
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			k, err := Of(images.Kernel(t, suite+"-amd64"))
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range k.Unknown {
				t.Error(err)
			}
			named := map[string]*Function{}
			for i := range k.Functions {
				f := &k.Functions[i]
				if strings.HasPrefix(f.Name, "__pfx_") {
					t.Fatalf("%s is no function", f.Name)
				}
				if named[f.Name] == nil {
					named[f.Name] = f
				}
			}
			for _, a := range answersX64 {
				f := named[a.name]
				switch {
				case !strings.Contains(a.kernels, suite):
				case f == nil:
					t.Errorf("%s: this kernel has no such function", a.name)
				default:
					if got := f.Answer(a.use); got.Why != a.why || !strings.Contains(got.About, a.about) {
						t.Errorf("%s, %v: %v (%s), want %v (%s)", a.name, a.use, got.Why, got.Text(), a.why, a.about)
					}
				}
			}
		})
	}
}

// The errors of x86-64 kernels are those that their own bpf_arch_text_poke() returns:
// EBUSY where no callsite is, EINVAL outside the text that stays.
func TestErrnoX64(t *testing.T) {
	k, err := Of(images.Kernel(t, "trixie-amd64"))
	if err != nil {
		t.Fatal(err)
	}
	const ebusy = 16
	want := map[string]int{"exc_invalid_op": ebusy, "set_reset_devices": EINVAL, "migrate_disable": EINVAL, "vfs_read": 0}
	for i := range k.Functions {
		f := &k.Functions[i]
		if errno, ok := want[f.Name]; ok && f.Fentry.Errno() != errno {
			t.Errorf("%s: error %d, want %d", f.Name, f.Fentry.Errno(), errno)
		}
		delete(want, f.Name)
	}
	if len(want) > 0 {
		t.Errorf("not there: %v", want)
	}
}

// What stands at a function's first instruction says whether the kernel takes a kprobe
// there.
func TestKprobesX64(t *testing.T) {
	const name, iret = "do_vfs_ioctl.cold", 0xcf
	for _, suite := range []string{"bookworm-amd64", "trixie-amd64"} {
		im := images.Kernel(t, suite)
		at, ok := im.Addr(name)
		calls, ok2 := im.Addr("__start_static_call_sites")
		if !ok || !ok2 {
			t.Fatalf("%s: no %s, or no static calls", suite, name)
		}
		var k *Kernel
		answer := func() Answer {
			var err error
			if k, err = Of(im); err != nil {
				t.Fatal(err)
			}
			for i := range k.Functions {
				if f := &k.Functions[i]; f.Name == name {
					return f.Kprobe
				}
			}
			return Answer{}
		}
		images.Poke(t, im, at, []byte{iret})
		if a := answer(); a.Why != Insn {
			t.Errorf("%s: IRET: %s", suite, a.Text())
		}
		images.Poke(t, im, calls, binary.LittleEndian.AppendUint32(nil, uint32(at-calls)))
		if a := answer(); a.Why != StaticCall {
			t.Errorf("%s: a static call: %s", suite, a.Text())
		}
		images.Poke(t, im, calls, make([]byte, 4))
		second, _ := im.Addr("__alt_instructions")
		second += k.sizeOf("alt_instr")
		images.Poke(t, im, second, binary.LittleEndian.AppendUint32(nil, uint32(at-second)))
		if a := answer(); a.Why != Unknown {
			t.Errorf("%s: an instruction that is replaced: %s", suite, a.Text())
		}
	}
}

// A builder that cannot be executed leaves answers unknown that need it, and no others.
// It is named once.
func TestGap(t *testing.T) {
	const size = "arch_bpf_trampoline_size"
	im := images.Kernel(t, "trixie-amd64")
	at, ok := im.Addr(size)
	if !ok {
		t.Fatalf("no %s()", size)
	}
	images.Poke(t, im, at, []byte{0x0f, 0x0b}) // UD2
	k, err := Of(im)
	if err != nil {
		t.Fatal(err)
	}
	if len(k.Unknown) != 1 || k.Unknown[0].What != size+"()" || k.Unknown[0].Times < 1000 || strings.Count(k.Unknown[0].Error(), size+"()") != 1 {
		t.Errorf("not known: %v", k.Unknown)
	}
	want := map[string][3]Reason{ // for fentry, fexit and fmod_ret
		"vfs_read":           {Unknown, Unknown, Unmodified},
		"security_file_open": {Unknown, Unknown, Unknown},
		"do_exit":            {Unknown, Noreturn, Unmodified},
		"set_reset_devices":  {Init, Init, Unmodified},
		"exc_invalid_op":     {Range, Range, Unmodified},
		"migrate_disable":    {Denied, Denied, Unmodified},
	}
	for i := range k.Functions {
		f := &k.Functions[i]
		reasons, ok := want[f.Name]
		if got := [3]Reason{f.Fentry.Why, f.Fexit.Why, f.FmodRet.Why}; ok && got != reasons {
			t.Errorf("%s: %v, want %v", f.Name, got, reasons)
		}
		if f.Fentry.Why == Unknown && !strings.HasPrefix(f.Fentry.Text(), "not known: "+size+"(): ") {
			t.Errorf("%s: %s", f.Name, f.Fentry.Text())
		}
		delete(want, f.Name)
	}
	if len(want) > 0 {
		t.Errorf("not there: %v", want)
	}
}
