package main

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Of any run, the last screen of a terminal holds the verdict and the headlines of the
// first errors, however many findings, kernels and modules there are.
func TestLastScreen(t *testing.T) {
	const columns, rows, first = 100, 40, 3
	headline := regexp.MustCompile(`(?m)^\S.*?: error: (.*) \[FT\d+ [a-z0-9-]+\]$`)
	verdict := regexp.MustCompile(`^\d[\d,]* (errors?|warnings?|notes?)\b.* in |: (clean|nothing found|nothing to judge|not judged)\b`)
	glob := func(pattern string) []string {
		paths, err := filepath.Glob(filepath.Join("../../testdata", pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		return slices.DeleteFunc(paths, func(path string) bool { return strings.HasSuffix(path, "-stripped.elf") })
	}
	images := slices.Concat(glob("vmlinux-samples/*.elf"), glob("vmlinux-samples/builders/*.elf"))
	runs := [][]string{images, {"../../testdata/module-samples"}, {"../../patchchecks/testdata/example.patch"}}
	for _, image := range images {
		runs = append(runs, []string{image})
	}
	errors := 0
	for _, args := range runs {
		var screen bytes.Buffer
		run(args, &screen, &screen)
		var last []string
		for _, line := range strings.Split(strings.TrimSuffix(screen.String(), "\n"), "\n") {
			for ; len(line) > columns; line = line[columns:] {
				last = append(last, line[:columns])
			}
			last = append(last, line)
		}
		last = last[max(0, len(last)-rows+1):] // the prompt takes a row
		text := strings.Join(last, "")
		found := headline.FindAllStringSubmatch(screen.String(), -1)
		errors += len(found)
		for _, m := range found[:min(first, len(found))] {
			if !strings.Contains(text, m[1]) {
				t.Errorf("%s: %d rows, and not among the last: %s", args[0], len(last), m[1])
			}
		}
		whole := strings.TrimSuffix(screen.String(), "\n")
		if line := whole[strings.LastIndexByte(whole, '\n')+1:]; !verdict.MatchString(line) {
			t.Errorf("%s: the last line is %q", args[0], line)
		}
	}
	if errors < 100 {
		t.Errorf("%d errors: the test looks at too little", errors)
	}
}
