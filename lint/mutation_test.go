package lint_test

import (
	"fmt"
	"go/token"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/mutants"
	"github.com/ftlint/ftlint/internal/race"
)

// The score that the checks must reach: mutants that are caught, of all that
// change something, in per cent. That of a sample may be less by chance.
const (
	wantScore       = 98
	wantSampleScore = 94
)

// sampleEvery is how many mutants there are to each that is tried where time
// is short: with -short. Under the race detector, which makes all ten times
// slower, there are as many more.
const sampleEvery = 7

// mutationRules look at entry code, site functions and callsites.
var mutationRules = []string{"FT102", "FT106", "FT113", "FT114", "FT206", "FT401", "FT406", "FT408", "FT409", "FT411"}

// hookRules look at the functions by which the core of ftrace drives the
// architecture.
var hookRules = []string{"FT114", "FT117"}

// A helper is functions whose names begin with prefix; of those that are not
// whole, what is executed counts.
type helper struct {
	prefix string
	whole  bool
}

// helperPrefixes are the beginnings of names of what siteNames call and is mutated
// as well: the rest of ftrace's own code in whole, of the makers of
// instructions what is executed.
var helperPrefixes = []helper{
	{"ftrace_find_callable_addr", true}, {"arm64_rec_", true}, {"ftrace_modify_code", true}, {"ftrace_rec_", true},
	{"get_ftrace_plt", true}, {"reachable_by_bl", true}, {"aarch64_insn_gen_", false}, {"aarch64_insn_encode_", false},
	{"label_imm_common", false}, {"branch_imm_common", false}, {"aarch64_get_imm_shift_mask", false},
}

// TestMutation changes the entry code and the site functions of real kernels
// in memory, one instruction at a time, and counts how many of the changes
// the checks notice. With -short it is trixie's kernel alone: its entry code, its
// site functions and its loader.
func TestMutation(t *testing.T) {
	if race.Enabled {
		t.Skip("SKIPPED: under the race detector: scripts/test has a step for it")
	}
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			if suite.name == "sid" {
				t.Skip("as forky")
			}
			if testing.Short() && suite.name != "trixie" {
				t.Skip("SKIPPED: -short")
			}
			dir := needKernel(t, suite.name, suite.inCI)
			mutate(t, bench{path: filepath.Join(dir, "vmlinux"), rules: mutationRules, units: siteUnits, play: playSite, local: true})
			// Of the module loader, what writes PLT entries for ftrace: beside that,
			// module_finalize() applies alternatives, which is not executed, and
			// module_frob_arch_sections() counts relocations. That of samples makes
			// room for PLT entries and nothing else.
			t.Run("hooks", func(t *testing.T) {
				mutate(t, bench{path: filepath.Join(dir, "vmlinux"), rules: hookRules, units: hooksIn, play: playHook})
			})
			t.Run("loader", func(t *testing.T) {
				mutate(t, bench{path: filepath.Join(dir, "vmlinux"), rules: []string{"FT409"}, units: functionUnits(true, "module_finalize", "get_plt_entry"), play: playLoader})
			})
			// What counts branches and writes their PLT entries: the oracle executes it on
			// hundreds of modules, which takes long.
			// Of 5.10 one that is tried is missed, and does no harm: a MOVK for the MOV of the flags of
			// PLTs, which leaves bits in the upper part that the kernel does not look at.
			t.Run("plts", func(t *testing.T) {
				if testing.Short() {
					t.Skip("SKIPPED: -short")
				}
				mutate(t, bench{path: filepath.Join(dir, "vmlinux"), rules: []string{"FT208", "FT409"}, every: 20, play: playRoom,
					units: functionUnits(true, "module_frob_arch_sections", "module_emit_plt_entry", "module_emit_veneer_for_adrp", "module_init_layout_section")})
			})
		})
	}
}

// A bench is code that is mutated, and what is to notice.
type bench struct {
	path   string
	module string   // that is judged as one of the image's, too; "" for none
	rules  []string // nil for all
	every  int      // how many mutants there are to each that is tried; 0 for all
	// exhaustive is the user's choice: without BTF, as in samples, callsites of
	// modules that are out of reach are executed then alone.
	exhaustive bool
	units      func(im *elfscan.Image) []*unit
	// play executes the units' functions in a random world.
	play func(*worlds)
	// local has the oracle look at single instructions, too, in what it knows of
	// kernels: entry code has no functions to execute.
	local bool
}

// A fate is what became of a mutant.
type fate struct {
	unit   *unit
	mutant mutants.Mutant
	found  bool   // a rule finds something that the kernel does not have
	stuck  bool   // a rule becomes inconclusive
	why    string // nothing is noticed: why that is right, or ""
	never  bool   // likewise: the instruction is not executed
	// asked tells that something is noticed, and that the oracle was asked all
	// the same: claim is what it says.
	asked bool
	claim string
	// outside tells that it does not count: no callsite needs the instruction.
	outside bool
}

