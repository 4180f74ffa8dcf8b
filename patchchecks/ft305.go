package patchchecks

import (
	"regexp"
	"slices"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// readOnlyName matches names of the address at which a generator's code will run, in
// contrast to the writable buffer in which the code is made: ctx->ro_image.
var readOnlyName = regexp.MustCompile(`^(->)?ro_(image|header|addr|buf|insns?|text|tramp\w*)$`)

// protected says why memory that a destination is in cannot be stored to at a token;
// "" if it can, as far as the function shows.
func (fl *flow) protected(to []patchscan.Token, at int) string {
	names, values := fl.trace(to, at)
	for _, c := range fl.calls {
		if c.At >= at {
			break
		}
		switch {
		case c.Name == "bpf_jit_binary_pack_alloc" && len(c.Args) > 4:
			// The second argument is the code's own address, the fifth the buffer's.
			if ro := c.Args[1]; len(ro) == 2 && ro[0].Text == "&" && names[ro[1].Text] {
				return "bpf_jit_binary_pack_alloc() gives `" + text(ro[1:]) + "` read-only and executable, and `" + text(c.Args[4]) + "` to write to"
			}
		case c.Name == "set_memory_ro" || c.Name == "set_memory_rox":
			if len(c.Args) == 0 || !fl.Always(c.At, at) || !mentions(c.Args[0], names) && !fl.sameMemory(c, names) {
				continue
			}
			again := slices.ContainsFunc(fl.calls, func(rw patchscan.Call) bool {
				return rw.Name == "set_memory_rw" && rw.At > c.At && rw.At < at && len(rw.Args) > 0 && (mentions(rw.Args[0], names) || fl.sameMemory(rw, names))
			})
			if !again {
				return c.Name + "() made it read-only before (" + fl.src.where(fl.Tokens[c.At]) + ")"
			}
		}
	}
	for _, v := range values {
		for i, t := range v {
			switch {
			case t.Text == "bpf_prog_pack_alloc" && i+1 < len(v) && v[i+1].Text == "(":
				return "bpf_prog_pack_alloc() gives memory that is read-only and executable"
			case t.Text == "EXECMEM_KPROBES":
				return "execmem_alloc(EXECMEM_KPROBES) gives memory that is read-only and executable"
			}
		}
	}
	for name := range names {
		if readOnlyName.MatchString(name) {
			return "the name says that `" + name + "` is the read-only address"
		}
	}
	return ""
}

// sameMemory reports whether the memory of which a call sets the permission comes
// from what the names come from.
func (fl *flow) sameMemory(c patchscan.Call, names map[string]bool) bool {
	for name := range fl.origins(c.Args[0], c.At) {
		if names[name] && fl.memory[name] {
			return true
		}
	}
	return false
}

// FT305 finds plain stores to memory for code that is read-only by then, or has been
// from the beginning: not to the writable alias, nor by the patching interface.
var FT305 = codeCheck("FT305", func(j *judge) tally {
	n := 0
	j.funcs(func(s *Source, fl *flow) {
		for _, st := range fl.storesTo(func([]patchscan.Token) bool { return true }) {
			to := fl.destination(st)
			why := fl.protected(to, st.index)
			if why == "" && atCallsite(to) && (to[0].Text == "*" || copiers[fl.Tokens[st.index].Text]) {
				why = "`rec->ip` is a callsite in kernel text, which is read-only"
			}
			if why == "" {
				if fl.pointsInto(to) {
					n++
				}
				continue
			}
			n++
			j.report(s, fl.statement(st.index), finding.Say("%s stores straight into read-only code memory", fl.name()).
				Because("the store is to `%s`", text(to)).
				Because("%s", why).
				Because("the store faults, and the pages need not be writable for code to be written").
				Do("Write to the writable buffer before the pages are read-only, or use %s(), bpf_arch_text_copy() or %s()",
					j.Arch.Patching.Copy, j.Arch.Patching.Interface))
		}
	})
	if n == 0 {
		return notApplicable("nothing stores into memory for code")
	}
	return examined("%s", some(n, "store"))
})

// atCallsite reports whether tokens compute an address from rec->ip, where rec is a
// struct dyn_ftrace.
func atCallsite(tokens []patchscan.Token) bool {
	for i := 2; i < len(tokens); i++ {
		if tokens[i-2].Text == "rec" && tokens[i-1].Text == "->" && tokens[i].Text == "ip" {
			return true
		}
	}
	return false
}

// destination is what a store writes to.
func (fl *flow) destination(st store) []patchscan.Token {
	for _, c := range fl.calls {
		if c.At == st.index && copiers[c.Name] && len(c.Args) > 0 {
			return c.Args[0]
		}
	}
	for i := range fl.assigns {
		if a := &fl.assigns[i]; a.At == st.index {
			return base(a.Left)
		}
	}
	return nil
}
