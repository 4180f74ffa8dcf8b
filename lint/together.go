package lint

import (
	"fmt"
	"go/token"
	"slices"
	"strings"
	"time"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/patchchecks"
	"github.com/ftlint/ftlint/patchscan"
)

// A span is a function that a patch touches, or a line that it adds outside
// of any.
type span struct {
	path        string
	first, last int    // lines of the patched file
	name        string // "" for a line
	line        bool   // lines that are added, not a function
}

// touched finds the functions that the patches of r's input touch, and the
// lines that they add.
func touched(r *runner) []span {
	act := r.actions[patchchecks.Sources]
	if act == nil || act.err != nil {
		return nil
	}
	var spans []span
	for _, s := range act.result.(*patchchecks.SourceSet).Files {
		for i := range s.Lines {
			l := &s.Lines[i]
			if l.Op != '+' {
				continue
			}
			if n := len(spans); n > 0 && spans[n-1].line && spans[n-1].path == s.File.Path && spans[n-1].last == l.Num-1 {
				spans[n-1].last = l.Num
			} else {
				spans = append(spans, span{s.File.Path, l.Num, l.Num, "", true})
			}
		}
		add := func(name string, first, last patchscan.Token) {
			from, to := s.Lines[first.Line].Num, s.Lines[last.Line].Num
			if name != "" && s.File.Changes(from, to) {
				spans = append(spans, span{s.File.Path, from, to, name, false})
			}
		}
		for _, f := range s.Funcs {
			if len(f.Tokens) > 0 {
				add(f.Name, f.Tokens[0], f.Tokens[len(f.Tokens)-1])
			}
		}
		open := -1
		for i, st := range s.Stmts {
			switch {
			case st.Kind == patchscan.StmtStart:
				open = i
			case (st.Kind == patchscan.StmtEnd || st.Kind == patchscan.StmtGap) && open >= 0:
				add(s.Stmts[open].Label, s.Stmts[open].At, st.At)
				open = -1
			case st.Kind == patchscan.StmtEnd: // its start is not shown
				add(st.Label, s.Tokens[0], st.At)
			}
		}
	}
	return spans
}

// WithImage lints the image at path, which was built with the patches, beside
// them. Of its findings those are kept that are on a line that a patch adds or
// in a function that one touches. A defect that both show is the patch's
// finding, marked as confirmed, with what the image shows beside it.
func WithImage(path string, patches []*Result, fset *token.FileSet, cfg Config) *Result {
	began := time.Now()
	res := Soon(path, cfg, func() *Result {
		res := &Result{Path: path, partial: true}
		im, err := elfscan.Open(path, cfg.DebugFile)
		if err != nil {
			res.Errors = append(res.Errors, plain(err))
			return res
		}
		defer im.Close()
		all := cfg
		all.MaxPerRule, all.allPlaces = 0, true
		res.judge(im, fset, all)
		return res
	})
	defer func() { res.Elapsed = time.Since(began) }()

	known, suppressed := map[string]int{}, map[string]int{}
	res.Quiet = slices.DeleteFunc(res.Quiet, func(f Finding) bool {
		switch {
		case !touches(patches, f, f.Identity.Symbol):
			return true
		case f.Known:
			known[f.Rule.ID]++
		default:
			suppressed[f.Rule.ID]++
		}
		return false
	})
	kept := map[string]int{}
	var findings []Finding
	for _, f := range res.Findings {
		function := f.Identity.Symbol
		if !touches(patches, f, function) {
			continue
		}
		if confirm(patches, f, function, path) {
			continue
		}
		kept[f.Rule.ID]++
		if cfg.MaxPerRule == 0 || kept[f.Rule.ID] <= cfg.MaxPerRule {
			findings = append(findings, f)
		}
	}
	res.Findings = findings
	for i := range res.Rules {
		run := &res.Rules[i]
		run.Known, run.Suppressed = known[run.Rule.ID], suppressed[run.Rule.ID]
		if n := run.Findings - kept[run.Rule.ID]; n > 0 {
			run.Examined = strings.TrimPrefix(fmt.Sprintf("%s; %d findings confirm those of the patch or are elsewhere", run.Examined, n), "; ")
		}
		run.Findings = kept[run.Rule.ID]
	}
	return res
}

// Soon is what judge makes of the input at path. When the context of cfg is
// done Soon ends soon, and leaves judge behind if it takes longer.
func Soon(path string, cfg Config, judge func() *Result) *Result {
	done := make(chan *Result, 1)
	go func() {
		res := &Result{Path: path}
		defer func() { done <- res }()
		defer res.catch()
		res = judge()
	}()
	var cut <-chan struct{}
	if cfg.Context != nil {
		cut = cfg.Context.Done()
	}
	select {
	case res := <-done:
		return res
	case <-cut:
	}
	select {
	case res := <-done:
		return res
	case <-time.After(grace):
		return &Result{Path: path, Errors: []error{withPath(path, cfg.stopped())}}
	}
}

// touches tells whether an image's finding is where one of the patches is.
func touches(patches []*Result, f Finding, function string) bool {
	for _, p := range patches {
		for _, s := range p.spans {
			if s.holds(f.Path, f.Line) || s.name != "" && s.name == function {
				return true
			}
		}
	}
	return false
}

func (s span) holds(path string, line int) bool {
	return s.path == path && s.first <= line && line <= s.last
}

// confirm marks the patches' findings that the image's finding f confirms:
// those of the same rule at the same line or, if there are none, in the same
// function. What does not count in the patch does not count for the image.
func confirm(patches []*Result, f Finding, function, image string) bool {
	best, bestAt := 0, (*Finding)(nil)
	for _, p := range patches {
		for i := range len(p.Findings) + len(p.Quiet) {
			var own *Finding
			if i < len(p.Findings) {
				own = &p.Findings[i]
			} else {
				own = &p.Quiet[i-len(p.Findings)]
			}
			if own.Rule.ID != f.Rule.InPatches() {
				continue
			}
			match := 0
			switch {
			case own.Patched.Path == f.Path && own.Patched.Line == f.Line && f.Line > 0:
				match = 3
			case slices.ContainsFunc(p.spans, func(s span) bool {
				return !s.line && s.holds(own.Patched.Path, own.Patched.Line) && s.holds(f.Path, f.Line)
			}):
				match = 2
			case slices.ContainsFunc(p.spans, func(s span) bool {
				return s.name == function && s.holds(own.Patched.Path, own.Patched.Line)
			}):
				match = 1
			}
			if match > best {
				best, bestAt = match, own
			}
		}
	}
	if bestAt == nil {
		return false
	}
	bestAt.Confirmed = true
	place := f.Place
	if place.Line == 0 {
		place.Path = image
	}
	bestAt.Related = append(bestAt.Related, Related{place, fmt.Sprintf("%s confirms it: %s", image, f.Message)})
	return true
}
