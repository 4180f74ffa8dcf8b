package callsite

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/ktypes"
)

// DWARF says of struct module what BTF says.
func TestModuleMembersFromDWARF(t *testing.T) {
	var paths []string
	var err error
	for _, suite := range images.Kernels { // others have no BTF to compare with
		found, e := filepath.Glob(filepath.Join(images.Dir(t), suite, "current/vmlinux"))
		paths, err = append(paths, found...), errors.Join(err, e)
	}
	if err != nil || len(paths) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no kernels", err)
		}
		t.Skip("SKIPPED: no kernels: run scripts/fetch-kernels")
	}
	for _, path := range paths {
		im, err := elfscan.Open(path, "")
		if err != nil {
			t.Fatal(err)
		}
		defer im.Close()
		types := ReadTypes(im, false)
		fn, _ := im.Addr("module_finalize")
		dwarf, err := ktypes.FromDWARF(im, fn)
		if err != nil || dwarf == nil {
			t.Fatalf("%s: %v, %v", path, dwarf, err)
		}
		module, err := moduleMembers(dwarf)
		if err != nil || !types.HasModule || module != types.Module {
			t.Errorf("%s: DWARF %+v (%v), BTF %+v (%v)", path, module, err, types.Module, types.HasModule)
		}
	}
}
