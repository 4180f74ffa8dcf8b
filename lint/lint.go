// Package lint is the driver: it takes inputs, runs the analyzers over each of
// them, each shared one once, and gathers what they found, what ran, what did
// not apply and what was inconclusive.
package lint

import (
	"context"
	"errors"
	"fmt"
	"go/token"
	"os"
	"runtime"
	"time"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
	"github.com/ftlint/ftlint/policy"
	"github.com/ftlint/ftlint/rules"
)

// A Config says how to run. Its zero value runs all checks and keeps all
// findings.
type Config struct {
	Checks     []*analysis.Analyzer // nil: checks.All for images, patchchecks.All for patches
	Pictures   []*analysis.Analyzer // of images, run when the findings are known; their results are Result.Pictures
	MaxPerRule int                  // findings kept of each rule; 0: all
	Workers    int                  // analyzers, modules, or patches, that run at once; 0: one a processor
	Settings   checks.Settings

	DebugFile string   // a separate debug file: of the image or, without an image, of the one module
	DebugDirs []string // folders with debug files of modules, laid out like /usr/lib/debug

	Severity   map[string]rules.Severity // of rules, by ID, in place of their own
	Policy     *policy.Policy            // which findings count; nil: all do
	ConfigFile string                    // where these come from, for summaries; "" for no file

	AllLines bool // judge the context lines of patches too
	AtPatch  bool // findings in patches are at the patch's line, not the patched file's

	Progress func(done int) // called now and then with how many modules are done; nil for nobody
}

// A Total is what became of many inputs.
type Total struct {
	Modules int // named, or found
	Judged  int // modules of which a result was emitted
	Unread  int // of those, that could not be read
	// Errors are about no single input: patches that were not judged, modules
	// of another kernel.
	Errors []error
	// Interrupted says why images and modules were not all judged; nil if they
	// were.
	Interrupted error
	Elapsed     time.Duration
}

// Run lints the inputs and gives emit the result of each, in their order:
// patches, several at once; ranges of commits; the image that was built with
// them; images, one after the other; and modules, many at once, as modules of
// the kernel image among the images. When ctx is done Run ends soon; it leaves
// behind only what takes longer than grace to see it, and what waits for
// standard input.
func Run(ctx context.Context, in Inputs, cfg Config, emit func(*finding.Result)) (*Total, error) {
	total := &Total{Modules: len(in.Modules)}
	kernel, err := in.kernel()
	if err != nil {
		return total, err
	}
	began := time.Now()
	defer func() { total.Elapsed = time.Since(began) }()
	d := newDriver(cfg)
	if len(in.Patches)+len(in.Ranges) > 0 {
		d.patches(ctx, in, total, emit)
	}
	if len(in.Images)+len(in.Modules) > 0 {
		d.images(ctx, in, kernel, total, emit)
	}
	return total, nil
}

// File lints the file at path: an image, patches, or a source file.
func File(ctx context.Context, path string, cfg Config) *finding.Result {
	in := Inputs{Images: []string{path}}
	if IsPatch(path) {
		in = Inputs{Patches: []string{path}}
	}
	res := &finding.Result{Path: path}
	if total, err := Run(ctx, in, cfg, func(r *finding.Result) { res = r }); err != nil || total.Interrupted != nil && len(res.Errors) == 0 {
		res.Errors = append(res.Errors, withPath(path, errors.Join(err, stopped(ctx))))
	}
	return res
}

// Patch lints patches, or a source file, that were read.
func Patch(ctx context.Context, in *patchscan.Input, cfg Config) *finding.Result {
	return newDriver(cfg).patch(ctx, in)
}

// A driver is one run.
type driver struct {
	Config
	fset  *token.FileSet
	slots chan struct{} // bounds what runs at once

	allPlaces bool // look up source lines of findings that do not count, too
}

func newDriver(cfg Config) *driver {
	d := &driver{Config: cfg, fset: token.NewFileSet()}
	d.slots = make(chan struct{}, d.workers())
	return d
}

// workers is how many checks, modules or patches run at once.
func (d *driver) workers() int {
	if d.Workers > 0 {
		return d.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// settings are those of the checks.
func (d *driver) settings(ctx context.Context) checks.Settings {
	s := d.Settings
	s.Stopped = func() error { return stopped(ctx) }
	return s
}

// stopped is why the run ends early, nil if it does not.
func stopped(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("not judged in full: %w", context.Cause(ctx))
}

// grace is how long a run that is to end waits for what is under way.
const grace = 2 * time.Second

// soon is what judge makes of the input at path. When ctx is done soon ends
// soon, and leaves judge behind if it takes longer.
func soon(ctx context.Context, path string, judge func() *finding.Result) *finding.Result {
	done := make(chan *finding.Result, 1)
	go func() {
		res := &finding.Result{Path: path}
		defer func() { done <- res }()
		defer elfscan.Guard()()
		defer catch(&res)
		res = judge()
	}()
	select {
	case res := <-done:
		return res
	case <-ctx.Done():
	}
	select {
	case res := <-done:
		return res
	case <-time.After(grace):
		return &finding.Result{Path: path, Errors: []error{withPath(path, stopped(ctx))}}
	}
}

// catch, deferred, makes a panic outside of the checks an error of the input.
func catch(res **finding.Result) {
	if v := recover(); v != nil {
		(*res).Errors = append((*res).Errors, withPath((*res).Path, panicked("driver", v)))
	}
}

// panicked is what a panic of a check, or of what it asked, means.
func panicked(name string, v any) error {
	if _, fault := v.(interface{ Addr() uintptr }); fault {
		return errors.New("the file changed while it was read")
	}
	return fmt.Errorf("%s: internal error: %v", name, v)
}

// plain drops the name of the system call from an os error: "vmlinux:
// permission denied".
func plain(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return err
}

// withPath is err with the path in front, unless it names the place itself.
func withPath(path string, err error) error {
	if e := (*elfscan.Error)(nil); errors.As(err, &e) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
