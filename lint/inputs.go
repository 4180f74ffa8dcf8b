package lint

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/patchscan"
)

// Inputs are what a command line names, told apart by their contents: each
// once, by name, in whatever order they were named.
type Inputs struct {
	Patches []string // patches, mails, source files; "-" for standard input
	Ranges  []string // of commits, of the git tree here
	Built   string   // an image built with these patches and commits; "" for none
	Images  []string // kernel images, and files that opening says are not
	Modules []string
	Errors  []error // folders that could not be read, or that hold no module
}

// moduleNames are the names that modules have in a folder.
var moduleNames = []string{".ko", ".ko.xz", ".ko.gz", ".ko.zst"}

func hasModuleName(path string) bool {
	return slices.ContainsFunc(moduleNames, func(ext string) bool { return strings.HasSuffix(path, ext) })
}

// Find finds out what the named files are by their contents (packed files
// called .ko.xz and the like are modules), and walks folders for modules. It
// follows symbolic links that are named, and none in a folder.
func Find(args []string) Inputs {
	var in Inputs
	for _, arg := range args {
		if IsPatch(arg) {
			in.Patches = append(in.Patches, arg)
			continue
		}
		info, err := os.Stat(arg)
		switch {
		case err == nil && info.IsDir():
			in.walk(arg)
		case hasModuleName(arg) && !elfscan.IsImage(arg), err == nil && elfscan.IsModule(arg): // or there is no such module
			in.Modules = append(in.Modules, arg)
		default:
			in.Images = append(in.Images, arg)
		}
	}
	for _, list := range []*[]string{&in.Patches, &in.Images, &in.Modules} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return in
}

func (in *Inputs) walk(dir string) {
	before, problems := len(in.Modules), len(in.Errors)
	root := dir
	if info, err := os.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		root += string(filepath.Separator) // WalkDir does not follow its root either
	}
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			in.Errors = append(in.Errors, plain(err))
			return nil // on with the rest
		}
		if d.Type().IsRegular() && hasModuleName(path) {
			in.Modules = append(in.Modules, path)
		}
		return nil
	})
	if len(in.Modules) == before && len(in.Errors) == problems {
		in.Errors = append(in.Errors, &elfscan.Error{Path: dir, What: "a folder without modules (" + strings.Join(moduleNames, ", ") + ")"})
	}
}

// kernel is the kernel image that the modules are loaded into; "" for none.
func (in *Inputs) kernel() (string, error) {
	switch {
	case len(in.Modules) == 0 || len(in.Images) == 0:
		return "", nil
	case len(in.Images) > 1:
		return "", fmt.Errorf("modules and two kernel images, %s and %s: name the one that the modules are loaded into", in.Images[0], in.Images[1])
	}
	return in.Images[0], nil
}

// IsPatch reports whether the file at path is for patchscan: patches, a mail, a
// source file. "-", standard input, is, and so is a pipe, which can be read but
// once. A file that cannot be read is not.
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
