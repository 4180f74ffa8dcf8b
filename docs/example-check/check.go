package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
)

// locked are the functions that our logging driver calls with its lock held.
// The callback of our tracer takes the same lock.
var locked = []string{"vfs_open", "vfs_write"}

// LockedTraced finds callsites in them.
var LockedTraced = &analysis.Analyzer{
	Name:       "ACME1",
	Doc:        "locked-traced: a function that the logging driver calls under its lock has a callsite",
	Requires:   []*analysis.Analyzer{checks.Image, checks.Sites},
	ResultType: reflect.TypeFor[finding.Outcome](),
	Run: func(pass *analysis.Pass) (any, error) {
		im := pass.ResultOf[checks.Image].(*elfscan.Image)
		sites := pass.ResultOf[checks.Sites].(*checks.SiteTable)
		if sites.Entries == nil {
			return finding.Outcome{Status: finding.NotApplicable, Why: errors.New("no callsite table")}, nil
		}
		for _, s := range sites.Callsites {
			if name := im.Name(s.Func); slices.Contains(locked, name) {
				pass.Reportf(im.Pos(s.Entry), "%s has a callsite at %#x, and is called under the lock that our tracer takes: mark it notrace", name, s.Entry)
			}
		}
		return finding.Outcome{Examined: fmt.Sprintf("%d callsites", len(sites.Callsites))}, nil
	},
}
