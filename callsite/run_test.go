package callsite

import (
	"errors"
	"slices"
	"testing"

	"github.com/ftlint/ftlint/internal/images"
)

// The error of a run that could not be executed to the end is about one function,
// or about none: then the run says nothing of any function.
func TestFuncError(t *testing.T) {
	im := images.Sample(t, "callops-good.elf")
	table, err := Of(im)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ftrace_call_adjust", "ftrace_init_nop"} {
		const fadd = 0x1e602800 // fadd d0, d0, d0, which the emulator does not know
		if fn, _ := im.Addr(name); im.SetWord(fn, fadd) != nil {
			t.Fatalf("no %s", name)
		}
	}
	f, err := NewExecutor(table)
	if err != nil {
		t.Fatal(err)
	}
	r := f.Run(table.Addrs[0])
	var e *FuncError
	if !errors.As(r.Err, &e) || !slices.Contains([]string{"ftrace_call_adjust", "ftrace_init_nop"}, e.Func) {
		t.Fatalf("%+v is not a function's", r.Err)
	}
	if !r.KeptFrom([]string{"another", e.Func}) || r.KeptFrom([]string{"another", e.Func + "_more", e.Func[:4]}) {
		t.Errorf("%v: whose it is, is not told", r.Err)
	}
	for _, c := range []struct {
		err  error
		want bool
	}{{nil, false}, {errors.New("ftrace_make_nop: not by a function"), true}} {
		if r := (&Run{Err: c.err}); r.KeptFrom([]string{"ftrace_make_call"}) != c.want {
			t.Errorf("%v: keeps from a verdict %v", c.err, !c.want)
		}
	}
}
