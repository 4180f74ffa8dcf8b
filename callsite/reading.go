package callsite

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// A Reading is what the kernel makes of the callsite table of itself, or of a
// module's: ftrace_process_locs(), executed on a table of a few of the kernel's
// callsites, which descend, and of blank entries if the kernel's table has any.
type Reading struct {
	Fn      uint64   // address of ftrace_process_locs
	Sorts   bool     // it sorts the table
	Entries int      // number of entries that it was given
	Blank   []uint64 // those of them that are blank, as KASLR leaves them
	Diffs   []string // what it does otherwise than expected
	Err     error    // not nil: it could not be executed to the end; a *world.Lack where the image has nothing to execute
}

// Read executes how the kernel reads its own callsite table or, ofModule, one of
// the same callsites as that of a module. With an error, nothing is known of what
// it does otherwise; that it sorts may have been seen.
func (t *Table) Read(ofModule bool) *Reading {
	type key struct{}
	both := t.Image.Derived(key{}, func() any { return t.readings() }).([2]*Reading)
	if ofModule {
		return both[1]
	}
	return both[0]
}

// moved are the values that KASLR gives to a blank entry with a relocation: the
// distance by which it moves the image, a multiple of 64 KiB.
var moved = []uint64{0x20_0000, 0x3a5c_1821_0000}

// Names of the functions that reading the table calls. Suffixes that compilers
// give to copies are left out.
var (
	// sorters sort an array; its start, its length and the size of an element are
	// their first arguments.
	sorters = []string{"sort", "sort_nonatomic", "sort_r", "sort_r_nonatomic"}
	// inits make a callsite known to ftrace: of a struct dyn_ftrace, their second
	// argument.
	inits = []string{"ftrace_init_nop", "ftrace_make_nop"}
	// ofReading are parts of ftrace_process_locs, and are executed.
	ofReading = []string{"ftrace_update_code", "ftrace_allocate_pages", "ftrace_allocate_records", "ftrace_nop_initialize",
		"test_is_sorted", "is_kernel_text", "is_kernel_inittext", "core_kernel_text", "init_kernel_text", "in_gate_area_no_mm"}
	// allocators return memory, which is zero.
	allocators = []string{"kmalloc", "__kmalloc", "kzalloc", "kmem_cache_alloc", "__kmem_cache_alloc", "get_free_pages", "__get_free_pages", "get_zeroed_page"}
	// asides return nothing that the reading depends on.
	asides = []string{"mutex_lock", "mutex_unlock", "printk", "_printk", "__warn_printk", "__stack_chk_fail", "ftrace_now", "ftrace_free_pages",
		"ftrace_bug", "synchronize_rcu", "kfree", "free_pages", "trace_hardirqs_on", "trace_hardirqs_off", "dump_stack"}
	// checkers are calls that the compiler's sanitizers make.
	checkers = []string{"__sanitizer_", "__asan_", "__hwasan_", "__ubsan_", "__tsan_"}
)

// A reader executes ftrace_process_locs.
type reader struct {
	*Reading
	w      *world.World
	table  *Table
	start  uint64   // address of the table that is read
	sites  []Site   // that the table has
	known  []uint64 // addresses of the callsites that became known to ftrace
	strays string   // a function that was called and whose effect is not known
}

func (t *Table) readings() (both [2]*Reading) {
	fn, ok := processLocs(t.Image)
	r := &reader{table: t, sites: t.readable()}
	switch {
	case !ok:
		return bothLack("the image has no ftrace_process_locs, which reads the table")
	case len(r.sites) == 0:
		return bothLack("the kernel has no callsite in the text that it boots from")
	}
	r.w = world.New(t.Image)
	r.standIn(fn, map[uint64]bool{})
	for i, mod := range []uint64{0, r.w.Object(OpsSize)} {
		r.Reading = &Reading{Fn: fn.Addr}
		both[i] = r.Reading
		r.read(fn, mod)
	}
	return both
}

func bothLack(what string) [2]*Reading {
	r := &Reading{Err: &world.Lack{What: what}}
	return [2]*Reading{r, r}
}

