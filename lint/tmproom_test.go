package lint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
)

func TestTmpRoom(t *testing.T) {
	for _, k := range strings.Fields(os.Getenv("KS")) {
		path := filepath.Join(os.Getenv("HOME"), ".cache/ftlint/kernels", k, "current/vmlinux")
		if strings.Contains(k, "/") {
			path = k
		}
		bn := bench{path: path, rules: []string{"FT208", "FT409"}, exhaustive: os.Getenv("EX") != ""}
		s := newSubject(t, bn)
		if len(s.finds) > 0 || len(s.stuck) > 0 {
			t.Log(k, s.finds, s.stuck)
		}
		var out strings.Builder
		all, found, stuck := 0, 0, 0
		for _, u := range functionUnits(false, "module_frob_arch_sections", "module_emit_plt_entry", "module_emit_veneer_for_adrp", "module_init_layout_section", "module_init_section")(s.im) {
			n, f, st := 0, 0, 0
			for _, a := range u.order {
				if u.words[a] == a64.NOP {
					continue
				}
				next, ok := u.words[a+a64.Size]
				for _, m := range mutants(a, u.words[a], next, ok) {
					was := a64.Text(u.words[a], a, s.im.Name)
					if m.how == "swap" || m.how == "ret/br" || was == "paciasp" || was == "autiasp" || was == "mov x29, sp" {
						continue
					}
					n++
					fo, su, err := s.try(m.addr, m.words, nil)
					if err != nil {
						t.Fatal(err)
					}
					switch {
					case fo:
						f++
					case su:
						st++
						fmt.Fprintf(&out, "STUCK %#x %s: %s: %s for %s\n", a, s.im.Name(a), m.how, a64.Text(m.words[0], a, s.im.Name), a64.Text(u.words[a], a, s.im.Name))
					default:
						fmt.Fprintf(&out, "SURVIVES %#x %s: %s: %s for %s\n", a, s.im.Name(a), m.how, a64.Text(m.words[0], a, s.im.Name), a64.Text(u.words[a], a, s.im.Name))
					}
				}
			}
			fmt.Fprintf(&out, "== %s: %d mutants, %d found, %d stuck\n", u.name, n, f, st)
			all, found, stuck = all+n, found+f, stuck+st
		}
		fmt.Fprintf(&out, "== %s: %d mutants, %d found, %d stuck\n", k, all, found, stuck)
		os.WriteFile("/tmp/mods-mut-"+filepath.Base(k)+".txt", []byte(out.String()), 0o666)
	}
}
