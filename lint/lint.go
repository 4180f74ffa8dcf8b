// Package lint is the driver. It runs the analyzers over each input, a shared
// analyzer once, and gathers the findings and the outcome of each rule.
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
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/patchscan"
	"github.com/ftlint/ftlint/policy"
	"github.com/ftlint/ftlint/rules"
)

// A Config configures a run. Its zero value runs all checks and keeps all
// findings.
type Config struct {
	Checks     []*analysis.Analyzer // nil: checks.All for images, patchchecks.All for patches
	Pictures   []*analysis.Analyzer // run on images after the checks; their results are Result.Pictures
	MaxPerRule int                  // findings kept of each rule; 0: all
	Workers    int                  // how many analyzers, modules or patches run at once; 0: one a processor
	Settings   checks.Settings

	DebugFile string   // a separate debug file of the image or, without an image, of the one module
	DebugDirs []string // folders with debug files of modules, laid out like /usr/lib/debug

	Severity   map[string]rules.Severity // of rules, by ID, in place of their own
	Policy     *policy.Policy            // which findings count; nil: all do
	ConfigFile string                    // the file that these come from, for summaries; "" for no file

	AllLines bool   // judge the context lines of patches too
	SrcTree  string // the kernel's sources, in which what patches mention is looked up; "" for none
	AtPatch  bool   // findings in patches are at the patch's line, not the patched file's

	Progress func(done int) // called with the number of modules that are done; may be nil
}

// A Total adds up the results of a run.
type Total struct {
	Modules int // named, or found
	Judged  int // modules of which a result was emitted
	Unread  int // judged modules that could not be read
	// Errors are about no single input: patches that were not judged, modules
	// of another kernel.
	Errors []error
	// Interrupted says why images and modules were not all judged; nil if they
	// were.
	Interrupted error
	Elapsed     time.Duration
}

// Run lints the inputs and calls emit with the result of each, in this order:
// patches (several are linted at once), ranges of commits, the image built with
// them, images, and modules (several at once). A module is judged as one of the
// kernel image that has its vermagic. Run ends within grace after ctx is done;
// goroutines that take longer, or that wait for standard input, are left behind.
func Run(ctx context.Context, in Inputs, cfg Config, emit func(*finding.Result)) (*Total, error) {
	total := &Total{Modules: len(in.Modules)}
	if len(in.Images) > 1 && cfg.DebugFile != "" {
		return total, fmt.Errorf("a debug file (%s) and %s: name the one that it belongs to", cfg.DebugFile, plural.Of(len(in.Images), "kernel image"))
	}
	began := time.Now()
	defer func() { total.Elapsed = time.Since(began) }()
	d := newDriver(cfg)
	d.Settings.WithModules = len(in.Modules) > 0
	if len(in.Patches)+len(in.Ranges) > 0 {
		d.patches(ctx, in, total, emit)
	}
	if len(in.Images)+len(in.Modules) > 0 {
		d.images(ctx, in, total, emit)
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

// Patch lints patches, or a source file, that patchscan has read.
func Patch(ctx context.Context, in *patchscan.Input, cfg Config) *finding.Result {
	return newDriver(cfg).patch(ctx, in)
}

// A driver is the state of one run.
type driver struct {
	Config
	fset  *token.FileSet
	slots chan struct{} // bounds what runs at once
	tree  *tree         // of the patches; nil for none

	symbol func(name string) bool // reports whether the image built with the patches has a symbol; nil for none

	letters map[string][]*patchscan.Patch // the files that are passed over, each with its cover letters

	allPlaces bool // look up the source positions of all findings, counted or not
}

func newDriver(cfg Config) *driver {
	d := &driver{Config: cfg, fset: token.NewFileSet()}
	d.slots = make(chan struct{}, d.workers())
	if cfg.SrcTree != "" {
		d.tree = folderTree(cfg.SrcTree)
	}
	return d
}

// workers returns how many checks, modules or patches run at once.
func (d *driver) workers() int {
	if d.Workers > 0 {
		return d.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// settings returns the settings of the checks. ctx stops them.
func (d *driver) settings(ctx context.Context) checks.Settings {
	s := d.Settings
	s.Stopped = func() error { return stopped(ctx) }
	return s
}

// stopped returns why the run ends early; nil if it does not.
func stopped(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("not judged in full: %w", context.Cause(ctx))
}

// grace is how long a run that was stopped waits for its goroutines.
const grace = 2 * time.Second

// soon returns the result of judge for the input at path. It returns within grace
// after ctx is done, and leaves judge behind if judge takes longer.
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

// catch is deferred. It turns a panic outside of the checks into an error of the
// input.
func catch(res **finding.Result) {
	if v := recover(); v != nil {
		(*res).Errors = append((*res).Errors, withPath((*res).Path, panicked("driver", v)))
	}
}

// panicked turns a panic of a check, or of code that it called, into an error.
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

// withPath returns err with the path in front, unless err has a path already.
func withPath(path string, err error) error {
	if e := (*elfscan.Error)(nil); errors.As(err, &e) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
