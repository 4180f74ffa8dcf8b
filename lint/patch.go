package lint

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"go/token"
	"io"
	"iter"
	"os"
	"strings"
	"sync"
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
	if in.Built != "" {
		names := sync.OnceValue(func() map[string]bool { return symbolNames(in.Built, d.DebugFile) })
		d.symbol = func(name string) bool { return names()[name] }
	}
	d.letters = coverLetters(in.Patches)
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

// A readPatch is what came of one file: its result or, if the file is a patch of a
// series that has files of its own, what was read.
type readPatch struct {
	res    *finding.Result
	in     *patchscan.Input
	letter bool // the file is passed over: it is a cover letter, or empty
}

// coverLetters returns the files that are passed over, each with its cover letters. An
// empty file is passed over, and has no letters. The result is nil if all files are
// such: each is an error then.
func coverLetters(files []string) map[string][]*patchscan.Patch {
	letters := map[string][]*patchscan.Patch{}
	for _, file := range files {
		text, ok := withoutHunks(file)
		if !ok {
			continue
		}
		_, err := patchscan.Parse(file, text)
		if mails, ok := patchscan.PassedOver(err); ok {
			letters[file] = mails
		}
	}
	if len(letters) == len(files) {
		return nil
	}
	return letters
}

// withoutHunks returns the text of a file that has no hunk of a diff; ok is false if it
// has one. Most patches show one at their beginning, and are not read further.
func withoutHunks(file string) (text string, ok bool) {
	const most = 1 << 20 // bytes; a letter is text
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() || info.Size() > most {
		return "", false
	}
	f, err := os.Open(file)
	if err != nil {
		return "", false
	}
	defer f.Close()
	head, hunk := make([]byte, 4096), []byte("\n@@ -")
	n, _ := f.Read(head)
	if bytes.Contains(head[:n], hunk) {
		return "", false
	}
	rest, err := io.ReadAll(io.LimitReader(f, most))
	b := append(head[:n], rest...)
	return string(b), err == nil && !bytes.Contains(b, hunk)
}

// patchFiles lints files with patches, several at once, and yields the results in
// the order of the files. Files that follow one another with the patches of a series
// are judged together. It stops when ctx is done, and leaves behind a file that
// waits for standard input.
func (d *driver) patchFiles(ctx context.Context, files []string) iter.Seq[*finding.Result] {
	return func(yield func(*finding.Result) bool) {
		// What came of each file. The capacity bounds how far files are read ahead
		// of yield.
		results := make(chan chan readPatch, 4*d.workers())
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			defer close(results)
			for _, file := range files {
				done := make(chan readPatch, 1)
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
		// What waits for the rest of a series: its patches, and files without a patch
		// between them.
		var waiting []readPatch
		var series []*patchscan.Input
		flush := func() bool {
			judged := d.series(ctx, series)
			for _, w := range waiting {
				res := w.res
				if w.in != nil {
					res, judged = judged[0], judged[1:]
				}
				if !yield(res) {
					return false
				}
			}
			waiting, series = nil, nil
			return true
		}
		for done := range results {
			select {
			case <-ctx.Done():
				return
			case read := <-done:
				n := len(series)
				goesOn := n > 0 && (read.letter || read.in != nil && read.in.Follows(series[n-1]))
				if n > 0 && !goesOn && !flush() {
					return
				}
				if read.in == nil && !goesOn {
					if !yield(read.res) {
						return
					}
					continue
				}
				waiting = append(waiting, read)
				if read.in != nil {
					series = append(series, read.in)
				}
			}
		}
		flush()
	}
}

// patchFile lints the patches, or the source file, at path. It only reads the patch
// of a series.
func (d *driver) patchFile(ctx context.Context, path string) (read readPatch) {
	began := time.Now()
	res := &finding.Result{Path: path}
	defer func() {
		if read.res = res; read.in != nil {
			read.res = nil
		}
		res.Elapsed = time.Since(began)
	}()
	defer catch(&res)
	if _, ok := d.letters[path]; ok {
		res.Patch = &finding.PatchFacts{}
		return readPatch{letter: true}
	}
	in, err := patchscan.Open(path)
	if err != nil {
		res.Errors = append(res.Errors, plain(err))
		return readPatch{}
	}
	for _, letters := range d.letters {
		in.Letters = append(in.Letters, letters...)
	}
	if len(in.Patches) == 1 {
		if _, _, of, ok := patchscan.SeriesOf(in.Patches[0].Subject); ok && of > 1 {
			return readPatch{in: in}
		}
	}
	res = d.patch(ctx, in)
	return readPatch{}
}

// patch lints patches, or a source file, that patchscan has read.
func (d *driver) patch(ctx context.Context, in *patchscan.Input) *finding.Result {
	return d.series(ctx, []*patchscan.Input{in})[0]
}

// Series lints inputs together that hold the patches of a series, and returns the
// result of each. One input may hold anything. all is the one input, or all that Join
// makes of several.
func Series(ctx context.Context, inputs []*patchscan.Input, cfg Config) (all *patchscan.Input, results []*finding.Result) {
	return newDriver(cfg).join(ctx, inputs)
}

func (d *driver) series(ctx context.Context, inputs []*patchscan.Input) []*finding.Result {
	_, results := d.join(ctx, inputs)
	return results
}

func (d *driver) join(ctx context.Context, inputs []*patchscan.Input) (all *patchscan.Input, results []*finding.Result) {
	for _, in := range inputs {
		results = append(results, &finding.Result{Path: in.Path})
	}
	if len(inputs) == 0 {
		return nil, nil
	}
	began := time.Now()
	defer func() { results[0].Elapsed = time.Since(began) }()
	defer catch(&results[0])
	all = inputs[0]
	if len(inputs) > 1 {
		all = patchscan.Join(inputs)
	}
	all.AllLines, all.Symbol = d.AllLines, d.symbol
	if d.tree != nil {
		d.tree.extend(all)
	}
	all.AddTo(d.fset)
	list := patchAnalyzers(d.Checks)
	r := newRunner(ctx, d.fset, map[*analysis.Analyzer]any{patchchecks.Patch: all}, nil) // inputs run at once, not their analyzers
	r.run(list)
	for i, in := range inputs {
		part, res := r, results[i]
		if len(inputs) > 1 {
			part = r.only(func(pos token.Pos) bool { return all.Part(pos) == i })
		}
		d.gather(res, part, list, patchSubject{all, d.AtPatch})
		files := 0
		for _, p := range in.Patches {
			files += len(p.Files)
		}
		res.Patch = &finding.PatchFacts{Source: in.Source != nil, Patches: len(in.Patches), Files: files}
		if in.Source != nil {
			res.Patch.Files = 1
		}
		for _, n := range in.Notes {
			res.Patch.Notes = append(res.Patch.Notes, finding.Note{Line: n.Line, Text: n.Text})
		}
		for _, act := range r.order {
			if f, ok := act.result.(patchFacts); ok && act.err == nil {
				f.AddFacts(res.Patch, in.Patches)
			}
		}
	}
	return all, results
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
	there = finding.Place{Path: p.InputPath, Line: p.InputLine, Col: p.InputCol}
	if n := int(end - pos); n > 0 { // where all of it is on one line
		if p.Col-1+n <= len(p.Text) {
			here.EndCol = p.Col + n
		}
		if p.InputCol-1+n <= len(p.InputText) {
			there.EndCol = p.InputCol + n
		}
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
