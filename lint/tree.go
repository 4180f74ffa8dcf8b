package lint

import (
	"archive/tar"
	"context"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/patchchecks"
	"github.com/ftlint/ftlint/patchscan"
)

// A tree is a kernel's sources, in which what a patch only mentions is looked up. Its
// folders are read when they are first needed.
type tree struct {
	read func(dir string) map[string]string // the sources in a folder, by path

	mu      sync.Mutex
	folders map[string]bool
	texts   map[string]string // by path
	indexed map[string]bool   // by path
	defines map[string][]treeFunc
	calls   map[string][]string // by name of what is called, the paths
}

// newTree returns a tree whose folders read reads.
func newTree(read func(dir string) map[string]string) *tree {
	return &tree{read: read, folders: map[string]bool{}, texts: map[string]string{}, indexed: map[string]bool{},
		defines: map[string][]treeFunc{}, calls: map[string][]string{}}
}

// maxSource is the size of the largest source file of a tree that is read, in bytes.
// Larger ones are generated.
const maxSource = 2 << 20

// folderTree is the tree at a folder.
func folderTree(root string) *tree {
	return newTree(func(dir string) map[string]string {
		texts := map[string]string{}
		entries, _ := os.ReadDir(filepath.Join(root, filepath.FromSlash(dir)))
		for _, e := range entries {
			info, err := e.Info()
			if err != nil || !info.Mode().IsRegular() || info.Size() > maxSource || patchscan.LangOf(e.Name()) == patchscan.LangOther {
				continue
			}
			if b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(dir), e.Name())); err == nil {
				texts[path.Join(dir, e.Name())] = string(b)
			}
		}
		return texts
	})
}

// gitTree is the tree of a revision of the git tree in the current folder.
func gitTree(ctx context.Context, rev string) *tree {
	return newTree(func(dir string) map[string]string {
		texts := map[string]string{}
		_ = git(ctx, rev+":"+dir, func(stdout io.Reader) error { // a folder that the revision lacks has no sources
			archive := tar.NewReader(stdout)
			for {
				h, err := archive.Next()
				if err != nil {
					_, _ = io.Copy(io.Discard, stdout)
					return nil
				}
				if h.Typeflag != tar.TypeReg || h.Size > maxSource || strings.Contains(h.Name, "/") || patchscan.LangOf(h.Name) == patchscan.LangOther {
					continue
				}
				if b, err := io.ReadAll(archive); err == nil {
					texts[path.Join(dir, h.Name)] = string(b)
				}
			}
		}, "archive", "--format=tar")
		return texts
	})
}

// need reads folders that have not been read.
func (t *tree) need(dirs ...string) {
	for _, dir := range dirs {
		if !t.folders[dir] {
			t.folders[dir] = true
			for p, text := range t.read(dir) {
				t.texts[p] = text
			}
		}
	}
}

// codeFolders have the functions that an architecture's code for text and tracing
// calls. nameFolders have the other names that its comments speak of, and
// commonFolders those that all architectures share.
func codeFolders(a *arch.Arch) []string {
	return below(a, "kernel", "kernel/probes", "kernel/kprobes", "lib", "mm", "net")
}

func nameFolders(a *arch.Arch) []string { return below(a, "include/asm", "kvm") }

var commonFolders = []string{"include/linux", "include/asm-generic", "kernel", "kernel/trace", "kernel/bpf", "kernel/module", "kernel/livepatch", "mm", "lib"}

// below are folders of an architecture's own.
func below(a *arch.Arch, dirs ...string) (out []string) {
	for _, dir := range dirs {
		out = append(out, path.Join("arch", a.Name, dir))
	}
	return out
}

// archsIn are the architectures whose code the input has; arm64 if it has none that is
// judged.
func archsIn(in *patchscan.Input) (archs []*arch.Arch) {
	for _, a := range arch.All {
		if slices.ContainsFunc(in.Files(), func(f *patchscan.File) bool { return f.Arch == a.Name }) {
			archs = append(archs, a)
		}
	}
	if len(archs) == 0 {
		archs = []*arch.Arch{arch.ARM64}
	}
	return archs
}

// isOf reports whether a file belongs to one of the architectures, or to none.
func isOf(archs []*arch.Arch, file string) bool {
	name := patchscan.ArchOf(file)
	return name == "" || slices.ContainsFunc(archs, func(a *arch.Arch) bool { return a.Name == name })
}

// has reports whether a name stands in the tree's sources of one of the architectures,
// or in those that all architectures share.
func (t *tree) has(archs []*arch.Arch, name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range archs {
		t.need(codeFolders(a)...)
		t.need(nameFolders(a)...)
	}
	t.need(commonFolders...)
	for file, text := range t.texts {
		if isOf(archs, file) && inCode(text, name) {
			return true
		}
	}
	return false
}

