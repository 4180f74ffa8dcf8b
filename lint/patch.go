package lint

import (
	"bytes"
	"cmp"
	"fmt"
	"go/token"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/patchchecks"
	"github.com/ftlint/ftlint/patchscan"
	"github.com/ftlint/ftlint/rules"
)

// PatchFacts is what a summary says of patches or a source file.
type PatchFacts struct {
	Source  bool // a source file
	Patches int
	Files   int // of all patches
	Judged  int // of these, arm64's C and assembly
	Added   int // lines that were judged
	Notes   []patchscan.Note
}

// IsPatch tells whether the file at path is for patchscan: patches, a mail, a
// source file. "-", standard input, is, and so is a pipe, which can be read but
// once. What cannot be read is not.
func IsPatch(path string) bool {
	if path == "-" || patchscan.LangOf(path) != patchscan.LangOther {
		return true
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return err == nil && info.Mode()&fs.ModeNamedPipe != 0
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 6)
	n, _ := io.ReadFull(f, head)
	for _, magic := range []string{"\x7fELF", "\x1f\x8b", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd"} {
		if bytes.HasPrefix(head[:n], []byte(magic)) {
			return false
		}
	}
	switch filepath.Ext(path) {
	case ".patch", ".diff", ".mbox", ".eml":
		return true
	}
	rest, _ := io.ReadAll(io.LimitReader(f, 64<<10))
	return patchSign.Match(append(head[:n], rest...))
}

// patchSign is what patches and mails have near their beginning.
var patchSign = regexp.MustCompile(`(?m)^[> ]*(diff --git |@@ -\d)|^[> ]*--- .*\r?\n[> ]*\+\+\+ |\A(From \S+ |(?i:From|Subject|Date|To|Message-ID|Received|Return-Path|Delivered-To|MIME-Version|Content-Type):)`)

