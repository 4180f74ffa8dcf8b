package patchchecks

import (
	"regexp"
	"slices"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// cacheCalls are the functions that make instruction caches coherent with stores.
var cacheCalls = map[string]bool{
	"flush_icache_range": true, "__flush_icache_range": true, "caches_clean_inval_pou": true, "caches_clean_inval_pou_macro": true,
	"sync_icache_aliases": true, "bpf_flush_icache": true, "flush_icache_user_range": true, "icache_inval_all_pou": true,
	"icache_inval_pou": true, "__flush_cache_user_range": true,
	// These functions do that for everything they write.
	"aarch64_insn_copy": true, "aarch64_insn_set": true, "text_poke_copy": true,
}

// aliases are the functions that map text a second time, writable.
var aliases = map[string]bool{"patch_map": true, "set_fixmap_offset": true, "__set_fixmap_offset": true, "vmap": true}

// textPages are names by which a mapping is one of text: a page of code is looked
// up, or the fixmap entry for patching is taken.
var textPages = regexp.MustCompile(`^(patch_map|FIX_TEXT_POKE\d|FIX_KPROBE\w*|(?i:(.*_)?(text|insns?|tramp\w*|code)(_.*)?))$`)

// unmaintainedAlias finds the last plain store through a writable alias of text
// behind which the function does no cache maintenance. The function is shown to its
// end.
func (fl *flow) unmaintainedAlias(maintain map[string]bool) (alias patchscan.Call, last store, ok bool) {
	if len(fl.Tokens) == 0 || fl.NameAt < 0 || !fl.Whole {
		return alias, last, false
	}
	for _, c := range fl.calls {
		if !aliases[c.Name] {
			continue
		}
		_, values := fl.trace(slices.Concat(c.Args...), c.At)
		all := slices.Concat(values...)
		if c.Name != "patch_map" && !fl.pointsInto(all) && !slices.ContainsFunc(all, func(t patchscan.Token) bool {
			return t.Kind == patchscan.Ident && textPages.MatchString(t.Text)
		}) {
			continue
		}
		names := fl.derived(func(v []patchscan.Token) bool {
			return len(v) > 0 && callsAny(v, map[string]bool{c.Name: true})
		})
		for _, st := range fl.storesTo(func(to []patchscan.Token) bool { return mentions(to, names) }) {
			if st.index > last.index {
				alias, last, ok = c, st, true
			}
		}
	}
	for _, c := range fl.calls {
		if ok && c.At > last.index && maintain[c.Name] {
			return alias, last, false
		}
	}
	return alias, last, ok
}

// callersMaintain reports whether each function of the series that calls fl does
// cache maintenance behind the call, itself or in its own callers. seen are
// functions that have been asked. It is false if no caller is shown.
func (j *judge) callersMaintain(fl *flow, maintain map[string]bool, seen map[string]bool) bool {
	seen[fl.Name] = true
	callers, all := 0, true
	j.funcs(func(_ *Source, other *flow) {
		last := -1
		for _, c := range other.calls {
			if c.Name == fl.Name {
				last = c.At
			}
		}
		if last < 0 || seen[other.Name] {
			return
		}
		callers++
		behind := slices.ContainsFunc(other.calls, func(c patchscan.Call) bool { return c.At > last && maintain[c.Name] })
		all = all && (behind || j.callersMaintain(other, maintain, seen))
	})
	return callers > 0 && all
}

// FT306 finds code that becomes executable, and text that is written through an alias,
// where no cache maintenance follows the last plain store.
var FT306 = codeCheck("FT306", func(j *judge) tally {
	// A function of the input that calls one of cacheCalls maintains the caches for
	// its callers.
	maintain := map[string]bool{}
	for name := range cacheCalls {
		maintain[name] = true
	}
	for range 2 {
		j.funcs(func(_ *Source, fl *flow) {
			for _, c := range fl.calls {
				if maintain[c.Name] && fl.NameAt >= 0 {
					maintain[fl.Name] = true
				}
			}
		})
	}
	n := 0
	j.funcs(func(s *Source, fl *flow) {
		if alias, last, ok := fl.unmaintainedAlias(maintain); ok && !isPatchingInterface[fl.Name] {
			n++
			if !j.callersMaintain(fl, maintain, map[string]bool{}) {
				j.report(s, fl.statement(last.index), finding.Say("%s writes text through an alias, with no cache maintenance behind", fl.name()).
					Because("%s() maps the text a second time, writable (%s)", alias.Name, s.where(fl.Tokens[alias.At])).
					Because("neither %s nor a function that calls it maintains the instruction cache for the text's own address", fl.name()).
					Because("%s", staleCode).
					Do("Call caches_clean_inval_pou() over the text's own address behind the write, or use aarch64_insn_patch_text_nosync()"),
					note(s, fl.Tokens[alias.At], "the alias is made here"))
			}
		}
		stores := fl.stores()
		for _, x := range fl.calls {
			if x.Name != "set_memory_x" && x.Name != "set_memory_rox" || len(x.Args) == 0 || !fl.pointsInto(x.Args[0]) {
				continue
			}
			memory := fl.placeOf(x)
			into := slices.DeleteFunc(slices.Clone(stores), func(st store) bool { return apart(fl.placeStored(st), memory) })
			if len(into) == 0 {
				continue
			}
			n++
			last := into[len(into)-1]
			cached, early := false, false
			for _, c := range fl.calls {
				// A function of the input may maintain the caches for more than its argument.
				if maintain[c.Name] && !(cacheCalls[c.Name] && apart(fl.placeOf(c), memory)) {
					cached = cached || c.At > last.index
					early = true
				}
			}
			if cached {
				continue
			}
			why := "no instruction-cache maintenance comes after the last plain store (%s)"
			if early {
				why = "the instruction-cache maintenance comes before the last plain store (%s)"
			}
			j.report(s, fl.span(x), finding.Say("%s makes code executable with no cache maintenance after its last store", fl.name()).
				Because(why, s.where(last.at)).
				Because("%s", staleCode).
				Do("Call flush_icache_range() over all of the code before %s()", x.Name),
				note(s, fl.statement(last.index), "the last plain store"))
		}
	})
	if n == 0 {
		return notApplicable("nothing stores code and makes it executable in one function, or writes text through an alias")
	}
	return examined("%s", some(n, "function"))
})

// staleCode says why cache maintenance matters.
const staleCode = "a CPU may execute what its instruction cache held for these addresses before"

// isPatchingInterface has the kernel's own functions that write through the alias;
// those that call them maintain the caches.
var isPatchingInterface = map[string]bool{"__aarch64_insn_write": true, "aarch64_insn_write": true, "aarch64_insn_write_literal_u64": true}
