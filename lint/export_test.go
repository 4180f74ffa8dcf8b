package lint

import (
	"context"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
)

// Image lints an image that is open. It is not closed.
func Image(ctx context.Context, im *elfscan.Image, cfg Config) *finding.Result {
	res := &finding.Result{Path: im.Path}
	newDriver(cfg).judge(ctx, res, im)
	return res
}

// Module lints the module at path as one of the kernel, an image that is open
// and that is not itself judged. It is not closed.
func Module(ctx context.Context, path string, kernel *elfscan.Image, cfg Config) *finding.Result {
	d := newDriver(cfg)
	m := d.moduleSet(Inputs{Images: []string{kernel.Path}, Modules: []string{path}})
	m.use(m.kernels[0], kernel)
	return m.module(ctx, path, new(elfscan.Buffer), false).res
}
