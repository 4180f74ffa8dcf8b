package elfscan

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The debug information of a module of x86-64 is relocated as x86-64's.
func TestLinesOfX64Module(t *testing.T) {
	const tool = "x86_64-linux-gnu-gcc"
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED: no %s (Debian: gcc-x86-64-linux-gnu)", tool)
	}
	dir := t.TempDir()
	source, module := filepath.Join(dir, "m.c"), filepath.Join(dir, "m.ko")
	const code = `char info[] __attribute__((section(".modinfo"))) = "name=m\0vermagic=6.12.0 SMP";
char this_module[1024] __attribute__((section(".gnu.linkonce.this_module")));
int first(int x) { return x + 1; }
int second(int x) { return x + 2; }
`
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "-g", "-O1", "-fno-asynchronous-unwind-tables", "-c", "-o", module, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	im, err := OpenModule(module, ModuleOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	for name, want := range map[string]int{"first": 3, "second": 4} {
		addr, ok := im.Addr(name)
		if l, known := im.Line(addr); !ok || !known || filepath.Base(l.File) != "m.c" || l.Line != want {
			t.Errorf("%s at %#x: %s:%d, line %d of m.c was expected", name, addr, l.File, l.Line, want)
		}
	}
	if err := im.LineProblem(); err != nil {
		t.Error(err)
	}
}
