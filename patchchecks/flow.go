package patchchecks

import (
	"maps"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/patchscan"
)

// A flow is a function with its calls, its assignments, and the variables that
// point into memory for code. Memory for code is memory that the function, or one
// that calls it, allocates to put code into, or that belongs to a trampoline.
type flow struct {
	*patchscan.Func
	src     *Source
	calls   []patchscan.Call
	assigns []patchscan.Assign
	returns []patchscan.Return
	given   map[string]bool // parameters in which other functions pass memory for code
	memory  map[string]bool // variables that point into memory for code

	helpers  map[string][]*flow // functions of the series and of the tree, by name
	asking   bool               // helper is looking into what it calls
	allSinks []sink             // what sinks returns; nil until it is asked
}

func newFlow(s *Source, f *patchscan.Func, allocators map[string]bool) *flow {
	fl := &flow{Func: f, src: s, calls: f.Calls(), assigns: f.Assigns(), returns: f.Returns(), given: map[string]bool{}}
	fl.findMemory(allocators)
	return fl
}

// findMemory sets memory.
func (fl *flow) findMemory(allocators map[string]bool) {
	fl.memory = fl.derived(func(v []patchscan.Token) bool {
		return callsAny(v, allocators) || mentions(v, trampolineMember) || mentions(v, fl.given)
	})
	maps.Copy(fl.memory, fl.given)
}

// passMemory finds the parameters in which functions of the input pass each other
// memory for code.
func (series *Series) passMemory() {
	byName := map[string][]*flow{}
	for _, s := range series.Files {
		for _, fl := range s.Flows {
			if fl.NameAt >= 0 {
				byName[fl.Name] = append(byName[fl.Name], fl)
			}
		}
	}
	for more := true; more; {
		more = false
		for _, s := range series.Files {
			for _, fl := range s.Flows {
				for _, c := range fl.calls {
					for _, callee := range byName[c.Name] {
						params := callee.params()
						for i, arg := range c.Args {
							if i < len(params) && params[i] != "" && !callee.given[params[i]] && fl.pointsInto(arg) {
								callee.given[params[i]], more = true, true
								callee.findMemory(series.allocators)
							}
						}
					}
				}
			}
		}
	}
}

// params are the names of the function's parameters; "" if a name is not known.
func (fl *flow) params() []string {
	end := fl.Body - 1 // the opening brace
	for end > fl.NameAt && fl.Tokens[end].Text != ")" {
		end--
	}
	if end <= fl.NameAt+1 {
		return nil
	}
	var names []string
	for _, p := range patchscan.SplitArgs(fl.Tokens[fl.NameAt+2 : end]) {
		name := ""
		if n := len(p); n > 1 && p[n-1].Kind == patchscan.Ident {
			name = p[n-1].Text
		}
		names = append(names, name)
	}
	return names
}

// trampolineMember is ops->trampoline, in which ftrace's core keeps the address of
// the trampoline that the builder made.
var trampolineMember = map[string]bool{"->trampoline": true}

// allocators are the kernel's functions that allocate memory for code.
var allocators = map[string]bool{
	"module_alloc": true, "execmem_alloc": true, "execmem_alloc_rw": true, "bpf_jit_alloc_exec": true,
	"vmalloc": true, "__vmalloc": true, "vmalloc_exec": true, "__vmalloc_node_range": true,
}

// withWrappers is allocators, with the functions of the files that return what an
// allocator returns.
func withWrappers(files []*Source) map[string]bool {
	known := map[string]bool{}
	for name := range allocators {
		known[name] = true
	}
	for more := true; more; {
		more = false
		for _, s := range files {
			for _, f := range s.Funcs {
				if known[f.Name] || f.NameAt < 0 {
					continue
				}
				for i, t := range f.Tokens {
					if t.Text == "return" && callsAny(untilSemicolon(f.Tokens[i:]), known) {
						known[f.Name], more = true, true
						break
					}
				}
			}
		}
	}
	return known
}

// untilSemicolon is the tokens before the first semicolon.
func untilSemicolon(tokens []patchscan.Token) []patchscan.Token {
	for i, t := range tokens {
		if t.Text == ";" {
			return tokens[:i]
		}
	}
	return tokens
}

// callsAny reports whether one of the functions is called in tokens.
func callsAny(tokens []patchscan.Token, names map[string]bool) bool {
	for i := range len(tokens) - 1 {
		if tokens[i+1].Text == "(" && names[tokens[i].Text] {
			return true
		}
	}
	return false
}

