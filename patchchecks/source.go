package patchchecks

import (
	"fmt"
	"go/token"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/patchscan"
)

// Patch is the input: patches or a source file, *patchscan.Input. The driver reads
// the input and puts it into ResultOf. Without the driver the analyzer reads the
// one file that Pass.OtherFiles names.
var Patch = &analysis.Analyzer{
	Name: "patch",
	Doc:  "read patches, or a source file",
	Run: func(pass *analysis.Pass) (any, error) {
		if len(pass.OtherFiles) != 1 {
			return nil, fmt.Errorf("patch: Pass.OtherFiles names %s, one was expected", plural.Of(len(pass.OtherFiles), "file"))
		}
		in, err := patchscan.Open(pass.OtherFiles[0])
		if err != nil {
			return nil, err
		}
		in.AddTo(pass.Fset)
		return in, nil
	},
	ResultType: reflect.TypeFor[*patchscan.Input](),
}

// A SourceSet is the part of an input that is judged.
type SourceSet struct {
	In     *patchscan.Input
	Series []*Series
}

// A Series is what is judged together: a source file, one patch, or the patches of
// a series, each as far as it has code of one architecture.
type Series struct {
	Arch    *arch.Arch
	Files   []*Source // the architecture's C and assembly, as the whole series leaves it
	Patches []*Commit // patches that touch the architecture's code; nil for a source file

	adds       bool            // a line of Files is judged
	allocators map[string]bool // functions that allocate memory for code
}

// A Source is a file of one architecture, in tokens.
type Source struct {
	*patchscan.Code
	Arch  *arch.Arch
	In    *patchscan.Input
	Flows []*flow // one for each of Funcs

	macros map[string]patchscan.Macro
	series *patchscan.Composed
	others map[int32]bool // what otherArchs returns; nil until it is asked
}

// A Commit is a patch with its files of one architecture, as the patch shows them.
type Commit struct {
	*patchscan.Patch
	Arch  *arch.Arch
	Files []*Source

	about *bool // what aboutCode returns; nil until it is asked
}

func (s *Source) pos(t patchscan.Token) token.Pos { return s.In.Pos(&s.Lines[t.Line], int(t.Col)) }

// end is the position behind a token.
func (s *Source) end(t patchscan.Token) token.Pos {
	return s.In.Pos(&s.Lines[t.Line], int(t.Col)+len(t.Text))
}

// span is a token that reaches from the first of some tokens to the last that is on
// the same line.
func (s *Source) span(tokens []patchscan.Token) patchscan.Token {
	span := tokens[0]
	for _, t := range tokens[1:] {
		if t.Line == span.Line {
			line := s.Lines[t.Line].Text
			span.Text = line[min(int(span.Col), len(line)):min(int(t.Col)+len(t.Text), len(line))]
		}
	}
	return span
}

// Added reports whether the token stands on a line that is judged. A line that the
// series as a whole does not add is not judged.
func (s *Source) Added(t patchscan.Token) bool { return s.judged(int(t.Line)) }

func (s *Source) judged(line int) bool {
	l := &s.Lines[line]
	return (s.In.AllLines || l.Op == '+') && (s.series == nil || s.series.Adds(l)) && !s.In.FromTree(l)
}

// where names the line of a token, for messages: "ftrace.c:82".
func (s *Source) where(t patchscan.Token) string {
	name := s.File.Path[strings.LastIndexByte(s.File.Path, '/')+1:]
	return fmt.Sprintf("%s:%d", short(name), s.Lines[t.Line].Num)
}

// Sources finds and parses the files that are judged, *SourceSet.
var Sources = &analysis.Analyzer{
	Name:     "sources",
	Doc:      "parse the files that the patches touch, of the architectures that are judged",
	Requires: []*analysis.Analyzer{Patch},
	Run: func(pass *analysis.Pass) (any, error) {
		in := pass.ResultOf[Patch].(*patchscan.Input)
		set := &SourceSet{In: in}
		if in.Source != nil {
			set.Series = append(set.Series, sourceFile(in))
		}
		for _, patches := range in.Series() {
			set.Series = append(set.Series, seriesOf(in, patches)...)
		}
		for _, series := range set.Series {
			for _, f := range in.Context {
				if s := newSource(in, f, nil); s != nil && s.Arch == series.Arch {
					series.Files = append(series.Files, s)
				}
			}
			series.follow()
		}
		return set, nil
	},
	ResultType: reflect.TypeFor[*SourceSet](),
}

