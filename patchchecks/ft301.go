package patchchecks

import (
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// setsReadOnly reports whether a function other than fl makes memory for code
// read-only.
func (j *judge) setsReadOnly(fl *flow) (found bool) {
	j.funcs(func(_ *Source, other *flow) {
		for _, c := range other.calls {
			if other != fl && (c.Name == "set_memory_ro" || c.Name == "set_memory_rox") && len(c.Args) > 0 && other.pointsInto(c.Args[0]) {
				found = true
			}
		}
	})
	return found
}

// FT301 finds memory for code that is writable and executable at once: it is made
// executable while it is writable, made writable while it is executable, or both
// from the beginning.
var FT301 = codeCheck("FT301", func(j *judge) tally {
	n := 0
	j.funcs(func(s *Source, fl *flow) {
		for _, x := range fl.calls {
			if born := fl.bornExecutable(x); born != "" {
				n++
				j.report(s, fl.span(x), finding.Say("%s allocates memory that is writable and executable", fl.name()).
					Because("%s", born).
					Because("%s", strayWrite).
					Do("Allocate with PAGE_KERNEL, write the code, then call set_memory_rox(); or use execmem_alloc()"))
				continue
			}
			if len(x.Args) == 0 {
				continue
			}
			switch x.Name {
			case "set_memory_x":
				if fl.pointsInto(x.Args[0]) {
					n++
					fl.executableWhileWritable(j, x)
				} else if rw, ok := fl.stateBefore(x); ok && rw.Name == "set_memory_rw" {
					n++
					j.report(s, fl.span(x), finding.Say("%s makes memory executable that is still writable", fl.name()).
						Because("set_memory_rw() made it writable (%s), and nothing makes it read-only before set_memory_x()", s.where(fl.Tokens[rw.At])).
						Because("%s", strayWrite).
						Do("Call set_memory_ro() before set_memory_x(), or set_memory_rox() in place of both"),
						note(s, fl.Tokens[rw.At], "writable from here on"))
				}
			case "set_memory_rw":
				if exec, ok := fl.stateBefore(x); ok && (exec.Name == "set_memory_x" || exec.Name == "set_memory_rox") {
					n++
					j.report(s, fl.span(x), finding.Say("%s makes memory writable that is still executable", fl.name()).
						Because("%s() made it executable (%s), and no set_memory_nx() comes before set_memory_rw()", exec.Name, s.where(fl.Tokens[exec.At])).
						Because("%s", strayWrite).
						Because(writesThrough, j.Arch.Patching.Interface).
						Do("Patch with %s(), or call set_memory_nx() first", j.Arch.Patching.Interface),
						note(s, fl.Tokens[exec.At], "executable from here on"))
				}
			}
		}
	})
	if n == 0 {
		return notApplicable("nothing makes allocated memory executable (set_memory_x)")
	}
	return examined("%s that make memory executable", some(n, "call"))
})

const (
	strayWrite    = "a stray write to these pages changes code, and an attacker's write is code"
	writesThrough = "patching needs no writable page: %s() writes to read-only text too"
)

// executableWhileWritable reports set_memory_x on memory that was allocated
// writable, unless the memory is read-only by then.
func (fl *flow) executableWhileWritable(j *judge, x patchscan.Call) {
	s := fl.src
	why := "no set_memory_ro() comes before set_memory_x()"
	var related []analysis.RelatedInformation
	readOnly := len(fl.given) > 0 && j.setsReadOnly(fl) // another function that has the memory sets that
	memory := fl.placeOf(x)
	for _, ro := range fl.calls {
		if (ro.Name != "set_memory_ro" && ro.Name != "set_memory_rox") || len(ro.Args) == 0 || !fl.pointsInto(ro.Args[0]) || apart(fl.placeOf(ro), memory) {
			continue
		}
		switch {
		case fl.Always(ro.At, x.At):
			readOnly = true
		case ro.At < x.At:
			why = "set_memory_ro() comes before set_memory_x() on some paths alone"
			related = append(related, note(s, fl.Tokens[ro.At], "read-only here, under a condition"))
		default:
			why = "set_memory_ro() comes after set_memory_x()"
			related = append(related, note(s, fl.Tokens[ro.At], "read-only here"))
		}
	}
	if rw, ok := fl.stateBefore(x); ok && rw.Name == "set_memory_rw" {
		readOnly, why = false, "set_memory_rw() comes between set_memory_ro() and set_memory_x()"
		related = append(related, note(s, fl.Tokens[rw.At], "writable again here"))
	}
	if readOnly {
		return
	}
	j.report(s, fl.span(x), finding.Say("%s makes memory executable that is still writable", fl.name()).
		Because("the memory was allocated writable, and %s", why).
		Because("%s", strayWrite).
		Because(writesThrough, j.Arch.Patching.Interface).
		Do("Call set_memory_ro() before set_memory_x(), or set_memory_rox() in place of both"), related...)
}

// stateBefore is the last call before x that sets the other permission of x's memory:
// whether the memory is writable, if x makes it executable, and whether it is
// executable, if x makes it writable. ok is false if there is no such call.
func (fl *flow) stateBefore(x patchscan.Call) (last patchscan.Call, ok bool) {
	of := []string{"set_memory_ro", "set_memory_rw", "set_memory_rox"}
	if x.Name == "set_memory_rw" {
		of = []string{"set_memory_x", "set_memory_nx", "set_memory_rox"}
	}
	names, memory := fl.origins(x.Args[0], x.At), fl.placeOf(x)
	for _, c := range fl.calls {
		if c.At >= x.At {
			break
		}
		for _, name := range of {
			if c.Name == name && len(c.Args) > 0 && fl.Always(c.At, x.At) && mentions(c.Args[0], names) && !apart(fl.placeOf(c), memory) {
				last, ok = c, true
			}
		}
	}
	return last, ok
}

// bornExecutable says how the call makes memory that is writable and executable at
// once; "" if it does not.
func (fl *flow) bornExecutable(c patchscan.Call) string {
	if c.Name == "vmalloc_exec" {
		return "vmalloc_exec() gives memory with both permissions"
	}
	if !mappers[c.Name] {
		return ""
	}
	for _, arg := range c.Args {
		_, values := fl.trace(arg, c.At)
		for _, t := range slices.Concat(values...) {
			if strings.HasPrefix(t.Text, "PAGE_KERNEL_EXEC") {
				return c.Name + "() maps it with " + short(t.Text) + ", which has both permissions"
			}
		}
	}
	return ""
}

// mappers are the functions that map memory with the permissions of an argument.
var mappers = map[string]bool{
	"__vmalloc_node_range": true, "__vmalloc": true, "__vmalloc_node": true, "vmap": true, "vmap_pfn": true, "ioremap_prot": true,
	"map_kernel_range": true, "map_vm_area": true, "vmap_pages_range": true,
}