// mentions reports whether tokens name one of the variables. A member counts as
// "->name", whatever it is a member of.
func mentions(tokens []patchscan.Token, names map[string]bool) bool {
	for i, t := range tokens {
		if t.Kind != patchscan.Ident {
			continue
		}
		name := t.Text
		if i > 0 && (tokens[i-1].Text == "->" || tokens[i-1].Text == ".") {
			name = "->" + name
		}
		if names[name] {
			return true
		}
	}
	return false
}

// key is the name under which an assigned variable is known: "p" for p[1],
// "->trampoline" for ops->trampoline.
func key(name string) string {
	name, _, _ = strings.Cut(name, "[")
	if i := strings.LastIndex(name, "->"); i >= 0 {
		return name[i:]
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return "->" + name[i+1:]
	}
	return name
}

// derived finds the variables whose value comes from a value that seed accepts,
// through any number of assignments.
func (fl *flow) derived(seed func(value []patchscan.Token) bool) map[string]bool {
	names := map[string]bool{}
	for more := true; more; {
		more = false
		for _, a := range fl.assigns {
			if k := key(a.Name); k != "" && !a.Deref && !names[k] && (seed(a.Value) || mentions(a.Value, names)) {
				names[k], more = true, true
			}
		}
	}
	return names
}

// span is a call as one token, as far as the call is on the line where it begins.
func (fl *flow) span(c patchscan.Call) patchscan.Token { return fl.src.span(fl.Tokens[c.At:c.End]) }

// statement is the statement that begins at a token, as one token, as far as it is
// on that token's line.
func (fl *flow) statement(at int) patchscan.Token {
	return fl.src.span(untilSemicolon(fl.Tokens[at:]))
}

// pointsInto reports whether tokens compute an address in memory for code.
func (fl *flow) pointsInto(tokens []patchscan.Token) bool {
	return mentions(tokens, fl.memory) || mentions(tokens, trampolineMember)
}

// A store is a plain store, or a copy, into memory for code.
type store struct {
	at     patchscan.Token
	index  int               // of at, in Func.Tokens
	source []patchscan.Token // the value, or the source of the copy
	word   bool              // one instruction, not several
}

// copiers are the functions that copy or fill memory by plain stores.
var copiers = map[string]bool{
	"memcpy": true, "__memcpy": true, "memmove": true, "probe_kernel_read": true, "copy_from_kernel_nofault": true,
	"__copy_from_user": true, "memset": true,
	"copy_to_kernel_nofault": true, "probe_kernel_write": true,
}

// stores are the stores into memory for code, in the order of the text.
func (fl *flow) stores() []store { return fl.storesTo(fl.pointsInto) }

// storesTo are the stores to the destinations that to accepts.
func (fl *flow) storesTo(to func(destination []patchscan.Token) bool) []store {
	var out []store
	for _, c := range fl.calls {
		if copiers[c.Name] && len(c.Args) == 3 && to(c.Args[0]) {
			out = append(out, store{fl.Tokens[c.At], c.At, c.Args[1], isWordSize(c.Args[2])})
		}
	}
	for _, a := range fl.assigns {
		if a.Stores() && to(base(a.Left)) {
			left := text(a.Left)
			pointer := strings.Contains(left, "**") || strings.Contains(left, "long") || strings.Contains(left, "u64") // data beside the code
			out = append(out, store{fl.Tokens[a.At], a.At, a.Value, !pointer})
		}
	}
	slices.SortStableFunc(out, func(a, b store) int { return a.index - b.index })
	return out
}

// base is the left side of an assignment without its indexes: p for p[i].
func base(left []patchscan.Token) []patchscan.Token {
	if i := slices.IndexFunc(left, func(t patchscan.Token) bool { return t.Text == "[" }); i >= 0 {
		return left[:i]
	}
	return left
}

// isWordSize reports whether a size is that of one instruction.
func isWordSize(size []patchscan.Token) bool {
	switch s := text(size); s {
	case "AARCH64_INSN_SIZE", "MCOUNT_INSN_SIZE", "4", "sizeof(u32)", "sizeof(__le32)", "sizeof(insn)", "sizeof(nop)", "sizeof(new)":
		return true
	}
	return false
}

// funcs calls do for each C function of the files, and returns their number.
func (j *judge) funcs(do func(*Source, *flow)) (n int) {
	for _, s := range j.Files {
		for _, fl := range s.Flows {
			n++
			do(s, fl)
		}
	}
	return n
}

// name is a function's name for headlines.
func (fl *flow) name() string {
	if fl.Name == "" {
		return "the function"
	}
	return brief(fl.Name) + "()"
}
