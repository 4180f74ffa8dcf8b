package patchchecks

import (
	"maps"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/patchscan"
)

// A flow is what a function does, as far as its text tells.
type flow struct {
	*patchscan.Func
	src     *Source
	calls   []patchscan.Call
	assigns []patchscan.Assign
	given   map[string]bool // parameters that other functions pass such memory in
	memory  map[string]bool // variables that point into memory for code that is allocated here or belongs to a trampoline
}

func newFlow(s *Source, f *patchscan.Func, allocators map[string]bool) *flow {
	fl := &flow{Func: f, src: s, calls: f.Calls(), assigns: f.Assigns(), given: map[string]bool{}}
	fl.findMemory(allocators)
	return fl
}

func (fl *flow) findMemory(allocators map[string]bool) {
	fl.memory = fl.derived(func(v []patchscan.Token) bool {
		return callsAny(v, allocators) || mentions(v, trampolineMember) || mentions(v, fl.given)
	})
	maps.Copy(fl.memory, fl.given)
}

// pass finds the parameters that functions are given memory for code in, by
// other functions of the input.
func (set *SourceSet) pass() {
	byName := map[string][]*flow{}
	for _, s := range set.Files {
		for _, fl := range s.Flows {
			if fl.NameAt >= 0 {
				byName[fl.Name] = append(byName[fl.Name], fl)
			}
		}
	}
	for more := true; more; {
		more = false
		for _, s := range set.Files {
			for _, fl := range s.Flows {
				for _, c := range fl.calls {
					for _, callee := range byName[c.Name] {
						params := callee.params()
						for i, arg := range c.Args {
							if i < len(params) && params[i] != "" && !callee.given[params[i]] && fl.pointsInto(arg) {
								callee.given[params[i]], more = true, true
								callee.findMemory(set.allocators)
							}
						}
					}
				}
			}
		}
	}
}

// params are the names of the function's parameters.
func (fl *flow) params() []string {
	end := fl.Body - 1 // the opening brace
	for end > fl.NameAt && fl.Tokens[end].Text != ")" {
		end--
	}
	if end <= fl.NameAt+1 {
		return nil
	}
	var names []string
	for _, p := range splitOperands(fl.Tokens[fl.NameAt+2 : end]) {
		name := ""
		if n := len(p); n > 1 && p[n-1].Kind == patchscan.Ident {
			name = p[n-1].Text
		}
		names = append(names, name)
	}
	return names
}

// trampolineMember is ops->trampoline: where the core keeps the address of
// what the builder made.
var trampolineMember = map[string]bool{"->trampoline": true}

// allocators of memory that code may be put into.
var allocators = map[string]bool{
	"module_alloc": true, "execmem_alloc": true, "execmem_alloc_rw": true, "bpf_jit_alloc_exec": true,
	"vmalloc": true, "__vmalloc": true, "vmalloc_exec": true, "__vmalloc_node_range": true,
}

// withWrappers adds the functions of files that give what an allocator gives.
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

func untilSemicolon(tokens []patchscan.Token) []patchscan.Token {
	for i, t := range tokens {
		if t.Text == ";" {
			return tokens[:i]
		}
	}
	return tokens
}

// callsAny tells whether one of the functions is called in tokens.
func callsAny(tokens []patchscan.Token, names map[string]bool) bool {
	for i := range len(tokens) - 1 {
		if tokens[i+1].Text == "(" && names[tokens[i].Text] {
			return true
		}
	}
	return false
}

// mentions tells whether tokens name one of the variables. A member counts as
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

// key is the variable that is assigned to: "p" for p[1], "->trampoline" for
// ops->trampoline.
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

// derived finds the variables whose value comes from what seed accepts, over
// any number of assignments.
func (fl *flow) derived(seed func(value []patchscan.Token) bool) map[string]bool {
	names := map[string]bool{}
	for more := true; more; {
		more = false
		for _, a := range fl.assigns {
			if k := key(a.Name); !a.Deref && !names[k] && (seed(a.Value) || mentions(a.Value, names)) {
				names[k], more = true, true
			}
		}
	}
	return names
}

// pointsInto tells whether tokens compute an address in memory for code.
func (fl *flow) pointsInto(tokens []patchscan.Token) bool {
	return mentions(tokens, fl.memory) || mentions(tokens, trampolineMember)
}

// A store puts bytes into memory for code, by plain stores.
type store struct {
	at     patchscan.Token
	index  int               // of at, in Func.Tokens
	source []patchscan.Token // what is stored
	word   bool              // one instruction, not a run of them
}

var copiers = map[string]bool{
	"memcpy": true, "__memcpy": true, "memmove": true, "probe_kernel_read": true, "copy_from_kernel_nofault": true,
	"__copy_from_user": true, "memset": true,
}

// stores are the plain stores into memory for code, in their order.
func (fl *flow) stores() []store {
	var out []store
	for _, c := range fl.calls {
		if copiers[c.Name] && len(c.Args) == 3 && fl.pointsInto(c.Args[0]) {
			out = append(out, store{fl.Tokens[c.At], c.At, c.Args[1], isWordSize(c.Args[2])})
		}
	}
	for _, a := range fl.assigns {
		if fl.memory[key(a.Name)] && (a.Deref || strings.Contains(a.Name, "[")) {
			out = append(out, store{fl.Tokens[a.At], a.At, a.Value, true})
		}
	}
	slices.SortStableFunc(out, func(a, b store) int { return a.index - b.index })
	return out
}

// isWordSize tells whether a size is that of one instruction.
func isWordSize(size []patchscan.Token) bool {
	switch s := text(size); s {
	case "AARCH64_INSN_SIZE", "MCOUNT_INSN_SIZE", "4", "sizeof(u32)", "sizeof(__le32)", "sizeof(insn)", "sizeof(nop)", "sizeof(new)":
		return true
	}
	return false
}

// funcs calls do for each C function of arm64.
func (j *judge) funcs(do func(*Source, *flow)) (n int) {
	for _, s := range j.Files {
		for _, fl := range s.Flows {
			n++
			do(s, fl)
		}
	}
	return n
}

// name is a function's name for messages.
func (fl *flow) name() string {
	if fl.Name == "" {
		return "the function"
	}
	return fl.Name + "()"
}
