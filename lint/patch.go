package lint

import (
	"cmp"
	"context"
	"fmt"
	"go/token"
	"iter"
	"strings"
	"time"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/patchchecks"
	"github.com/ftlint/ftlint/patchscan"
	"github.com/ftlint/ftlint/rules"
)

// patches lints patches, source files and ranges of commits, and the image that
// was built with them. That image can confirm their findings, so results are
// emitted after it is judged.
func (d *driver) patches(ctx context.Context, in Inputs, total *Total, emit func(*finding.Result)) {
	var results []*finding.Result
	add := func(res *finding.Result) {
		results = append(results, res)
		if in.Built == "" {
			emit(res)
		}
	}
	for res := range d.patchFiles(ctx, in.Patches) {
		add(res)
	}
	for _, rng := range in.Ranges {
		if ctx.Err() != nil {
			break
		}
		add(soon(ctx, "git "+rng, func() *finding.Result { return d.commits(ctx, rng) }))
	}
	if n := len(in.Patches) + len(in.Ranges); len(results) < n && ctx.Err() != nil {
		total.Errors = append(total.Errors, fmt.Errorf("%w: judged %s of %s", context.Cause(ctx), plural.Number(len(results)), plural.Of(n, "input")))
	}
	if in.Built != "" {
		results = append(results, d.built(ctx, in.Built, results))
		for _, res := range results {
			emit(res)
		}
	}
}

// patchFiles lints files with patches, several at once, and yields the results in
// the order of the files. It stops when ctx is done, and leaves behind a file
// that waits for standard input.
func (d *driver) patchFiles(ctx context.Context, files []string) iter.Seq[*finding.Result] {
	return func(yield func(*finding.Result) bool) {
		// A result for each file. The capacity bounds how far files are read ahead
		// of yield.
		results := make(chan chan *finding.Result, 4*d.workers())
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			defer close(results)
			for _, file := range files {
				done := make(chan *finding.Result, 1)
				select {
				case results <- done:
				case <-stop:
					return
				}
				d.slots <- struct{}{}
				go func() {
					defer func() { <-d.slots }()
					done <- d.patchFile(ctx, file)
				}()
			}
		}()
		for done := range results {
			select {
			case <-ctx.Done():
				return
			case res := <-done:
				if !yield(res) {
					return
				}
			}
		}
	}
}

// patchFile lints the patches, or the source file, at path.
func (d *driver) patchFile(ctx context.Context, path string) (res *finding.Result) {
	began := time.Now()
	res = &finding.Result{Path: path}
	defer func() { res.Elapsed = time.Since(began) }()
	defer catch(&res)
	in, err := patchscan.Open(path)
	if err != nil {
		res.Errors = append(res.Errors, plain(err))
		return res
	}
	return d.patch(ctx, in)
}

// patch lints patches, or a source file, that patchscan has read.
func (d *driver) patch(ctx context.Context, in *patchscan.Input) (res *finding.Result) {
	res = &finding.Result{Path: in.Path}
	defer catch(&res)
	in.AllLines = d.AllLines
	in.AddTo(d.fset)
	list := patchAnalyzers(d.Checks)
	r := newRunner(ctx, d.fset, map[*analysis.Analyzer]any{patchchecks.Patch: in}, nil) // inputs run at once, not their analyzers
	r.run(list)
	d.gather(res, r, list, patchSubject{in, d.AtPatch})
	res.Patch = &finding.PatchFacts{Source: in.Source != nil, Patches: len(in.Patches), Files: len(in.Files())}
	for _, n := range in.Notes {
		res.Patch.Notes = append(res.Patch.Notes, finding.Note{Line: n.Line, Text: n.Text})
	}
	for _, act := range r.order {
		if f, ok := act.result.(patchFacts); ok && act.err == nil {
			f.AddFacts(res.Patch)
		}
	}
	return res
}

// A patchSubject makes findings about patches, or a source file.
type patchSubject struct {
	*patchscan.Input
	atPatch bool // findings are at the patch's line, not the patched file's
}

// object returns the path of a source file; "" for a patch, which is only a part
// of the files that it changes.
func (in patchSubject) object() string {
	if in.Source == nil {
		return ""
	}
	return in.Path
}

func (in patchSubject) compare(a, b analysis.Diagnostic) int { return cmp.Compare(a.Pos, b.Pos) }

// places returns the two places of the text between two positions, in the patched
// file and in the patch: here is the one that findings are reported at, there the
// other. text is the line at here.
func (in patchSubject) places(pos, end token.Pos) (here, there finding.Place, text string) {
	p := in.Place(pos)
	here = finding.Place{Path: p.Path, Line: p.Line, Col: p.Col}
	there = finding.Place{Path: in.Path, Line: p.InputLine, Col: p.InputCol}
	if n := int(end - pos); n > 0 && p.Col-1+n <= len(p.Text) { // on one line
		here.EndCol, there.EndCol = p.Col+n, p.InputCol+n
	}
	if in.Source != nil {
		here = there
	}
	if in.atPatch {
		return there, here, p.InputText
	}
	return here, there, p.Text
}

// finding makes a finding of a diagnostic, with its other place as a related
// place.
func (in patchSubject) finding(rule rules.Rule, d analysis.Diagnostic) finding.Finding {
	here, there, text := in.places(d.Pos, d.End)
	f := finding.Finding{Place: here, Rule: rule, Claim: finding.ClaimOf(d), Source: text, Patched: here}
	if in.atPatch {
		f.Patched = there
	}
	p := in.Place(d.Pos)
	f.Identity = finding.Identity{Rule: rule.ID, Object: p.Path, Text: strings.TrimSpace(finding.OneBlank(p.Text))}.Valid()
	if there != here && in.Source == nil {
		what := "this line of the patch"
		if in.atPatch {
			what = "this line of the patched file"
		}
		f.Related = append(f.Related, finding.Related{Place: there, Message: what, Same: true})
	}
	if in.atPatch && p.Encoding != "" {
		f.Claim = f.Because("the mail is %s there: the line is the one that the text begins on, and the column that of the decoded text", p.Encoding)
	}
	for _, rel := range finding.Places(d) {
		at, _, _ := in.places(rel.Pos, rel.End)
		f.Related = append(f.Related, finding.Related{Place: at, Message: rel.Message})
	}
	return f
}

// No part of a patch's finding takes long, so finding has filled in all of it.
func (in patchSubject) locate(*finding.Finding, analysis.Diagnostic) {}
func (in patchSubject) relate(*finding.Finding, analysis.Diagnostic) {}