// sourceFile is the series of an input that is a source file. It is one of arm64
// without files if the file is not judged.
func sourceFile(in *patchscan.Input) *Series {
	if s := newSource(in, in.Source, nil); s != nil {
		return &Series{Arch: s.Arch, Files: []*Source{s}}
	}
	return &Series{Arch: arch.ARM64}
}

// seriesOf are the patches of a series, once for each architecture whose code they
// touch; for arm64 if they touch none. Cover letters and patches of the core of ftrace
// are in each.
func seriesOf(in *patchscan.Input, patches []*patchscan.Patch) []*Series {
	composed := in.Compose(patches)
	parsed := map[*patchscan.File]*Source{}
	touched := map[*arch.Arch]bool{}
	parse := func(f *patchscan.File) {
		if s := newSource(in, f, composed); s != nil {
			parsed[f] = s
			touched[s.Arch] = true
		}
	}
	for _, p := range patches {
		for _, f := range p.Files {
			parse(f)
		}
	}
	for _, f := range composed.Files {
		if f.Composed() {
			parse(f)
		}
	}
	var out []*Series
	for _, a := range arch.All {
		if !touched[a] && (a != arch.ARM64 || len(touched) > 0) {
			continue
		}
		series := &Series{Arch: a}
		of := func(files []*patchscan.File) (list []*Source) {
			for _, f := range files {
				if s := parsed[f]; s != nil && s.Arch == a {
					list = append(list, s)
				}
			}
			return list
		}
		for _, p := range patches {
			c := &Commit{Patch: p, Arch: a, Files: of(p.Files)}
			core := slices.ContainsFunc(p.Files, func(f *patchscan.File) bool { return f.Arch == "" && strings.Contains(f.Path, "ftrace") })
			if core || len(p.Files) == 0 || len(c.Files) > 0 {
				series.Patches = append(series.Patches, c)
			}
		}
		series.Files = of(composed.Files)
		out = append(out, series)
	}
	return out
}

// newSource parses a file. It returns nil if the file is not of an architecture that
// is judged.
func newSource(in *patchscan.Input, f *patchscan.File, series *patchscan.Composed) *Source {
	if f.Lang == patchscan.LangOther || f.Binary {
		return nil
	}
	parse := sync.OnceValue(f.Parse)
	a := arch.Named(f.Arch)
	if f.Arch == "" && (usesARM64(f, parse) || !common(f) && looksLikeARM64(parse())) {
		a = arch.ARM64
	}
	if a == nil {
		return nil
	}
	code := parse()
	return &Source{Code: code, Arch: a, In: in, macros: code.Macros(), series: series}
}

// follow finds out what the functions of the series do with memory for code.
func (series *Series) follow() {
	series.allocators = withWrappers(series.Files)
	for _, s := range series.Files {
		for i := 0; i < len(s.Lines) && !series.adds; i++ {
			series.adds = s.judged(i)
		}
		for _, f := range s.Funcs {
			s.Flows = append(s.Flows, newFlow(s, f, series.allocators))
		}
	}
	series.passMemory()
	series.link()
}

// foreign reports whether the file belongs to another architecture than the commit
// does, or to a part of the kernel that is common to all architectures.
func (c *Commit) foreign(f *patchscan.File) bool {
	return f.Arch != "" && f.Arch != c.Arch.Name || common(f)
}

// common reports whether the file belongs to a part of the kernel that is common to
// all architectures.
func common(f *patchscan.File) bool {
	if f.Arch != "" {
		return false
	}
	top, rest, _ := strings.Cut(strings.TrimPrefix(f.Path, "/"), "/")
	switch top {
	case "block", "certs", "crypto", "drivers", "fs", "include", "init", "io_uring", "ipc", "kernel", "lib", "mm", "net",
		"rust", "samples", "scripts", "security", "sound", "tools", "usr", "virt", "Documentation":
		return rest != ""
	}
	return false
}

// interfaceWords are what names of arm64's interface to code have in them, codeHeaders
// the headers with such names, which other architectures may have too. memoryWords
// are in the names of functions that make memory for code, or find it.
var (
	interfaceWords = []string{"aarch64_insn", "AARCH64_INSN", "AARCH64_BREAK"}
	codeHeaders    = []string{"<asm/insn.h>", "<asm/patching.h>", "<asm/text-patching.h>"}
	memoryWords    = []string{"module_alloc", "execmem_alloc", "set_memory_x", "set_memory_rox", "vmalloc_exec", "PAGE_KERNEL_EXEC", "kallsyms_lookup_name"}
)

