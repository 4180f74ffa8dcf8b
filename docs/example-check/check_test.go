package main

import (
	"slices"
	"testing"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/lint"
)

func TestLockedTraced(t *testing.T) {
	checks := []*analysis.Analyzer{LockedTraced}
	if err := analysis.Validate(checks); err != nil {
		t.Fatal(err)
	}
	for sample, want := range map[string][]int{
		"site-misaligned.elf": {14, 19}, // lines of site-misaligned.S
		"callops-good.elf":    nil,      // other functions have callsites
	} {
		res := lint.File(t.Context(), "../../testdata/vmlinux-samples/"+sample, lint.Config{Checks: checks})
		if len(res.Errors) > 0 {
			t.Fatal(res.Errors)
		}
		var got []int
		for _, f := range res.Findings {
			got = append(got, f.Line)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: findings at lines %v, want %v", sample, got, want)
		}
	}
}