// A subject is a kernel image of one worker's own.
type subject struct {
	im    *elfscan.Image
	mod   *elfscan.Image // a module of the kernel; nil for none
	list  []*analysis.Analyzer
	keeps map[*analysis.Analyzer]any // results that no mutant changes
	ofMod map[*analysis.Analyzer]any // the same of the module
	finds map[string]bool            // of the kernel as it is: rule and message
	stuck map[string]bool
	// executed tells of instructions whether they are, as far as it is known.
	executed map[uint64]bool
	worlds   *worlds
}

func newSubject(t *testing.T, b bench) *subject {
	im, err := elfscan.Open(b.path, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { im.Close() })
	im.AddTo(token.NewFileSet())
	s := &subject{im: im, finds: map[string]bool{}, stuck: map[string]bool{}, executed: map[uint64]bool{}}
	for _, c := range checks.All {
		if b.rules == nil || slices.Contains(b.rules, c.Name) {
			s.list = append(s.list, c)
		}
	}
	kept := func(im *elfscan.Image) map[*analysis.Analyzer]any {
		keeps := map[*analysis.Analyzer]any{checks.Image: im, checks.Options: checks.Settings{Exhaustive: b.exhaustive}}
		for _, a := range []*analysis.Analyzer{checks.Sites, checks.Types} {
			res, err := a.Run(&analysis.Pass{Analyzer: a, ResultOf: keeps})
			if err != nil {
				t.Fatal(err)
			}
			keeps[a] = res
		}
		return keeps
	}
	s.keeps = kept(im)
	if b.module != "" {
		if s.mod, err = elfscan.OpenModule(b.module, elfscan.ModuleOptions{Kernel: im}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.mod.Close() })
		s.mod.AddTo(token.NewFileSet())
		s.ofMod = kept(s.mod)
	}
	finds, stuck, err := s.lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range finds {
		s.finds[f] = true
	}
	for _, f := range stuck {
		s.stuck[f] = true
	}
	return s
}

// lint is what the checks find in the image as it stands, and which of them
// reach no verdict. The driver would read the callsite table and the types
// anew each time.
func (s *subject) lint() (finds, stuck []string, err error) {
	if finds, stuck, err = s.judge(s.keeps); err != nil || s.mod == nil {
		return finds, stuck, err
	}
	ofMod := maps.Clone(s.ofMod)
	ofMod[checks.InKernel] = checks.NewModuleKernel(s.im)
	more, unsure, err := s.judge(ofMod)
	return append(finds, more...), append(stuck, unsure...), err
}

// judge is lint of the image that results are of.
func (s *subject) judge(keeps map[*analysis.Analyzer]any) (finds, stuck []string, err error) {
	results := maps.Clone(keeps)
	var run func(a *analysis.Analyzer) (any, error)
	run = func(a *analysis.Analyzer) (any, error) {
		if res, ok := results[a]; ok {
			return res, nil
		}
		pass := &analysis.Pass{Analyzer: a, ResultOf: map[*analysis.Analyzer]any{}}
		pass.Report = func(d analysis.Diagnostic) { finds = append(finds, a.Name+" "+d.Message) }
		for _, dep := range a.Requires {
			res, err := run(dep)
			if err != nil {
				return nil, err
			}
			pass.ResultOf[dep] = res
		}
		res, err := a.Run(pass)
		results[a] = res
		if o, ok := res.(finding.Outcome); ok && o.Status == finding.Inconclusive {
			stuck = append(stuck, a.Name)
		}
		return res, err
	}
	for _, a := range s.list {
		if _, err := run(a); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", a.Name, err)
		}
	}
	return finds, stuck, nil
}

// try puts words at addr and tells what is noticed. The image is then as it
// was; before is called while it is not, with whether something is noticed.
func (s *subject) try(addr uint64, words []uint32, before func(noticed bool)) (found, stuck bool, err error) {
	var old []uint32
	for i, w := range words {
		a := addr + uint64(i)*a64.Size
		was, _ := s.im.Word(a)
		old = append(old, was)
		if err := s.im.SetWord(a, w); err != nil {
			return false, false, err
		}
	}
	finds, unsure, err := s.lint()
	for _, f := range finds {
		found = found || !s.finds[f]
	}
	for _, f := range unsure {
		stuck = stuck || !s.stuck[f]
	}
	if before != nil {
		before(found || stuck)
	}
	for i, w := range old {
		if err := s.im.SetWord(addr+uint64(i)*a64.Size, w); err != nil {
			return false, false, err
		}
	}
	return found, stuck, err
}

