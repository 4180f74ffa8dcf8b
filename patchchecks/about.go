package patchchecks

import (
	"regexp"

	"github.com/ftlint/ftlint/patchscan"
)

// The rules about how a patch is written (FT604, FT606, FT607) look at patches that
// have to do with tracing, entry code, text patching or memory for code. The rules
// ignore the same words and likenesses elsewhere.
var (
	codePath = regexp.MustCompile(`(^|/)arch/(arm64|x86)/(kernel/(entry|insn|patching|k?probes/|jump_label|alternative|module)|lib/insn|net/|include/asm/(insn|patching|text-patching|module|jump_label|alternative))` +
		`|(^|/)[^/]*(ftrace|mcount|fgraph|tramp|kprobe|uprobe|fprobe|rethook|livepatch|execmem|bpf_jit|text-patching|static_call)[^/]*$` +
		`|(^|/)kernel/livepatch/|(^|/)samples/(ftrace|livepatch|kprobes)/`)
	codeWords = []string{"ftrace", "mcount", "trampoline", "kprobe", "kretprobe", "uprobe", "fprobe", "fgraph", "function_graph", "return_to_handler", "livepatch",
		"aarch64_insn_", "execmem_", "module_alloc", "vmalloc_exec", "set_memory_ro", "set_memory_rw", "set_memory_x", "set_memory_nx", "patch_text", "text_poke", "bpf_jit_",
		"PAGE_KERNEL_EXEC", "PAGE_KERNEL_ROX"}
)

// helperWords are in the names of what helpers of such code call.
var helperWords = []string{"icache", "caches_clean_inval", "plt", "in_range", "long_jump", "patch_map", "fixmap", "TEXT_POKE"}

// AboutCode reports whether the tokens of a function have names of tracing, entry
// code, text patching, memory for code, caches or PLTs.
func AboutCode(tokens []patchscan.Token) bool {
	for _, t := range tokens {
		if t.Kind == patchscan.Ident && len(t.Text) > 2 && (hasAny(t.Text, codeWords...) || hasAny(t.Text, helperWords...)) {
			return true
		}
	}
	return false
}

// aboutCode reports whether a function has to do with tracing, entry code, text
// patching or memory for code.
func (s *Source) aboutCode(fl *flow) bool {
	if codePath.MatchString(s.File.Path) {
		return true
	}
	for _, t := range fl.Tokens {
		if t.Kind == patchscan.Ident && hasAny(t.Text, codeWords...) {
			return true
		}
	}
	return false
}

// aboutCode reports whether a patch has to do with tracing, entry code, text
// patching or memory for code, by its subject, its files, and the lines that it
// changes. A cover letter has, if one of the series' patches has.
func (series *Series) aboutCode(c *Commit) bool {
	if c.about == nil {
		about := c.isAboutCode()
		if len(c.Patch.Files) == 0 {
			for _, other := range series.Patches {
				about = about || other != c && len(other.Patch.Files) > 0 && series.aboutCode(other)
			}
		}
		c.about = &about
	}
	return *c.about
}

func (c *Commit) isAboutCode() bool {
	if hasAny(c.Subject, codeWords...) {
		return true
	}
	for _, f := range c.Patch.Files {
		if codePath.MatchString(f.Path) {
			return true
		}
		if c.foreign(f) {
			continue
		}
		for _, h := range f.Hunks {
			for i := range h.Lines {
				if h.Lines[i].Op != ' ' && hasAny(h.Lines[i].Text, codeWords...) {
					return true
				}
			}
		}
	}
	return false
}
