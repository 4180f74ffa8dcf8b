package patchchecks

import (
	"go/token"
	"maps"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// FT605 finds names in comments and diagrams that the code does not have, and that
// are one edit away from a name that the patch defines or, in a diagram, uses. A
// word of a sentence is compared only with names that the patch defines: it may be
// one of the kernel's many names that no patch shows.
var FT605 = check("FT605", func(j *judge) tally {
	if len(j.Files) == 0 {
		return notApplicable(noCode)
	}
	n := 0
	var names *knownNames // of the series; made when the first word must be compared
	judgeFiles := func(files []*Source, messages []*Commit) {
		look := func(diagram bool, line string, pos func(col int) token.Pos) {
			eachWord(line, func(word string, at int) {
				if !isLabel(word) || kernelNames[word] || !standsAlone(line, word, at) {
					return
				}
				if names == nil {
					all := j.Files
					for _, c := range j.Patches {
						all = append(slices.Clip(all), c.Files...)
					}
					names = newKnownNames(all)
				}
				if names.used[word] || names.removed[word] {
					return
				}
				n++
				if j.In.Known != nil && j.In.Known(word) || j.In.Symbol != nil && j.In.Symbol(word) {
					return
				}
				near := names.defined
				if diagram {
					near = names.all
				}
				for _, name := range near {
					if isTypo(word, name, diagram || j.In.Known != nil) {
						j.reportSpan(pos(at), pos(at+len(word)), finding.
							Say("`%s` is named, but the code has only `%s`", brief(word), brief(name)).
							Because("nothing here defines `%s`, and `%s` is one letter away", short(word), short(name)).
							Do("Write `%s`, or define the other name", short(name)))
						return
					}
				}
			})
		}
		for _, s := range files {
			diagrams := map[int32]bool{} // comments that draw
			for _, t := range s.Tokens {
				if t.Kind == patchscan.Comment && isDiagram(t.Text) {
					diagrams[t.Block] = true
				}
			}
			for _, t := range s.Tokens {
				if t.Kind == patchscan.Comment && s.Added(t) {
					look(diagrams[t.Block], t.Text, func(col int) token.Pos { t := t; t.Col += int32(col); return s.pos(t) })
				}
			}
		}
		for _, c := range messages {
			for _, row := range c.Message {
				if isDiagram(row.Text) {
					look(true, row.Text, func(col int) token.Pos { return j.In.MessagePos(row, col) })
				}
			}
		}
	}
	if j.In.Source != nil {
		judgeFiles(j.Files, nil)
	}
	for _, c := range j.Patches {
		judgeFiles(c.Files, []*Commit{c})
	}
	if n == 0 && !j.adds {
		return notApplicable(nothingAdded)
	}
	return examined("%s in comments and diagrams that the code does not have", some(n, "name"))
})

// standsAlone reports whether the word at an offset of a line is a name, and not a
// file, a part of a path, a member or a pattern: ftrace_(regs_)caller_end,
// {i,o}bf_status, set_memory_xx.
func standsAlone(line, word string, at int) bool {
	if at > 0 && strings.IndexByte(")}%.-/", line[at-1]) >= 0 || strings.HasSuffix(word, "_xx") {
		return false
	}
	rest := line[at+len(word):]
	if len(rest) > 1 && rest[0] == '.' && strings.IndexByte("chS", rest[1]) >= 0 && (len(rest) == 2 || !isWord(rest[2])) {
		return false
	}
	return rest == "" || strings.IndexByte("(-/", rest[0]) < 0 || strings.HasPrefix(rest, "()")
}

// knownNames are the names of a series' files.
type knownNames struct {
	used, removed map[string]bool // in the code; in lines that the patch removes
	all, defined  []string        // used, and those that the files define; sorted
}

func newKnownNames(files []*Source) *knownNames {
	k := &knownNames{used: map[string]bool{}, removed: map[string]bool{}}
	defined := map[string]bool{}
	for _, s := range files {
		for i, t := range s.Tokens {
			if t.Kind == patchscan.Ident && isLabel(t.Text) {
				k.used[t.Text] = true
				if i > 0 && t.Pre && s.Tokens[i-1].Text == "define" {
					defined[t.Text] = true
				}
			}
		}
		for _, f := range s.Funcs {
			defined[f.Name] = isLabel(f.Name) && f.NameAt >= 0
		}
		for _, st := range s.Stmts {
			defined[st.Label] = isLabel(st.Label)
		}
		for _, h := range s.File.Hunks {
			for i := range h.Lines {
				if h.Lines[i].Op == '-' {
					eachWord(h.Lines[i].Text, func(word string, _ int) { k.removed[word] = true })
				}
			}
		}
	}
	k.all = slices.Sorted(maps.Keys(k.used))
	maps.DeleteFunc(defined, func(_ string, is bool) bool { return !is })
	k.defined = slices.Sorted(maps.Keys(defined))
	return k
}

// isLabel reports whether a word is worth comparing: it is long enough, has parts,
// and is not a constant.
func isLabel(word string) bool {
	return len(word) >= 7 && strings.Contains(strings.Trim(word, "_"), "_") && !strings.HasSuffix(word, "_") && word != strings.ToUpper(word)
}

// isDiagram reports whether a line of text belongs to a drawing.
func isDiagram(t string) bool {
	return strings.Contains(t, "=>") || strings.Contains(t, "--+") || strings.Contains(t, "+--") || strings.Count(t, "|") >= 2 && !strings.Contains(t, "||")
}

// isTypo reports whether word is name with one edit that nobody makes on purpose: a
// letter changed, left out or put in, or two letters swapped. A changed digit is
// meant, and an s at the end is a plural. In a drawing a part of the name may be
// short. In a sentence a short part may make the name of something else: pmd_offset
// beside pud_offset. A letter that is typed twice does not make such a name.
func isTypo(word, name string, drawing bool) bool {
	twice := false
	longer, shorter := word, name
	if len(word) < len(name) {
		longer, shorter = name, word
	}
	if len(longer)-len(shorter) > 1 {
		return false
	}
	letter := func(c byte) bool { return c >= 'a' && c <= 'z' }
	i := 0
	for i < len(shorter) && longer[i] == shorter[i] {
		i++
	}
	switch {
	case len(longer) > len(shorter):
		if longer[i+1:] != shorter[i:] || !letter(longer[i]) || i == len(shorter) && longer[i] == 's' {
			return false
		}
		twice = longer == word && i > 0 && longer[i-1] == longer[i]
	case i == len(shorter) || !letter(longer[i]) || !letter(shorter[i]):
		return false
	case longer[i+1:] == shorter[i+1:]:
		if len(lastPart(name)) <= 2 {
			return false // set_memory_ro and set_memory_rw are two names
		}
	case i+1 == len(shorter) || longer[i] != shorter[i+1] || longer[i+1] != shorter[i] || longer[i+2:] != shorter[i+2:]:
		return false // two letters are not swapped
	}
	return drawing || twice || len(partAt(shorter, min(i, len(shorter)-1))) >= longPart
}

// longPart is the number of letters from which on a part of a name is not taken for
// a part of another name with one letter changed.
const longPart = 5

// lastPart is the part of a name behind its last underscore.
func lastPart(name string) string { return name[strings.LastIndexByte(name, '_')+1:] }

// partAt is the part of a name, between underscores, that has byte i.
func partAt(name string, i int) string {
	begin, end := strings.LastIndexByte(name[:i], '_')+1, strings.IndexByte(name[i:], '_')
	if end < 0 {
		return name[begin:]
	}
	return name[begin : i+end]
}

// kernelNames are names of the kernel that a comment may speak of and a patch
// need not show.
var kernelNames = func() map[string]bool {
	m := map[string]bool{}
	for _, a := range arch.All {
		for _, e := range a.Eras {
			for _, l := range e.Labels {
				m[l.Name] = true
			}
		}
	}
	for _, name := range strings.Fields(`
		arch_ftrace_update_code arch_ftrace_update_trampoline arch_ftrace_trampoline_free arch_ftrace_trampoline_func
		copy_from_kernel_nofault copy_to_kernel_nofault probe_kernel_read probe_kernel_write
		execmem_alloc execmem_free module_alloc module_memfree module_free vmalloc_exec
		flush_icache_range caches_clean_inval_pou caches_clean_inval_poc sync_icache_aliases
		ftrace_call_adjust ftrace_init_nop ftrace_make_call ftrace_make_nop ftrace_modify_call ftrace_modify_code
		ftrace_ops_get_func ftrace_ops_list_func ftrace_ops_no_ops ftrace_ops_trampoline ftrace_update_ftrace_func
		ftrace_graph_func ftrace_graph_active ftrace_graph_entry ftrace_graph_return prepare_ftrace_return
		function_trace_op function_trace_call function_graph_enter mcount_enter mcount_exit
		set_memory_ro set_memory_rw set_memory_rox set_memory_x set_memory_nx set_memory_valid set_vm_flush_reset_perms
		stop_machine kick_all_cpus_sync text_poke`) {
		m[name] = true
	}
	return m
}()
