package checks_test

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	files "github.com/ftlint/ftlint/internal/samples"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/rules"
	"github.com/ftlint/ftlint/x64"
)

// Whether callsites that no function has are disabled is in the vmlinux: a module
// alone has a note, and the note says so.
func TestWeakLeftoversOfModuleAlone(t *testing.T) {
	module := filepath.Join(moduleSamples, "site-not-at-entry.ko")
	for kernel, want := range map[string]rules.Severity{"": rules.Note, filepath.Join(moduleSamples, "kernel-regs.elf"): rules.Warning} {
		n := 0
		for _, f := range lintWith(t, kernel, module, lint.Config{}).Findings {
			if f.Rule.ID != "FT407" {
				continue
			}
			n++
			if asks, patches := strings.Contains(f.Text(), "in its vmlinux"), strings.Contains(f.Text(), "ftrace patches"); f.Rule.Severity != want || asks != (kernel == "") || patches == asks {
				t.Errorf("kernel %q: %v: %s", kernel, f.Rule.Severity, f.Text())
			}
		}
		if n != 1 {
			t.Errorf("kernel %q: %d findings of FT407, want 1", kernel, n)
		}
	}
}

// A callsite behind the place of a landing pad that is lost is no leftover of a weak
// function.
func TestLostLandingPadIsNoWeakFunction(t *testing.T) {
	for name, pad := range map[string]struct{ is, lost []byte }{
		"x86/good":      {x64.Endbr[:], []byte{0x0f, 0x1f, 0x40, 0x00}},
		"regs-bti-good": {binary.LittleEndian.AppendUint32(nil, a64.BTIc), binary.LittleEndian.AppendUint32(nil, a64.NOP)},
	} {
		file := files.Load(t, name)
		header, text := file.Section(t, ".text")
		at := file.Value(t, "vfs_read") - binary.LittleEndian.Uint64(header[files.ShAddr:])
		if !bytes.HasPrefix(text[at:], pad.is) {
			t.Fatalf("%s: vfs_read begins with %x", name, text[at:at+4])
		}
		copy(text[at:], pad.lost)
		res := lint.File(t.Context(), file.Write(t, "vmlinux"), lint.Config{})
		for _, f := range res.Findings {
			if f.Rule.ID == "FT407" {
				t.Errorf("%s: %s", name, f.Text())
			}
		}
		if len(res.Errors) > 0 {
			t.Errorf("%s: %v", name, res.Errors)
		}
	}
}
