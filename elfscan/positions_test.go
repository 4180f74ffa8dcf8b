package elfscan

import (
	"go/token"
	"math"
	"testing"

	"github.com/ftlint/ftlint/internal/samples"
)

// fullSets are file sets without room: a set that is full but for a few
// positions, and one with room for modules alone.
func fullSets() []*token.FileSet {
	var sets []*token.FileSet
	for _, size := range []int{math.MaxInt - 10, math.MaxInt - maxPositions/2} {
		fset := token.NewFileSet()
		fset.AddFile("the rest", 1, size)
		sets = append(sets, fset)
	}
	return sets
}

// An image and a module of it have positions of their own where the file set has
// no room for them: on a 32-bit host that comes with the eighth image.
func TestPositionsWithoutRoom(t *testing.T) {
	for _, kernelSet := range append(fullSets(), token.NewFileSet()) {
		kernel, err := Open(samples.Modules+"/kernel-regs.elf", "")
		if err != nil {
			t.Fatal(err)
		}
		defer kernel.Close()
		kernel.AddTo(kernelSet)
		for _, moduleSet := range append(fullSets(), kernelSet) {
			module, err := OpenModule(samples.Modules+"/good-regs.ko", ModuleOptions{Kernel: kernel})
			if err != nil {
				t.Fatal(err)
			}
			defer module.Close()
			module.AddTo(moduleSet)
			for _, im := range []*Image{kernel, module} {
				for addr := uint64(0x1000); addr < 0x1010; addr += 4 {
					if got, ok := module.PosAddr(im.Pos(addr)); got != addr || !ok {
						t.Errorf("the position of %#x is that of %#x (%v)", addr, got, ok)
					}
				}
				if pos := im.Pos(0x1004); module.owner(pos) != im || module.owner(im.FilePos()) != im {
					t.Errorf("%s: position %d is another image's", im.Path, pos)
				}
			}
		}
	}
}

// An address for which there is no room has the position of the image.
func TestManyPositions(t *testing.T) {
	module, err := OpenModule(samples.Modules+"/good-regs.ko", ModuleOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer module.Close()
	module.AddTo(token.NewFileSet())
	const more = 3
	without := 0
	for addr := range uint64(maxModulePositions + more) {
		pos := module.Pos(addr)
		if got, ok := module.PosAddr(pos); ok && got != addr {
			t.Fatalf("the position of %#x is that of %#x", addr, got)
		} else if !ok {
			if without++; pos != module.FilePos() {
				t.Errorf("the position of %#x is %d", addr, pos)
			}
		}
	}
	if without != more {
		t.Errorf("%d addresses without a position, want %d", without, more)
	}
}
