package tracing

import (
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
	if got, want := (Answer{Part, "foo"}).Text(), "it is a part of foo() and has no callsite of its own"; got != want {
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

// TestOtherArch asks about a kernel of x86, whose functions are not executed.
func TestOtherArch(t *testing.T) {
	im := images.Kernel(t, "trixie-amd64")
	if _, err := Of(im); err == nil || !strings.Contains(err.Error(), "not judged yet") {
		t.Errorf("functions: %v", err)
	}
	if list, err := Capabilities(im); err == nil || list != nil {
		t.Errorf("capabilities: %v, %v", list, err)
	}
}
