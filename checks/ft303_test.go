package checks

import (
	"testing"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/internal/images"
)

// Of each kernel the code that maps it is found, and it is about all boundaries;
// that of 5.10 about _text instead of _stext.
func TestMappersOfKernels(t *testing.T) {
	for _, suite := range images.Kernels {
		t.Run(suite, func(t *testing.T) {
			im := images.Kernel(t, suite)
			mapped := mappedBy(im)
			for _, name := range arch.ARM64.Boundaries {
				if at, ok := im.Addr(name); ok && mapped[at] != (name != "_stext" || suite != "bullseye") {
					t.Errorf("%s: mapped: %v", name, mapped[at])
				}
			}
		})
	}
}
