package report

import (
	"os"
	"path/filepath"
	"strings"
)

// A sourceTree reads lines of source files.
type sourceTree struct {
	root  string // "" for none
	files map[string][]string
}

// line is line n of a file; ok is false if the tree does not have it.
// Paths stay in the tree.
func (t *sourceTree) line(path string, n int) (line string, ok bool) {
	if t.root == "" || n <= 0 || !filepath.IsLocal(path) {
		return "", false
	}
	lines, seen := t.files[path]
	if !seen {
		if b, err := os.ReadFile(filepath.Join(t.root, path)); err == nil {
			lines = strings.Split(string(b), "\n")
		}
		if t.files == nil {
			t.files = map[string][]string{}
		}
		t.files[path] = lines
	}
	if n > len(lines) {
		return "", false
	}
	return lines[n-1], true
}