// inCode reports whether a name stands in a source file outside of comments.
func inCode(text, name string) bool {
	letter := func(c byte) bool { return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }
	for at := 0; ; {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return false
		}
		begin, end := at+i, at+i+len(name)
		at = end
		line := text[strings.LastIndexByte(text[:begin], '\n')+1 : begin]
		comment := strings.HasPrefix(strings.TrimSpace(line), "*") || strings.Contains(line, "/*") || strings.Contains(line, "//")
		if !comment && (begin == 0 || !letter(text[begin-1])) && (end == len(text) || !letter(text[end])) {
			return true
		}
	}
}

// maxContext is the number of files that are taken from a tree for one input, at most.
const maxContext = 40

// index finds the functions of the tree's files that have to do with code, and those
// that call them, by what they are called and by what they call.
func (t *tree) index() {
	type function struct {
		treeFunc
		calls []patchscan.Call
	}
	var all []function
	for _, p := range slices.Sorted(maps.Keys(t.texts)) {
		if t.indexed[p] || patchscan.LangOf(p) != patchscan.LangC || !isOf(arch.All, p) {
			continue
		}
		t.indexed[p] = true
		for _, f := range patchscan.FileOf(p, t.texts[p]).Parse().Funcs {
			if f.NameAt >= 0 {
				all = append(all, function{treeFunc{p, f}, f.Calls()})
			}
		}
	}
	about := map[string]bool{}
	for _, f := range all {
		if patchchecks.AboutCode(f.fn.Tokens) {
			about[f.fn.Name] = true
		}
	}
	for _, f := range all {
		if !about[f.fn.Name] && !slices.ContainsFunc(f.calls, func(c patchscan.Call) bool { return about[c.Name] }) {
			continue
		}
		t.defines[f.fn.Name] = append(t.defines[f.fn.Name], f.treeFunc)
		for _, c := range f.calls {
			if list := t.calls[c.Name]; len(list) == 0 || list[len(list)-1] != f.path {
				t.calls[c.Name] = append(list, f.path)
			}
		}
	}
}

// A treeFunc is a function in a file of a tree.
type treeFunc struct {
	path string
	fn   *patchscan.Func
}

// extend adds to an input what the tree knows of its patches: the files that they
// touch, the files that define what their code calls, and those that call the
// functions that they touch. Only functions that have to do with code count.
func (t *tree) extend(in *patchscan.Input) {
	t.mu.Lock()
	defer t.mu.Unlock()
	archs := archsIn(in)
	in.Known = func(name string) bool { return t.has(archs, name) }
	if in.Source != nil {
		return // it is whole, and there may be many
	}
	shown := map[string]bool{} // paths
	for _, f := range in.Files() {
		if f.Lang == patchscan.LangOther || f.Binary || !isOf(archs, f.Path) || shown[f.Path] {
			continue
		}
		code := f.Parse()
		added := slices.DeleteFunc(slices.Clone(code.Tokens), func(t patchscan.Token) bool { return !code.Added(t) })
		if f.Lang == patchscan.LangC && !patchchecks.AboutCode(added) {
			continue
		}
		shown[f.Path] = true
		t.need(path.Dir(f.Path))
		if text, ok := t.texts[f.Path]; ok {
			in.SetBase(f.Path, text)
		}
	}
	if len(shown) == 0 {
		return
	}
	var want, touched []string // names of functions
	defined := map[string]bool{}
	for _, f := range in.Compose(in.Patches).Files {
		if !shown[f.Path] {
			continue
		}
		code := f.Parse()
		for _, fn := range code.Funcs {
			defined[fn.Name] = defined[fn.Name] || fn.NameAt >= 0
			if slices.ContainsFunc(fn.Tokens, code.Added) {
				touched = append(touched, fn.Name)
				for _, c := range fn.Calls() {
					want = append(want, c.Name)
				}
			}
		}
	}
	if len(want)+len(touched) == 0 {
		return
	}
	for _, a := range archs {
		t.need(codeFolders(a)...)
	}
	t.index()
	var take []string
	for range 2 { // what is called, and what that calls
		var next []string
		for _, name := range want {
			if defined[name] {
				continue
			}
			defined[name] = true
			for _, d := range t.defines[name] {
				take = append(take, d.path)
				for _, c := range d.fn.Calls() {
					next = append(next, c.Name)
				}
			}
		}
		want = next
	}
	for _, name := range touched {
		take = append(take, t.calls[name]...)
	}
	slices.Sort(take)
	taken := 0
	for _, p := range slices.Compact(take) {
		if !shown[p] && isOf(archs, p) && taken < maxContext {
			in.AddContext(p, t.texts[p])
			taken++
		}
	}
}
