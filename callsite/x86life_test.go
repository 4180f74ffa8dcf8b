package callsite_test

import (
	"bytes"
	"testing"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
)

func insnRuns(t *testing.T, im *elfscan.Image, most int) (runs []callsite.InsnRun) {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range table.Sites() {
		if len(runs) == most {
			break
		}
		if !s.OK || !s.Text {
			continue
		}
		run, err := callsite.RunInsn(table, s.Entry)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}
	return runs
}

// The functions of real kernels, and correct ones of our own, do with a callsite what
// they must, in every situation.
func TestRunInsn(t *testing.T) {
	for name, im := range map[string]func() *elfscan.Image{
		"bookworm": func() *elfscan.Image { return images.Kernel(t, "bookworm-amd64") },
		"trixie":   func() *elfscan.Image { return images.Kernel(t, "trixie-amd64") },
		"sample":   func() *elfscan.Image { return images.Sample(t, "x86/good.elf") },
	} {
		for _, r := range insnRuns(t, im(), 3) {
			steps := 42 // 11 at boot, 11 after it, 10 by ftrace_replace_code(), twice
			if name == "sample" {
				steps = 22 // it has no ftrace_replace_code()
			}
			if r.Err != nil || r.Failed != nil || r.Steps != steps {
				t.Errorf("%s: %d steps, %+v, %v", name, r.Steps, r.Failed, r.Err)
			}
		}
	}
}

// Of the mutants of real kernels' functions, which lack one instruction, most are noticed.
// Those that survive are logged: they are about messages (ftrace_expected, __warn_printk),
// the stack protector, a callsite that cannot be read, and values that stand there anyway.
func TestInsnMutants(t *testing.T) {
	for _, suite := range []string{"bookworm-amd64", "trixie-amd64"} {
		t.Run(suite, func(t *testing.T) {
			im := images.Kernel(t, suite)
			all, noticed := 0, 0
			for _, name := range []string{"ftrace_make_call", "ftrace_make_nop", "ftrace_modify_code_direct", "ftrace_verify_code", "ftrace_replace_code"} {
				s, ok := im.Lookup(name)
				if !ok {
					t.Errorf("no %s", name)
				}
				for a := s.Addr; ok && a < s.End(); {
					in, known := im.Insn(a)
					if !known {
						break
					}
					if in.Flow != arch.DoesNought && in.Flow != arch.Traps {
						text, _ := im.Text(a)
						code := append([]byte(nil), im.Code(a, int(in.Size))...)
						images.Poke(t, im, a, bytes.Repeat([]byte{0x90}, len(code)))
						r := insnRuns(t, im, 1)[0]
						images.Poke(t, im, a, code)
						all++
						if r.Failed != nil || r.Err != nil {
							noticed++
						} else {
							t.Logf("survives: without `%s` at %s", text, im.At(a))
						}
					}
					a += in.Size
				}
			}
			t.Logf("%d of %d mutants are noticed", noticed, all)
			if noticed*100 < all*85 {
				t.Errorf("%d of %d mutants are noticed, at least 85 of 100 were expected", noticed, all)
			}
		})
	}
}