// executes tells whether the checks execute the instruction at addr: one that
// does not exist stops them where they come to it.
func (s *subject) executes(t *testing.T, addr uint64) bool {
	known, ok := s.executed[addr]
	if !ok {
		const udf = 0
		found, stuck, err := s.try(addr, []uint32{udf}, nil)
		if err != nil {
			t.Error(err)
		}
		known = found || stuck
		s.executed[addr] = known
	}
	return known
}

// siteUnits are the entry code and the site functions.
func siteUnits(im *elfscan.Image) []*unit {
	entry := entry.Walk(im)
	code := &unit{name: "entry code", entry: true, words: map[uint64]uint32{}, order: entry.Order}
	for _, a := range entry.Order {
		code.words[a], _ = im.Word(a)
	}
	out := append([]*unit{code}, gather(im, siteNames, func(callee elfscan.Symbol) bool {
		return slices.ContainsFunc(helperPrefixes, func(h helper) bool { return strings.HasPrefix(callee.Name, h.prefix) })
	})...)
	for _, u := range out {
		u.analyse(im)
		u.returnsBool(out, im)
	}
	return out
}

// whole tells whether all of the unit counts, and not only what is executed.
func (u *unit) whole() bool {
	for _, h := range helperPrefixes {
		if strings.HasPrefix(u.name, h.prefix) {
			return h.whole
		}
	}
	return !u.part
}

// label is the function that an address counts for in the table.
func (u *unit) label(im *elfscan.Image, a uint64) string {
	if !u.entry {
		return u.name
	}
	name, _, _ := strings.Cut(im.Name(a), "+")
	return name
}

