package lint

import (
	"cmp"
	"context"
	"go/token"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/rules"
	"github.com/ftlint/ftlint/tracing"
)

// An opener opens an image.
type opener func(path, debugFile string) (*elfscan.Image, error)

// imageFile lints the image at path. open opens it.
func (d *driver) imageFile(ctx context.Context, path string, open opener) *finding.Result {
	began := time.Now()
	res := &finding.Result{Path: path}
	defer func() { res.Elapsed = time.Since(began) }()
	im, err := open(path, d.DebugFile)
	if err != nil {
		res.Errors = append(res.Errors, plain(err))
		return res
	}
	defer im.Close()
	d.judge(ctx, res, im)
	return res
}

// judge runs the checks over an open kernel image.
func (d *driver) judge(ctx context.Context, res *finding.Result, im *elfscan.Image) {
	defer elfscan.Guard()()
	defer catch(&res)
	d.add(im)
	list := imageAnalyzers(d.Checks)
	r := newRunner(ctx, d.fset, map[*analysis.Analyzer]any{checks.Image: im, checks.Options: d.settings(ctx)}, d.slots)
	r.run(list)
	d.conclude(res, r, list, im)
}

// add gives the image its place in the file set, if it has none yet.
func (d *driver) add(im *elfscan.Image) {
	if !im.Added() {
		im.AddTo(d.fset)
		im.Index()
		callsite.Attach(im)
	}
}

// conclude turns the results of the analyzers in list into the result about the
// image, then runs the analyzers that draw.
func (d *driver) conclude(res *finding.Result, r *runner, list []*analysis.Analyzer, im *elfscan.Image) {
	d.gather(res, r, list, imageSubject{im})
	res.Image = factsOf(im)
	for _, act := range r.order {
		if f, ok := act.result.(imageFacts); ok && act.err == nil {
			f.AddFacts(res.Image)
		}
	}
	if len(d.Pictures) == 0 || stopped(r.ctx) != nil {
		return
	}
	r.seed[Found] = res.Findings
	r.run(d.Pictures) // after the facts: LineProblem is about findings, not pictures
	failed := map[string]bool{}
	for _, a := range d.Pictures {
		act := r.actions[a]
		switch {
		case act.err == nil:
			res.Pictures = append(res.Pictures, act.result)
		case !failed[act.err.Error()]:
			failed[act.err.Error()] = true
			res.Pictures = append(res.Pictures, act.err)
		}
	}
}

// objectOf returns the name of the image in an Identity.
func objectOf(im *elfscan.Image) string {
	if m := im.Module(); m != nil {
		return finding.Identity{Object: m.Info.Name}.Valid().Object
	}
	return "vmlinux"
}

func factsOf(im *elfscan.Image) (f *finding.ImageFacts) {
	defer elfscan.Guard()()
	defer func() {
		_ = recover() // the file is gone: the checks have reported that, and f has what was known before
	}()
	f = &finding.ImageFacts{Object: objectOf(im), Era: arch.None.String()}
	f.BuildID = im.BuildID()
	if m := im.Module(); m != nil {
		f.Release, _, _ = strings.Cut(m.Info.Vermagic, " ")
	} else {
		f.Release, f.Compiler, f.Version = im.Banner()
	}
	table, _ := callsite.Of(im)
	f.Era = table.Era.String()
	if table.Entries != nil {
		f.Callsites, f.Blank, f.Form = len(table.Addrs), table.Blank, table.Entries.Form()
	}
	if im.Module() == nil {
		for _, name := range []string{"_mcount", "ftrace_regs_caller", "ftrace_caller", "ftrace_common"} {
			if a, ok := im.Addr(name); ok {
				f.Entries = append(f.Entries, finding.NamedAddr{Name: name, Addr: a})
			}
		}
	}
	if f.Compiler != "" { // a whole kernel, not a piece of one
		f.Capabilities, _ = tracing.Capabilities(im)
	}
	if err := im.LineProblem(); err != nil {
		f.LineProblem = err.Error()
	}
	return f
}

// An imageSubject makes findings about an image.
type imageSubject struct{ *elfscan.Image }

func (im imageSubject) object() string { return objectOf(im.Image) }

func (im imageSubject) compare(a, b analysis.Diagnostic) int {
	return cmp.Or(cmp.Compare(im.addr(a.Pos), im.addr(b.Pos)), compareMessages(a, b))
}

func (im imageSubject) addr(pos token.Pos) uint64 {
	a, _ := im.PosAddr(pos)
	return a
}

func (im imageSubject) place(pos token.Pos) finding.Place {
	p := im.Position(pos)
	return finding.Place{Path: p.Filename, Line: p.Line, Col: p.Column, Addr: im.addr(pos)}
}

func (im imageSubject) finding(rule rules.Rule, d analysis.Diagnostic) finding.Finding {
	f := finding.Finding{Place: finding.Place{Path: im.Path, Addr: im.addr(d.Pos)}, Rule: rule, Claim: finding.ClaimOf(d)}
	if name, ok := strings.CutPrefix(d.Category, finding.OfKernel); ok {
		f.Culprit = name
	}
	if f.Addr != 0 {
		if _, ok := im.SymbolAt(f.Addr); ok {
			f.Symbol = callsite.Name(im.Image, f.Addr)
		}
		if text, _ := im.Text(f.Addr); text != "(nothing)" && im.IsText(f.Addr) {
			f.Insn = text
		}
	}
	f.Identity = finding.Identity{Rule: rule.ID, Object: im.object(), Symbol: im.function(f.Addr), Text: finding.WithoutNumbers(cmp.Or(f.Insn, f.Headline))}
	if f.Insn != "" && !im.atCallsite(f.Addr) {
		f.Identity.Headline = finding.WithoutNumbers(f.Headline)
	}
	f.Identity = f.Identity.Valid()
	return f
}

// atCallsite reports whether a callsite is at addr.
func (im imageSubject) atCallsite(addr uint64) bool {
	t, err := callsite.Of(im.Image)
	if err != nil || t.Entries == nil {
		return false
	}
	_, listed := slices.BinarySearch(t.Addrs, addr)
	_, within := callsite.FuncAt(im.Image, addr)
	return listed || within
}

// function returns the name of the symbol around addr or its callsite.
func (im imageSubject) function(addr uint64) string {
	if fn, ok := callsite.FuncAt(im.Image, addr); ok {
		addr = fn
	}
	if addr == 0 {
		return ""
	}
	s, _ := im.SymbolAt(addr)
	return s.Name
}

func (im imageSubject) locate(f *finding.Finding, d analysis.Diagnostic) { f.Place = im.place(d.Pos) }

func (im imageSubject) relate(f *finding.Finding, d analysis.Diagnostic) {
	for _, rel := range finding.Places(d) {
		f.Related = append(f.Related, finding.Related{Place: im.place(rel.Pos), Message: rel.Message})
	}
}