// readable are a few of the kernel's callsites that it must make known to ftrace:
// in kernel text and in init text, with the words that compilers emit.
func (t *Table) readable() (sites []Site) {
	bounds := [][2]string{{"_stext", "_etext"}, {"_sinittext", "_einittext"}}
	for _, b := range bounds {
		lo, ok1 := t.Image.Addr(b[0])
		hi, ok2 := t.Image.Addr(b[1])
		from, _ := slices.BinarySearch(t.Addrs, lo)
		to, _ := slices.BinarySearch(t.Addrs, hi)
		if !ok1 || !ok2 || from >= to {
			continue
		}
		step := max(1, (to-from)/3)
		for i := from; i < to; i += step {
			if s := t.Site(t.Addrs[i]); s.OK && s.Text && s.Saved < 0 && (t.Shape.Literal == 0 || s.Entry%8 == 0) {
				sites = append(sites, s)
			}
		}
	}
	slices.SortFunc(sites, func(a, b Site) int { return cmp.Compare(a.Entry, b.Entry) })
	return slices.CompactFunc(sites, func(a, b Site) bool { return a.Entry == b.Entry })
}

// standIn makes stand-ins for what the function calls, and for what those of the
// callees call that are executed.
func (r *reader) standIn(fn elfscan.Symbol, seen map[uint64]bool) {
	seen[fn.Addr] = true
	// Functions at one address may have several names, functions of one name copies.
	named := func(names []string, name string, addr uint64) bool {
		return slices.ContainsFunc(names, func(n string) bool {
			a, ok := r.table.Image.Addr(n)
			return n == name || ok && a == addr
		})
	}
	begins := func(names []string, name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(name, n) })
	}
	for _, c := range CallsOf(r.table.Image, fn) {
		name, _, _ := strings.Cut(r.table.Image.Name(c.Target), ".")
		var f func(string)
		switch {
		case seen[c.Target], name == r.table.Arch.ReturnThunk, name == r.table.Shape.Tracer:
			continue
		case named([]string{"ftrace_call_adjust"}, name, c.Target):
			r.w.HookAt(c.Target, func() error { r.atAdjust(); return emu.ErrProceed })
			continue
		case named(ofReading, name, c.Target):
			if callee, ok := r.table.Image.SymbolAt(c.Target); ok && callee.Addr == c.Target {
				r.standIn(callee, seen)
			}
			continue
		case named(sorters, name, c.Target):
			f = r.sort
		case named(inits, name, c.Target):
			f = r.init
		case begins(allocators, name):
			f = func(string) { r.w.SetResult(r.w.Object(emu.PageSize)) }
		case named(asides, name, c.Target), begins(checkers, name):
			f = func(string) { r.w.SetResult(0) }
		default:
			f = func(name string) {
				r.strays = cmp.Or(r.strays, name)
				r.w.SetResult(0)
			}
		}
		seen[c.Target] = true
		r.w.HookAt(c.Target, func() error {
			f(name)
			r.w.Clobber()
			return nil
		})
	}
}

// read executes the function on a table of blank entries and of r.sites. mod is 0
// or the address of a struct module.
func (r *reader) read(fn elfscan.Symbol, mod uint64) {
	t := r.table
	if t.Blank > 0 && mod == 0 { // the build blanks no entries of modules
		r.Blank = []uint64{0}
		if t.Entries.FromRela+t.Entries.FromRelr > len(t.Entries.Values)-t.Blank {
			r.Blank = append(r.Blank, moved...)
		}
	}
	entries := slices.Clone(r.Blank)
	for _, s := range r.sites {
		entries = append(entries, s.Entry)
	}
	slices.Reverse(entries)
	r.Entries = len(entries)
	r.start = r.w.Object(uint64(len(entries)) * 8)
	for i, v := range entries {
		r.Err = errors.Join(r.Err, r.w.Mem.Write64(r.start+uint64(i)*8, v))
	}
	r.known, r.strays = nil, ""
	_, _, err := r.w.Execute(world.Subject{Name: fn.Name, Fn: fn.Addr, Args: []uint64{mod, r.start, r.start + uint64(len(entries))*8}})
	for _, f := range r.w.Faults {
		r.diff("it %s", f.What)
	}
	if first, _ := r.w.Mem.Read64(r.start); first != entries[0] {
		r.Sorts = true // in place, by itself
	}
	if proof := r.w.Astray(err); proof != "" && r.strays == "" {
		r.diff("it %s", proof)
		return
	}
	switch r.Err = errors.Join(r.Err, err); {
	case r.Err != nil:
		r.Err = fmt.Errorf("%s could not be executed to the end: %w", fn.Name, r.Err)
	case r.strays != "":
		r.Err = fmt.Errorf("%s calls %s, whose effect is not known", fn.Name, r.strays)
	default:
		r.compare()
	}
	if r.Err != nil {
		r.Diffs = nil
	}
}

