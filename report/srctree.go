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

// maxSource is the largest source file that is read, in bytes.
const maxSource = 16 << 20

// line returns line n of a file. ok is false if the tree does not have the line.
func (t *sourceTree) line(path string, n int) (line string, ok bool) {
	if t.root == "" || n <= 0 || !filepath.IsLocal(path) {
		return "", false
	}
	lines, seen := t.files[path]
	if !seen {
		lines = t.read(path)
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

// read reads the lines of a file of the tree. Neither its path nor a symbolic
// link leads out of the tree.
func (t *sourceTree) read(path string) []string {
	root, err := os.OpenRoot(t.root)
	if err != nil {
		return nil
	}
	defer root.Close()
	info, err := root.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSource {
		return nil
	}
	b, err := root.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Split(string(b), "\n")
}
