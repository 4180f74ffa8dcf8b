package entry_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/images"
)

// pathsX64 executes the entry code from the first callsite at a function.
func pathsX64(t *testing.T, im *elfscan.Image) []entry.Run {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range table.Addrs {
		if s := table.Site(a); s.OK && s.AtFunc && s.Text {
			return entry.Paths(table, a, false, &callsite.Types{})
		}
	}
	t.Fatal("no callsite is at a function")
	return nil
}

// Entry code that lacks the instructions that save a value, or move it to where it is
// taken from, is noticed on the path that they are for, by the name of the value.
func TestX64Lost(t *testing.T) {
	im := images.Kernel(t, "trixie-amd64")
	for _, c := range []struct {
		what, label string
		code        string // the instructions, the first such ones behind the label
		path, want  string
	}{
		{"the flags of a direct call", "ftrace_regs_caller_end",
			"\x48\x8b\xbc\x24\xa8\x00\x00\x00\x48\x89\xbc\x24\xa0\x00\x00\x00", // mov 0xa8(%rsp),%rdi; mov %rdi,0xa0(%rsp)
			"ftrace_regs_caller, direct call set by the callback", "flags come back as"},
		{"RSP in regs", "return_to_handler", "\x48\x89\xbc\x24\x98\x00\x00\x00", // mov %rdi,0x98(%rsp)
			"return_to_handler", "rsp in regs (+0x98) is"},
		{"RSP", "return_to_handler", "\x48\x89\xe7", // mov %rsp,%rdi
			"return_to_handler", "rsp in regs (+0x98) is"},
		{"RAX in regs", "return_to_handler", "\x48\x89\x44\x24\x50", // mov %rax,0x50(%rsp)
			"return_to_handler", "rax in regs (+0x50) is"},
	} {
		t.Run(c.what, func(t *testing.T) {
			label, ok := im.Addr(c.label)
			i := bytes.Index(im.Code(label, 128), []byte(c.code))
			if !ok || i < 0 {
				t.Fatalf("no such instructions behind %s", c.label)
			}
			at := label + uint64(i)
			images.Poke(t, im, at, bytes.Repeat([]byte{0x90}, len(c.code)))
			defer images.Poke(t, im, at, []byte(c.code))
			noticed := false
			for _, p := range pathsX64(t, im) {
				switch all := strings.Join(p.Diffs, "\n"); {
				case p.Name == c.path && strings.Contains(all, c.want):
					noticed = true
				case p.Err != nil || len(p.Diffs) > 0:
					t.Errorf("%s: %v %q", p.Name, p.Err, p.Diffs)
				}
			}
			if !noticed {
				t.Errorf("%s: no %q", c.path, c.want)
			}
		})
	}
}

// An instruction that no entry code may have is noticed, by its name: one that traps, one
// that leaves interrupts other than they were, and one that the kernel has elsewhere alone.
func TestX64Forbidden(t *testing.T) {
	im := images.Kernel(t, "trixie-amd64")
	caller, ok1 := im.Addr("ftrace_caller")
	regs, ok2 := im.Addr("ftrace_regs_caller")
	if !ok1 || !ok2 {
		t.Fatal("no entry code")
	}
	for _, c := range []struct {
		what string
		at   uint64
		code string
		want string
	}{
		{"UD2", caller + 0x5b, "\x0f\x0b", "comes to a trap: ud2 at "},
		{"UD2 where all registers are saved", regs + 0x5c, "\x0f\x0b", "comes to a trap: ud2 at "},
		{"UD0", caller + 0x5b, "\x0f\xff\xc0", ": ud0"},
		{"UD1", caller + 0x5b, "\x0f\xb9\xc0", ": ud1"},
		{"INT3", caller + 0x5b, "\xcc", "comes to a trap: int3 at "},
		{"CLI", caller + 0x5b, "\xfa", "interrupts are off at the callback, they were on"},
		{"STI", caller + 0x5b, "\xfb", "interrupts are on at the callback, they were off"},
		{"CLI where all registers are saved", regs + 0x5c, "\xfa", "interrupts are off at the callback, they were on"},
		{"STD", caller + 0x5b, "\xfd", "DF is set at the callback"},
		{"HLT", caller + 0x5b, "\xf4", "halts the processor: hlt at ftrace_caller+0x5b"},
		{"SWAPGS", caller + 0x5b, "\x0f\x01\xf8", "changes the state of the processor: swapgs"},
		{"WRMSR", caller + 0x5b, "\x0f\x30", "changes the state of the processor: wrmsr"},
		{"IRETQ", caller + 0x5b, "\x48\xcf", "returns from an interrupt or to user space: iretq"},
		{"SYSRET", caller + 0x5b, "\x0f\x07", "returns from an interrupt or to user space: sysret"},
		{"XORPS", caller + 0x5b, "\x0f\x57\xc0", "uses a register that is not the kernel's: xorps"},
	} {
		t.Run(c.what, func(t *testing.T) {
			old := bytes.Clone(im.Code(c.at, len(c.code)))
			images.Poke(t, im, c.at, []byte(c.code))
			defer images.Poke(t, im, c.at, old)
			var all []string
			for _, p := range pathsX64(t, im) {
				all = append(all, p.Diffs...)
				if p.Err != nil {
					t.Errorf("%s: %v", p.Name, p.Err)
				}
			}
			if text := strings.Join(all, "\n"); !strings.Contains(text, c.want) {
				t.Errorf("no %q in %q", c.want, all)
			}
		})
	}
}

// Interrupts that are switched behind the callback are noticed, whichever way.
func TestX64Interrupts(t *testing.T) {
	im := images.Kernel(t, "trixie-amd64")
	end, ok := im.Addr("ftrace_caller_end")
	if !ok {
		t.Fatal("no ftrace_caller_end")
	}
	for code, want := range map[string]string{
		"\xfa\xc3": "interrupts come back off, they were on",
		"\xfb\xc3": "interrupts come back on, they were off",
	} {
		old := bytes.Clone(im.Code(end, len(code)))
		images.Poke(t, im, end, []byte(code))
		noticed := false
		for _, p := range pathsX64(t, im) {
			noticed = noticed || p.Name == "ftrace_caller" && strings.Contains(strings.Join(p.Diffs, "\n"), want)
		}
		if !noticed {
			t.Errorf("no %q", want)
		}
		images.Poke(t, im, end, old)
	}
}

// Entry code that lacks its return is said to go on in the function behind it.
func TestX64NoReturn(t *testing.T) {
	im := images.Kernel(t, "trixie-amd64")
	end, ok := im.Addr("ftrace_caller_end")
	if !ok {
		t.Fatal("no ftrace_caller_end")
	}
	old := bytes.Clone(im.Code(end, 5))
	images.Poke(t, im, end, bytes.Repeat([]byte{0x90}, 5))
	defer images.Poke(t, im, end, old)
	for _, p := range pathsX64(t, im) {
		if past := "it runs past the end of ftrace_caller, into ftrace_regs_caller ("; p.Name == "ftrace_caller" && (len(p.Diffs) != 1 || !strings.HasPrefix(p.Diffs[0], past)) {
			t.Errorf("%s: %v %q, want %q alone", p.Name, p.Err, p.Diffs, past)
		}
	}
}