// wordsOf are the kinds of such words that lines of a file have. Most files of
// drivers have none, and are not parsed.
func wordsOf(f *patchscan.File) (arm64, headers, memory bool) {
	for _, h := range f.Hunks {
		for i := range h.Lines {
			l := &h.Lines[i]
			if l.Op == '-' {
				continue
			}
			arm64 = arm64 || hasAny(l.Text, interfaceWords...)
			headers = headers || strings.HasPrefix(l.Text, "#include") && hasAny(l.Text, codeHeaders...)
			memory = memory || hasAny(l.Text, memoryWords...)
		}
	}
	return arm64, headers, memory
}

// usesARM64 reports whether a file outside of arch/ uses arm64's interface to code:
// the encoders, the functions that patch text, their headers. A file that makes
// memory for code uses it too, if it has a constant that is surely an A64
// instruction.
func usesARM64(f *patchscan.File, parse func() *patchscan.Code) bool {
	arm64, headers, memory := wordsOf(f)
	if arm64 || !headers && !memory {
		return arm64
	}
	x86, words := false, false
	for _, t := range parse().Tokens {
		switch t.Kind {
		case patchscan.Number:
			if w, ok := instructionWord(t); ok {
				words = words || isUnmistakable(w) || w == 0x14000000 || w == 0x94000000 || a64.Classify(w) == a64.LDRLit
			}
		case patchscan.Ident:
			x86 = x86 || x86Sign.MatchString(t.Text)
		}
	}
	return headers && !x86 || memory && words
}

var (
	arm64Sign = regexp.MustCompile(`^(aarch64_\w+|AARCH64_\w+|x(19|2\d|30)|adrp|adr_l|ldr_l|ldp|stp|paciasp|bti|blr)$`)
	x86Sign   = regexp.MustCompile(`^(__fentry__|text_poke\w*|[re][abcd]x|[re][sd]i|[re][sb]p|rip|movq|movl|callq|jmp|leaq|pushq|popq|CALL_INSN_\w+|insn_decode\w*|insn_get_length|insn_init)$`)
)

// looksLikeARM64 reports whether the words of a file are those of arm64's code. It
// decides about a file whose path names no architecture.
func looksLikeARM64(c *patchscan.Code) bool {
	arm, x86 := 0, 0
	for _, t := range c.Tokens {
		if t.Kind != patchscan.Ident {
			continue
		}
		if arm64Sign.MatchString(t.Text) {
			arm++
		} else if x86Sign.MatchString(t.Text) {
			x86++
		}
	}
	return arm > 0 && arm >= x86
}

// AddFacts adds to the facts of a summary the numbers of files and lines that are
// judged, and the lines and functions that the patches touch: the given patches, or
// all if of is nil.
func (set *SourceSet) AddFacts(facts *finding.PatchFacts, of []*patchscan.Patch) {
	for _, series := range set.Series {
		files := series.Files
		if set.In.Source == nil {
			files = nil
			for _, c := range series.Patches {
				if of == nil || slices.Contains(of, c.Patch) {
					files = append(files, c.Files...)
				}
			}
		}
		for _, s := range files {
			facts.Judged++
			if !slices.Contains(facts.Archs, s.Arch.Name) {
				facts.Archs = append(facts.Archs, s.Arch.Name)
			}
			for i := range s.Lines {
				if s.judged(i) {
					facts.Added++
				}
			}
			facts.Touched = append(facts.Touched, s.touched()...)
		}
	}
}

// touched are the runs of lines that a patch adds to the file, and the functions
// that the patch touches.
func (s *Source) touched() []finding.Span {
	var spans []finding.Span
	for i := range s.Lines {
		l := &s.Lines[i]
		if l.Op != '+' {
			continue
		}
		if n := len(spans); n > 0 && spans[n-1].Last == l.Num-1 {
			spans[n-1].Last = l.Num
		} else {
			spans = append(spans, finding.Span{Path: s.File.Path, First: l.Num, Last: l.Num})
		}
	}
	add := func(name string, first, last patchscan.Token) {
		from, to := s.Lines[first.Line].Num, s.Lines[last.Line].Num
		if name != "" && s.File.Changes(from, to) {
			spans = append(spans, finding.Span{Path: s.File.Path, First: from, Last: to, Func: name})
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
	return spans
}
