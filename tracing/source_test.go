package tracing

import (
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/internal/images"
)

func TestInlined(t *testing.T) {
	im := images.Sample(t, "builders/builder-good-plt.elf")
	for _, c := range []struct {
		name, where string
		into        []string
	}{
		{"branch_reaches", "builder.h:55", []string{"patch_by_plt"}},
		{"lay_out", "builder.h:35", []string{"arch_ftrace_update_trampoline"}},
		{"arch_ftrace_update_trampoline", "", nil}, // a function
		{"no_such_name", "", nil},
		{"unsigned int", "", nil}, // a type
	} {
		if where, into := Inlined(im, c.name); where != c.where || !slices.Equal(into, c.into) {
			t.Errorf("%s: %q into %q, want %q into %q", c.name, where, into, c.where, c.into)
		}
	}
}

// TestWithoutCallsite asks why functions of real kernels have no callsite.
func TestWithoutCallsite(t *testing.T) {
	for _, suite := range []string{"bookworm", "trixie"} {
		im := images.Kernel(t, suite)
		k, err := Of(im)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"memcpy":            "it is assembly (arch/arm64/lib/memcpy.S)",
			"trace_clock_local": "functions of kernel/trace/trace_clock.c has a callsite: the file is built without them",
			"sched_clock_cpu":   "other functions of kernel/sched/build_utility.c have callsites",
		} {
			i := slices.IndexFunc(k.Functions, func(f Function) bool { return f.Name == name })
			if i < 0 {
				t.Logf("%s has no %s", suite, name)
				continue
			}
			if got := k.WithoutCallsite(&k.Functions[i]); !strings.HasSuffix(got, want) {
				t.Errorf("%s: %s: %q, want %q", suite, name, got, want)
			}
		}
	}
	// Without DWARF nothing is said.
	im := images.Sample(t, "regs-good-nodwarf.elf")
	k, err := Of(im)
	if err != nil {
		t.Fatal(err)
	}
	for i := range k.Functions {
		if got := k.WithoutCallsite(&k.Functions[i]); got != "" {
			t.Errorf("%s: %q", k.Functions[i].Name, got)
		}
	}
}