// mutate tries the mutants of a bench, and tells what became of them.
func mutate(t *testing.T, bn bench) (sum tally) {
	began := time.Now()
	subjects := make([]*subject, max(1, min(runtime.GOMAXPROCS(0), 4)))
	for i := range subjects {
		subjects[i] = newSubject(t, bn)
	}
	im := subjects[0].im
	sites := subjects[0].keeps[checks.Sites].(*checks.SiteTable)
	callsite := map[uint64]bool{}
	for _, s := range sites.Callsites {
		for a := s.Entry; a <= s.Call; a += a64.Size {
			callsite[a] = true
		}
	}
	all := bn.units(im)
	boolean := ""
	for _, u := range all {
		if u.bool01 {
			boolean = u.name
		}
	}

	// each has the workers do what there is to do.
	each := func(n int, do func(s *subject, o *oracle, i int) error) {
		var wg sync.WaitGroup
		var next atomic.Int64
		for _, s := range subjects {
			wg.Go(func() {
				o := &oracle{local: bn.local, im: s.im, sites: sites.Table, bti: sites.BTI > 0, boolean: boolean}
				o.executes = func(addr uint64) bool { return s.executes(t, addr) }
				if s.worlds == nil {
					s.worlds = newWorlds(t, s.im, bn.play, sites.Callsites)
				}
				o.worlds = s.worlds
				for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
					o.rand = rand.New(rand.NewPCG(1, uint64(i)))
					if err := do(s, o, i); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}

	var fates []fate
	for _, u := range all {
		for _, a := range u.order {
			if u.words[a] == a64.NOP || callsite[a] { // a callsite's words are FT401's
				continue
			}
			next, ok := u.words[a+a64.Size]
			for _, m := range mutants.Of(a, u.words[a], next, ok && !callsite[a+a64.Size]) {
				fates = append(fates, fate{unit: u, mutant: m})
			}
		}
	}
	total := len(fates)
	want, every := float64(wantScore), max(bn.every, 1)
	if testing.Short() {
		every = sampleEvery
	}
	if every > 1 {
		want = wantSampleScore
	}
	pick := rand.New(rand.NewPCG(2, 3))
	fates = slices.DeleteFunc(fates, func(fate) bool { return pick.IntN(every) != 0 })
	each(len(fates), func(s *subject, o *oracle, i int) error {
		f := &fates[i]
		last := f.mutant.Addr + uint64(len(f.mutant.Words)-1)*a64.Size
		if !f.unit.whole() && !(o.executes(f.mutant.Addr) && o.executes(last)) {
			f.outside = true
			return nil
		}
		var err error
		f.found, f.stuck, err = s.try(f.mutant.Addr, f.mutant.Words, func(noticed bool) {
			switch {
			case !noticed:
				f.why = o.equivalent(f.unit, &f.mutant)
				f.never = f.why == "" && !o.executes(f.mutant.Addr)
			case i%sampleEvery == 0:
				f.asked, f.claim = true, o.equivalent(f.unit, &f.mutant)
			}
		})
		return err
	})
	fates = slices.DeleteFunc(fates, func(f fate) bool { return f.outside })
	if t.Failed() {
		return sum
	}
	sum = tabulate(t, im, fates)
	score := sum.score()
	limit := 1
	if !bn.local { // a store of what is there already, a word that is overwritten later
		limit = 3
	}
	judgeOracle(t, im, fates, limit)
	t.Logf("%s: %d of %d mutants tried in %.1f s", bn.path, len(fates), total, time.Since(began).Seconds())
	if score < want {
		t.Errorf("%.1f %% of the mutants that change something are caught, want %.0f %%", score, want)
	}
	return sum
}

// judgeOracle asks whether the oracle is to be trusted: what it says of
// mutants that are caught must not be that they change nothing. Where a check
// is stricter than what the oracle takes for the contract, it may: limit says
// of how many in a hundred.
func judgeOracle(t *testing.T, im *elfscan.Image, fates []fate, limit int) {
	asked, wrong := 0, 0
	for i := range fates {
		f := &fates[i]
		if f.asked {
			asked++
		}
		switch f.claim {
		case "", whyFP, whyPAC, whyWriter, whySlot, whyProtector, whyPadding:
			continue
		}
		wrong++
		t.Logf("caught, but the oracle says %q: %s %v", f.claim, im.Name(f.mutant.Addr), &f.mutant)
	}
	t.Logf("the oracle was asked about %d mutants that are caught, and wrong about %d", asked, wrong)
	if wrong*100 > limit*max(asked, 100) {
		t.Errorf("the oracle says of %d mutants of %d that they change nothing, and they are caught", wrong, asked)
	}
}

// A tally counts fates.
type tally struct {
	mutants, found, stuck, missed int
	why                           map[string]int
}

func (c *tally) add(f *fate) {
	c.mutants++
	switch {
	case f.found:
		c.found++
	case f.stuck:
		c.stuck++
	case f.why != "":
		if c.why == nil {
			c.why = map[string]int{}
		}
		c.why[f.why]++
	default:
		c.missed++
	}
}

// plus adds another tally, but for the reasons.
func (c *tally) plus(o tally) {
	c.mutants += o.mutants
	c.found += o.found
	c.stuck += o.stuck
	c.missed += o.missed
}

func (c *tally) score() float64 {
	if n := c.found + c.stuck + c.missed; n > 0 {
		return 100 * float64(c.found+c.stuck) / float64(n)
	}
	return 100
}

func (c *tally) row(name string) string {
	equal := c.mutants - c.found - c.stuck - c.missed
	return fmt.Sprintf("%-56s %7d %7d %12d %10d %6d %6.1f %%\n", name, c.mutants, c.found, c.stuck, equal, c.missed, c.score())
}

// tabulate prints what became of the mutants, and counts them.
func tabulate(t *testing.T, im *elfscan.Image, fates []fate) (sum tally) {
	by := map[string]*tally{}
	var order []string
	var missed []string
	for i := range fates {
		f := &fates[i]
		name := f.unit.label(im, f.mutant.Addr)
		if by[name] == nil {
			by[name] = &tally{}
			order = append(order, name)
		}
		by[name].add(f)
		sum.add(f)
		if !f.found && !f.stuck && f.why == "" {
			was, now := "", ""
			for j, w := range f.mutant.Words {
				a := f.mutant.Addr + uint64(j)*a64.Size
				was += "; " + a64.Text(f.unit.words[a], a, im.Name)
				now += "; " + a64.Text(w, a, im.Name)
			}
			note := ""
			if f.never {
				note = " (never executed)"
			}
			missed = append(missed, fmt.Sprintf("%#x %s: %s: `%s` for `%s`%s", f.mutant.Addr, im.Name(f.mutant.Addr), f.mutant.How, now[2:], was[2:], note))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-56s %7s %7s %12s %10s %6s %8s\n", "function", "mutants", "finding", "inconclusive", "equivalent", "missed", "score")
	for _, name := range order {
		b.WriteString(by[name].row(name))
	}
	b.WriteString(sum.row("all"))
	b.WriteString("\nequivalent, because:\n")
	for _, why := range slices.Sorted(maps.Keys(sum.why)) {
		fmt.Fprintf(&b, "%6d  %s\n", sum.why[why], why)
	}
	fmt.Fprintf(&b, "\nmissed: %d\n", len(missed))
	for _, m := range missed {
		fmt.Fprintf(&b, "  %s\n", m)
	}
	t.Log(b.String())
	if name := os.Getenv("FTLINT_MUTATION"); name != "" { // for humans: every fate
		var b strings.Builder
		for i := range fates {
			f := &fates[i]
			fmt.Fprintf(&b, "%v %s found=%v stuck=%v why=%q\n", &f.mutant, im.Name(f.mutant.Addr), f.found, f.stuck, f.why)
		}
		if err := os.WriteFile(name, []byte(b.String()), 0o666); err != nil {
			t.Error(err)
		}
	}
	return sum
}
