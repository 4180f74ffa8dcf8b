package lint

import (
	"errors"
	"fmt"
	"go/token"
	"reflect"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/tracing"
)

// Traceable is what can be traced in a kernel and its modules. use is called with all
// functions, those of the kernel image first, while the images are open. A module that
// could not be read, or that is one of another kernel, is among the errors.
func Traceable(in Inputs, debugFile string, use func(*tracing.Kernel, *finding.ImageFacts, []tracing.Listed) error) (errs []error, err error) {
	switch {
	case len(in.Patches) > 0:
		return nil, fmt.Errorf("%s: not a kernel image or a module", in.Patches[0])
	case len(in.Images) == 0:
		return nil, errors.New("no kernel image was named: what can trace a module is its kernel")
	case len(in.Images) > 1:
		return nil, fmt.Errorf("%d kernel images were named (%s, %s): name one", len(in.Images), in.Images[0], in.Images[1])
	}
	errs = in.Errors
	im, err := elfscan.Open(in.Images[0], debugFile)
	if err != nil {
		return nil, plain(err)
	}
	defer im.Close()
	defer elfscan.Guard()()
	defer func() {
		if v := recover(); v != nil {
			err = withPath(im.Path, panicked("functions", v))
		}
	}()
	d := newDriver(Config{})
	d.add(im)
	k, err := tracing.Of(im)
	if err != nil {
		return nil, plain(err)
	}
	list := make([]tracing.Listed, 0, len(k.Functions))
	for i := range k.Functions {
		list = append(list, tracing.Listed{Function: &k.Functions[i]})
	}
	var buf elfscan.Buffer
	strange := map[reflect.Type]*stranger{}
	for _, path := range in.Modules {
		name, functions, err := moduleFunctions(k, d.fset, path, &buf)
		if s := (*stranger)(nil); errors.As(err, &s) {
			if first := strange[reflect.TypeOf(s.why)]; first != nil {
				first.more++
				continue
			}
			strange[reflect.TypeOf(s.why)] = s
		}
		if err != nil {
			errs = append(errs, err)
		}
		for i := range functions {
			list = append(list, tracing.Listed{Module: name, Function: &functions[i]})
		}
	}
	return errs, use(k, factsOf(im), list)
}

// A stranger is a module of another kernel, the first of those that are so for such a
// reason.
type stranger struct {
	path, kernel string
	why          error
	more         int // modules
}

func (s *stranger) Error() string {
	text := fmt.Sprintf("%s: does not belong to %s: %v", s.path, s.kernel, s.why)
	if s.more > 0 {
		text += " (and so on " + plural.Of(s.more, "more module") + ")"
	}
	return text
}

// moduleFunctions are the functions of a module of the kernel.
func moduleFunctions(k *tracing.Kernel, fset *token.FileSet, path string, buf *elfscan.Buffer) (name string, list []tracing.Function, err error) {
	im, err := elfscan.OpenModule(path, elfscan.ModuleOptions{Kernel: k.Image, Buffer: buf})
	if err != nil {
		return "", nil, plain(err)
	}
	defer im.Close()
	im.AddTo(fset)
	of := kernel{path: k.Image.Path, image: k.Image, vermagic: k.Image.Vermagic(), shape: k.Shape()}
	if err := of.mismatch(im); err != nil {
		return "", nil, &stranger{path: path, kernel: k.Image.Path, why: err}
	}
	list, err = k.Module(im)
	if err != nil {
		return "", nil, withPath(path, err)
	}
	return im.Module().Info.Name, list, nil
}