func (r *reader) diff(format string, args ...any) {
	r.Diffs = append(r.Diffs, fmt.Sprintf(format, args...))
}

// sort is the stand-in for what sorts an array.
func (r *reader) sort(name string) {
	if r.w.Arg(0) != r.start || r.w.Arg(1) != uint64(r.Entries) || r.w.Arg(2) != 8 {
		r.diff("it calls %s for %s of %s at %#x, %d of 8 at %#x were expected", name, plural.Of(r.w.Arg(1), "element"), plural.Of(r.w.Arg(2), "byte"), r.w.Arg(0), r.Entries, r.start)
	}
	r.Sorts = true
}

// atAdjust checks what ftrace_call_adjust is given: it may read instructions there.
func (r *reader) atAdjust() {
	v := r.w.Arg(0)
	if slices.Contains(r.Blank, v) {
		r.diff("it has ftrace_call_adjust look at a blank entry, %#x, where no text is", v)
	}
}

// init is the stand-in for what makes a callsite known to ftrace.
func (r *reader) init(name string) {
	if ip, err := r.w.Mem.Read64(r.w.Arg(1)); err != nil {
		r.diff("it gives %s %#x, which is not the address of a struct dyn_ftrace", name, r.w.Arg(1))
	} else {
		r.known = append(r.known, ip)
	}
	r.w.SetInt(0)
}

// compare compares the callsites that became known with those that should have.
func (r *reader) compare() {
	im := r.table.Image
	for _, ip := range r.known {
		if !slices.ContainsFunc(r.sites, func(s Site) bool { return s.Call == ip }) {
			r.diff("it makes a callsite at %s, where none is", im.At(ip))
		}
	}
	for _, s := range r.sites {
		if !slices.Contains(r.known, s.Call) {
			r.diff("it makes no callsite at %s, for which there is the entry %s", im.At(s.Call), im.At(s.Entry))
		}
	}
}

// processLocs is ftrace_process_locs(), or what the compiler made of it.
func processLocs(kernel *elfscan.Image) (fn elfscan.Symbol, ok bool) {
	const name = "ftrace_process_locs"
	if fn, ok = kernel.Lookup(name); !ok {
		kernel.EachSymbol(func(_ uint64, n []byte, typ elf.SymType) bool {
			if typ == elf.STT_FUNC && strings.HasPrefix(string(n), name+".") && !strings.HasSuffix(string(n), ".cold") {
				fn, ok = kernel.Lookup(string(n))
			}
			return !ok
		})
	}
	return fn, ok && fn.Size > 0 && kernel.IsText(fn.Addr)
}

// A BranchOut is a branch out of a function.
type BranchOut struct{ At, Target uint64 }

// CallsOf are the direct calls in the body of fn, by address.
func CallsOf(im *elfscan.Image, fn elfscan.Symbol) (out []BranchOut) {
	for pc := fn.Addr; pc < fn.End(); {
		in, ok := im.Insn(pc)
		if !ok {
			break
		}
		if in.Flow == arch.Calls || in.Flow == arch.Jumps && (in.Target < fn.Addr || in.Target >= fn.End()) {
			out = append(out, BranchOut{pc, in.Target})
		}
		pc += in.Size
	}
	return out
}
