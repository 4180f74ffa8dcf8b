package bpf

import (
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/internal/images"
)

func TestParseProto(t *testing.T) {
	k := open(t, images.Sample(t, "builders/bpf-good.elf"))
	for text, want := range map[string]string{
		"void f(void)":                                           "void f(void)",
		"int f(struct bpf_tramp_run_ctx, long)":                  "int f(struct of 16 bytes, long)",
		"const char *name(unsigned char c, u16, long int n)":     "long f(char, short, long)",
		"unsigned long long f(struct bpf_prog *prog, enum x, …)": "",
		"bool f(enum bpf_link_type, __int128)":                   "char f(int, __int128)",
		"bpf_arch_text_poke":                                     "int f(long, int, long, long)", // a function of the image
		"f(int":                                                  "",
		"int f(struct bpf_prog_aux)":                             "", // too large
		"int f(struct nothing)":                                  "",
		"int f(foo)":                                             "",
		"int f(void, int)":                                       "",
		"struct bpf_tramp_run_ctx f(int)":                        "",
		"int f(" + strings.Repeat("int,", 12) + "int)":           "",
		"no_such_function":                                       "",
	} {
		switch p, err := k.ParseProto(text); {
		case want == "" && err == nil:
			t.Errorf("%q is %v, an error was expected", text, p)
		case want != "" && (err != nil || p.String() != want):
			t.Errorf("%q is %q, %v, want %q", text, p, err, want)
		}
	}
}

func TestParsePrograms(t *testing.T) {
	k := open(t, images.Sample(t, "builders/bpf-good.elf"))
	proto := Proto{[]Arg{long}, 4}
	c, err := k.ParsePrograms(proto, "fexit, fentry,fmod_ret,fexit")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.String(); got != "fentry, fmod_ret, 2 fexit on int f(long)" || c.Flags != flagCallOrig|flagSkipFrame {
		t.Errorf("%q, flags %#x", got, c.Flags)
	}
	if c, err := k.ParsePrograms(proto, "struct_ops"); err != nil || c.From != Indirect || c.Flags != flagIndirect|flagRetFentryRet {
		t.Errorf("%v, %v", c, err)
	}
	for _, bad := range []string{"", "kprobe", "struct_ops,fentry", strings.Repeat("fexit,", 38) + "fexit"} {
		if c, err := k.ParsePrograms(proto, bad); err == nil {
			t.Errorf("%q is %v", bad, c)
		}
	}
}

// Each word of a trampoline has the call that it leads to, and those that move what has
// a meaning say what it is.
func TestShow(t *testing.T) {
	k := open(t, images.Sample(t, "builders/bpf-good-bti.elf"))
	c, err := k.ParsePrograms(Proto{[]Arg{long, num}, 4}, "fentry,fmod_ret,fexit")
	if err != nil {
		t.Fatal(err)
	}
	l, err := k.Show(c)
	if err != nil {
		t.Fatal(err)
	}
	var labels, notes, stretches []string
	purposes := map[Purpose]int{}
	for i, p := range l.Parts {
		if purposes[p.Purpose]++; i == 0 || p.Name != l.Parts[i-1].Name {
			stretches = append(stretches, p.Name)
		}
		if strings.HasPrefix(p.Note, "saves ") && strings.Contains(p.Note, " the caller") && p.Purpose != Saving {
			t.Errorf("+%#x, which %s, belongs to %q", 4*i, p.Note, p.Name)
		}
		if leaves := strings.HasPrefix(p.Note, "goes to "); leaves != p.Leaves {
			t.Errorf("+%#x: leaves the trampoline: %v, %q", 4*i, p.Leaves, p.Note)
		}
		if p.Label != "" {
			labels = append(labels, p.Label)
		}
		notes = append(notes, p.Note)
	}
	want := []string{"to __bpf_tramp_enter"}
	for _, kind := range []string{"fentry", "fmod_ret"} {
		want = append(want, "to the enter function of "+kind+" program 1", "to "+kind+" program 1", "to the exit function of "+kind+" program 1")
	}
	want = append(want, "to the traced function", "to the enter function of fexit program 1", "to fexit program 1", "to the exit function of fexit program 1",
		"to __bpf_tramp_exit", "to the caller of the traced function")
	if !slices.Equal(labels, want) {
		t.Errorf("the labels are %q, want %q", labels, want)
	}
	if want := []string{"save", "enter", "fentry 1", "fmod_ret 1", "function", "fexit 1", "exit", "return"}; !slices.Equal(stretches, want) {
		t.Errorf("the stretches are %q, want %q", stretches, want)
	}
	if purposes[Unused] != 0 || purposes[Saving] < 8 || purposes[Running] < 3*10 || purposes[Holding] < 4 || purposes[Calling] < 3 || purposes[Ending] < 4 {
		t.Errorf("instructions by purpose: %v", purposes)
	}
	for _, want := range []string{
		"landing pad", "saves x29 of the caller and the address in the function's caller",
		"saves word 1 of the arguments", "loads word 0 of the arguments", "saves the number of words of the arguments",
		"goes to fmod_ret program 1", "saves what fmod_ret program 1 has returned",
		"goes to the function's body", "saves the return value", "goes to the function's caller",
		"ip_epilogue", "ip_after_call: becomes a branch to ip_epilogue when the trampoline is given up",
	} {
		if !slices.Contains(notes, want) {
			t.Errorf("no instruction has the note %q", want)
		}
	}
	if l.Size < int32(4*len(l.Parts)) || len(l.Parts) < 60 {
		t.Errorf("%d words, %d bytes computed", len(l.Parts), l.Size)
	}
}
