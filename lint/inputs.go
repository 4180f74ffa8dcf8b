package lint

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/patchscan"
)

// Inputs are the inputs that a command line names, sorted into kinds by their
// contents. Each list is sorted by name and has each name once.
type Inputs struct {
	Patches []string // patches, mails, source files; "-" for standard input
	Ranges  []string // ranges of commits of the git tree in the current folder
	Built   string   // an image built with these patches and commits; "" for none
	Images  []string // kernel images, and files of no known kind: opening those fails
	Modules []string
	Errors  []error // about folders that could not be read, or that have nothing to judge
}

// moduleNames are the suffixes of the names of modules.
var moduleNames = []string{".ko", ".ko.xz", ".ko.gz", ".ko.zst"}

func hasModuleName(path string) bool {
	return slices.ContainsFunc(moduleNames, func(ext string) bool { return strings.HasSuffix(path, ext) })
}

// Find sorts the named files into kinds by their contents, and searches folders
// for kernel images and modules. A packed file called .ko.xz and the like is a module. Find follows
// symbolic links that are named, but no links in a folder.
func Find(args []string) Inputs {
	var in Inputs
	var found []string // kernel images in folders
	for _, arg := range args {
		if IsPatch(arg) {
			in.Patches = append(in.Patches, arg)
			continue
		}
		info, err := os.Stat(arg)
		switch {
		case err == nil && info.IsDir():
			found = append(found, in.walk(arg)...)
		case hasModuleName(arg) && !elfscan.IsImage(arg), err == nil && elfscan.IsModule(arg): // a missing .ko is a module too
			in.Modules = append(in.Modules, arg)
		default:
			in.Images = append(in.Images, arg)
		}
	}
	slices.Sort(found)
	for _, path := range found {
		if !slices.ContainsFunc(in.Images, func(other string) bool { return sameKernel(path, other) }) {
			in.Images = append(in.Images, path)
		}
	}
	for _, list := range []*[]string{&in.Patches, &in.Images, &in.Modules} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return in
}

// isKernel reports whether a file in a folder is a kernel image, by its name
// (vmlinux, vmlinux-6.12.9, debian.vmlinux, vmlinux.xz) and, if it is not packed,
// by its contents: build trees have vmlinux.o, vmlinux.lds and others.
func isKernel(path string) bool {
	if !hasKernelName(path) {
		return false
	}
	switch filepath.Ext(path) {
	case ".xz", ".gz", ".zst":
		return true
	}
	return elfscan.IsImage(path)
}

func hasKernelName(path string) bool {
	base := filepath.Base(path)
	return strings.HasPrefix(base, "vmlinux") || strings.HasSuffix(base, ".vmlinux")
}

// sameKernel reports whether two files are the same, or are the two forms of one
// kernel that a build leaves side by side: vmlinux and vmlinux.unstripped.
func sameKernel(a, b string) bool {
	ai, err1 := os.Stat(a)
	bi, err2 := os.Stat(b)
	if err1 != nil || err2 != nil {
		return false
	}
	if os.SameFile(ai, bi) {
		return true
	}
	const other = ".unstripped"
	forms := a == b+other || b == a+other
	id := ""
	if forms {
		id = elfscan.BuildIDOf(a)
	}
	return id != "" && id == elfscan.BuildIDOf(b)
}

// walk adds the modules in a folder, and returns the kernel images in it.
func (in *Inputs) walk(dir string) (images []string) {
	before, problems := len(in.Modules), len(in.Errors)
	links := 0 // with the names of modules and kernels
	root := dir
	if info, err := os.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		root += string(filepath.Separator) // WalkDir does not follow its root either
	}
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			in.Errors = append(in.Errors, plain(err))
			return nil // go on with the rest
		}
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			if hasModuleName(path) || hasKernelName(path) {
				links++
			}
		case !d.Type().IsRegular():
		case hasModuleName(path):
			in.Modules = append(in.Modules, path)
		case isKernel(path):
			images = append(images, path)
		}
		return nil
	})
	if len(in.Modules) == before && len(images) == 0 && len(in.Errors) == problems {
		in.Errors = append(in.Errors, &elfscan.Error{Path: dir, What: noInput(dir, links)})
	}
	return images
}

// noInput says what a folder without images and modules has instead. links is the
// number of symbolic links in it that have the names of such.
func noInput(dir string, links int) string {
	if links > 0 {
		return "a folder whose vmlinux and modules are " + plural.Of(links, "symbolic link") +
			", which are not followed in a folder: name them, as " + filepath.Join(dir, "*") + ", or the folder that they lead to"
	}
	const without = ", without a vmlinux or modules: "
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		switch name := e.Name(); {
		case slices.Contains([]string{"Kbuild", "Kconfig", "Makefile"}, name), patchscan.LangOf(name) != patchscan.LangOther && e.Type().IsRegular():
			return "a folder of sources (it has a " + name + ")" + without + "name the vmlinux that was built, or the source files to check"
		case slices.Contains(patchNames, filepath.Ext(name)):
			return "a folder of patches" + without + "name the patches, as " + filepath.Join(dir, "*"+filepath.Ext(name))
		}
	}
	return "a folder without a vmlinux or modules (" + strings.Join(moduleNames, ", ") + ")"
}

// patchNames are the ends of the names of patches and mails.
var patchNames = []string{".patch", ".diff", ".mbox", ".eml"}

// IsPatch reports whether the file at path is an input of patchscan: patches, a
// mail, or a source file. "-" (standard input) and pipes count as patches,
// because they can be read only once. A file that cannot be read does not.
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
	if slices.Contains(patchNames, filepath.Ext(path)) {
		return true
	}
	rest, _ := io.ReadAll(io.LimitReader(f, 64<<10))
	return patchSign.Match(append(head[:n], rest...))
}

// patchSign matches what patches and mails have near their beginning.
var patchSign = regexp.MustCompile(`(?m)^[> ]*(diff --git |@@ -\d)|^[> ]*--- .*\r?\n[> ]*\+\+\+ |\A(From \S+ |(?i:From|Subject|Date|To|Message-ID|Received|Return-Path|Delivered-To|MIME-Version|Content-Type):)`)
