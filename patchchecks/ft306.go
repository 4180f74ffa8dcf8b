package patchchecks

import (
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
)

// cacheCalls are the functions that make instruction caches coherent with stores.
var cacheCalls = map[string]bool{
	"flush_icache_range": true, "__flush_icache_range": true, "caches_clean_inval_pou": true, "caches_clean_inval_pou_macro": true,
	"sync_icache_aliases": true, "bpf_flush_icache": true, "flush_icache_user_range": true, "icache_inval_all_pou": true,
	"icache_inval_pou": true, "__flush_cache_user_range": true,
	// These functions do that for everything they write.
	"aarch64_insn_copy": true, "aarch64_insn_set": true, "text_poke_copy": true,
}

// FT306 finds code that becomes executable with no cache maintenance behind
// the last plain store.
var FT306 = check("FT306", func(j *judge) finding.Outcome {
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
		stores := fl.stores()
		for _, x := range fl.calls {
			if x.Name != "set_memory_x" && x.Name != "set_memory_rox" || len(x.Args) == 0 || !fl.pointsInto(x.Args[0]) || len(stores) == 0 {
				continue
			}
			n++
			last := stores[len(stores)-1]
			cached, early := false, false
			for _, c := range fl.calls {
				if maintain[c.Name] {
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
				Because("a CPU may execute what its instruction cache held for these addresses before").
				Do("Call flush_icache_range() over all of the code before %s()", x.Name),
				note(s, fl.statement(last.index), "the last plain store"))
		}
	})
	if n == 0 {
		return notApplicable("nothing stores code and makes it executable in one function")
	}
	return examined("%s", plural.Of(n, "function"))
})