// PatchFiles lints files with patches, several at once, and gives what became
// of each in their order. When the context of cfg is done it gives no more, and
// leaves behind what waits for standard input.
func PatchFiles(files []string, fset *token.FileSet, cfg Config) iter.Seq[*Result] {
	return func(yield func(*Result) bool) {
		workers := cfg.workers()
		// A result for each file; no more than some are read ahead of yield.
		results := make(chan chan *Result, 4*workers)
		stop := make(chan struct{})
		defer close(stop)
		slots := make(chan struct{}, workers)
		go func() {
			defer close(results)
			for _, file := range files {
				done := make(chan *Result, 1)
				select {
				case results <- done:
				case <-stop:
					return
				}
				slots <- struct{}{}
				go func() {
					defer func() { <-slots }()
					done <- patchFile(file, fset, cfg)
				}()
			}
		}()
		var cut <-chan struct{}
		if cfg.Context != nil {
			cut = cfg.Context.Done()
		}
		for done := range results {
			select {
			case <-cut:
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
func patchFile(path string, fset *token.FileSet, cfg Config) (res *Result) {
	began := time.Now()
	res = &Result{Path: path}
	defer res.catch()
	in, err := patchscan.Open(path)
	if err == nil {
		res = Patch(in, fset, cfg)
	} else {
		res.Errors = append(res.Errors, plain(err))
	}
	res.Elapsed = time.Since(began)
	return res
}

// Patch lints patches, or a source file, that were read.
func Patch(in *patchscan.Input, fset *token.FileSet, cfg Config) (res *Result) {
	began := time.Now()
	res = &Result{Path: in.Path, ConfigFile: cfg.ConfigFile}
	defer res.catch()
	in.AllLines = cfg.AllLines
	in.AddTo(fset)
	sieve := cfg.Quiet.sieve(in.Path)
	list := patchAnalyzers(cfg.Checks)
	r := newRunner(fset, cfg, map[*analysis.Analyzer]any{patchchecks.Patch: in})
	r.runHere(list) // what runs at once is several inputs
	seen := map[string]bool{}
	for _, a := range list {
		act := r.actions[a]
		run := RuleRun{Rule: cfg.rule(a)}
		if o, ok := act.result.(checks.Outcome); ok {
			run.Outcome = o
		}
		if act.err != nil {
			run.Inconclusive = act.err.Error()
			if !seen[act.err.Error()] {
				seen[act.err.Error()] = true
				res.Errors = append(res.Errors, withPath(in.Path, act.err))
			}
		}
		slices.SortStableFunc(act.diagnostics, func(a, b analysis.Diagnostic) int { return cmp.Compare(a.Pos, b.Pos) })
		var quiet []Finding
		for i, d := range act.diagnostics {
			if full := cfg.MaxPerRule > 0 && run.Findings >= cfg.MaxPerRule; full && sieve == nil {
				run.Findings += len(act.diagnostics) - i
				break
			} else if f := patchFinding(in, d, run.Rule, cfg.AtPatch); !sieve.pass(&f) {
				quiet = append(quiet, f)
			} else if run.Findings++; !full {
				res.Findings = append(res.Findings, f)
			}
		}
		object := ""
		if in.Source != nil {
			object = in.Path // of a patch nobody knows what it leaves out
		}
		res.settle(sieve, &run, quiet, object)
		res.Rules = append(res.Rules, run)
	}
	slices.SortFunc(res.Rules, func(a, b RuleRun) int { return cmp.Compare(a.Rule.ID, b.Rule.ID) })
	slices.SortStableFunc(res.Findings, compareFindings)
	res.Patch = patchFacts(in, r)
	res.spans = touched(r)
	res.Elapsed = time.Since(began)
	return res
}

func patchFacts(in *patchscan.Input, r *runner) *PatchFacts {
	facts := &PatchFacts{Source: in.Source != nil, Patches: len(in.Patches), Notes: in.Notes, Files: len(in.Files())}
	if act, ok := r.actions[patchchecks.Sources]; ok && act.err == nil {
		for _, s := range act.result.(*patchchecks.SourceSet).Files {
			facts.Judged++
			for i := range s.Lines {
				if s.Lines[i].Op == '+' || in.AllLines {
					facts.Added++
				}
			}
		}
	}
	return facts
}

// patchFinding makes a finding of a diagnostic: at the patched file, with the
// patch's line beside it, or the other way round.
func patchFinding(in *patchscan.Input, d analysis.Diagnostic, rule rules.Rule, atPatch bool) Finding {
	place := func(pos token.Pos) (here, there Place, text string) {
		p := in.Place(pos)
		here = Place{Path: p.Path, Line: p.Line, Col: p.Col}
		there = Place{Path: in.Path, Line: p.InputLine, Col: p.InputCol}
		if in.Source != nil {
			here = there
		}
		if atPatch {
			return there, here, p.InputText
		}
		return here, there, p.Text
	}
	here, there, text := place(d.Pos)
	f := Finding{Place: here, Rule: rule, Message: d.Message, Source: text, Patched: here}
	if atPatch {
		f.Patched = there
	}
	p := in.Place(d.Pos)
	f.Identity = Identity{Rule: rule.ID, Object: p.Path, Text: strings.TrimSpace(spaces.ReplaceAllString(p.Text, " "))}.valid()
	if there != here && in.Source == nil {
		what := "this line of the patch"
		if atPatch {
			what = "this line of the patched file"
		}
		f.Related = append(f.Related, Related{there, what})
	}
	for _, rel := range d.Related {
		at, _, _ := place(rel.Pos)
		f.Related = append(f.Related, Related{at, rel.Message})
	}
	return f
}

// patchAnalyzers are the analyzers of list that judge patches; all of them if
// list is nil.
func patchAnalyzers(list []*analysis.Analyzer) []*analysis.Analyzer {
	if list == nil {
		return patchchecks.All
	}
	return slices.DeleteFunc(slices.Clone(list), func(a *analysis.Analyzer) bool { return !judgesPatches(a) })
}

// imageAnalyzers are those that judge images.
func imageAnalyzers(list []*analysis.Analyzer) []*analysis.Analyzer {
	if list == nil {
		return checks.All
	}
	return slices.DeleteFunc(slices.Clone(list), judgesPatches)
}

// judgesPatches tells whether an analyzer looks at patches: whether it
// requires, over any number of others, the patch.
func judgesPatches(a *analysis.Analyzer) bool {
	return a == patchchecks.Patch || slices.ContainsFunc(a.Requires, judgesPatches)
}

// ruleName is the name of the rule that an analyzer reports: its own, without
// what tells patches from images.
func ruleName(a *analysis.Analyzer) string {
	if judgesPatches(a) {
		return strings.TrimSuffix(a.Name, patchchecks.Suffix)
	}
	return a.Name
}

func noteText(path string, n patchscan.Note) string {
	if n.Line == 0 {
		return fmt.Sprintf("%s: note: %s", path, n.Text)
	}
	return fmt.Sprintf("%s:%d: note: %s", path, n.Line, n.Text)
}

// NoteLines are the notes about what was not read, as lines to print.
func (res *Result) NoteLines() []string {
	var lines []string
	if res.Patch != nil {
		for _, n := range res.Patch.Notes {
			lines = append(lines, noteText(res.Path, n))
		}
	}
	return lines
}
