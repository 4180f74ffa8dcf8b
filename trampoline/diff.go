package trampoline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// A DiffKind says how a trampoline differs from the model.
type DiffKind uint8

const (
	MissesReturn DiffKind = iota // FT103
	PastReturn                   // FT105
	Escapes                      // FT106
	OpsWrong                     // FT108
	Misaligned                   // FT109
	Unreachable                  // FT110
	WrongSlot                    // FT111
	Unexplained                  // FT116
	Misconduct                   // FT116, in any situation: what no builder may do
)

// A Diff is a difference of a trampoline from the model.
type Diff struct {
	Kind   DiffKind
	At     uint64   // address of the difference, usually in the trampoline
	Origin uint64   // address in the template of the instruction that belongs there; 0: none
	Where  string   // Origin in words
	PC     uint64   // address of the builder's instruction that wrote there; 0: none did
	What   string   // the difference in a few words
	Facts  []string // what proves it
}

// built are the words of the trampoline from its start to the end of its memory,
// but at most 64 more than the model has.
func (r *Run) built(m *Model) []uint32 {
	var words []uint32
	for i := range len(m.Insns) + 64 {
		w, ok := r.Word(r.Trampoline + uint64(i)*a64.Size)
		if !ok {
			break
		}
		words = append(words, w)
	}
	return words
}

// Costs of aligning words with instructions of the model. The cheapest alignment is
// taken.
const (
	costKept    = 1 // the instruction stands there as it was, and should be rewritten
	costNop     = 1 // a NOP too many
	costMissing = 2
	costExtra   = 2
	costOther   = 3 // another instruction in its place
)

// align gives for each instruction of the model the index of its word in the
// trampoline, or -1 if the trampoline lacks it.
func align(m *Model, r *Run) []int {
	words := r.built(m)
	n, k := len(m.Insns), len(words)
	// cost[i][j]: of making the first j words out of the first i instructions.
	cost := make([][]int, n+1)
	for i := range cost {
		cost[i] = make([]int, k+1)
	}
	extra := func(i, j int) int { // word j behind instruction i-1
		switch {
		case a64.Classify(words[j]) == a64.Landing && j == 0:
			return 0
		case words[j] == a64.NOP:
			return costNop
		}
		return costExtra
	}
	missing := func(i int) int {
		if m.Insns[i].Role.optional() {
			return 0
		}
		return costMissing
	}
	for i := 0; i <= n; i++ {
		for j := 0; j <= k; j++ {
			switch {
			case i == 0 && j == 0:
			case i == 0:
				cost[i][j] = cost[i][j-1] + extra(i, j-1)
			case j == 0:
				cost[i][j] = cost[i-1][j] + missing(i-1)
			default:
				cost[i][j] = min(cost[i-1][j-1]+m.mismatch(r, i-1, words[j-1], r.Trampoline+uint64(j-1)*a64.Size),
					cost[i-1][j]+missing(i-1), cost[i][j-1]+extra(i, j-1))
			}
		}
	}
	end := 0 // number of words that are code: the model does not have those behind
	for j := range k + 1 {
		if cost[n][j] < cost[n][end] {
			end = j
		}
	}
	place := make([]int, n)
	for i, j := n, end; i > 0; {
		switch {
		case j > 0 && cost[i][j] == cost[i-1][j-1]+m.mismatch(r, i-1, words[j-1], r.Trampoline+uint64(j-1)*a64.Size):
			i, j = i-1, j-1
			place[i] = j
		case cost[i][j] == cost[i-1][j]+missing(i-1):
			i--
			place[i] = -1
		default:
			j--
		}
	}
	return place
}

// mismatch is the cost of having the word w at addr for instruction i. The targets
// of PC-relative instructions do not count.
func (m *Model) mismatch(r *Run, i int, w uint32, addr uint64) int {
	insn := m.Insns[i]
	kind := a64.Classify(w)
	good, kept := false, w == insn.Word
	switch insn.Role {
	case Join, OpPage:
		good = w == a64.NOP
	case OpLoad:
		good = kind == a64.LDRLit && a64.Rd(w) == 2
		kept = kept || kind == a64.LDRLit || kind == a64.Break
	case CallSlot:
		to, _ := a64.Target(w, addr)
		good = kind == a64.Call && to == r.Func
		kept = kind == a64.Call || kind == a64.Nop || kind == a64.Break || slices.Contains(Aliens, w)
	case GraphSlot:
		good = kind == a64.Nop || kind == a64.Branch
		kept = kind == a64.Call || kind == a64.Break || slices.Contains(Aliens, w)
	default:
		good = kept || kind.IsPCRelative() && sameButOffset(w, insn.Word)
	}
	switch {
	case good:
		return 0
	case kept:
		return costKept
	}
	return costOther
}

// sameButOffset reports whether two PC-relative instructions are the same but for
// their targets.
func sameButOffset(a, b uint32) bool {
	a, err1 := a64.Relocate(a, 0, 0)
	b, err2 := a64.Relocate(b, 0, 0)
	return err1 == nil && err2 == nil && a == b
}

// compare compares the trampoline of the run with the model.
func (t *builder) compare(r *Run) {
	m := t.all.Model(r)
	if m == nil || r.Trampoline == 0 {
		return
	}
	if r.Area(r.Trampoline) == nil {
		r.Diffs = append(r.Diffs, Diff{Kind: Unexplained, At: r.Trampoline, PC: t.all.Builder,
			What:  "ops->trampoline points outside the memory that the builder has allocated",
			Facts: []string{fmt.Sprintf("ops->trampoline is %#x", r.Trampoline)}})
		return
	}
	c := &comparison{im: t.Image, m: m, r: r, words: r.built(m), place: align(m, r), used: map[int]bool{}}
	if i := c.indexOf(CallSlot); i >= 0 {
		r.CallAt = c.at(i)
	}
	if i := c.indexOf(GraphSlot); i >= 0 {
		r.GraphAt = c.at(i)
	}
	r.Code = c.codeSize(m.Offsets(false))
	c.opLoad()
	c.slots()
	c.instructions()
	c.tail()
	if r.Situation == Near {
		c.rest()
	}
}

// A comparison finds the differences of one trampoline from the model.
type comparison struct {
	im    *elfscan.Image
	m     *Model
	r     *Run
	words []uint32     // of the trampoline
	place []int        // see align
	used  map[int]bool // by index of a word: a difference explains it
}

// at is the address of the word at index.
func (c *comparison) at(index int) uint64 { return c.r.Trampoline + uint64(index)*a64.Size }

// find adds a difference, with the builder's instruction that wrote to addr.
func (c *comparison) find(kind DiffKind, addr, origin uint64, what string, facts ...string) {
	d := Diff{Kind: kind, At: addr, Origin: origin, What: what, Facts: facts}
	if origin != 0 {
		d.Where = c.label(origin)
	}
	if e := c.r.Writer(addr); e != nil {
		d.PC = e.PC
	}
	c.r.Diffs = append(c.r.Diffs, d)
}

// text is the word at index in the assembler's words.
func (c *comparison) text(index int) string {
	return "`" + a64.Text(c.words[index], c.at(index), c.name) + "`"
}

// name is an address in words: the callback, a place in the trampoline, or a place
// in the image.
func (c *comparison) name(addr uint64) string {
	switch a := c.r.Area(addr); {
	case addr == c.r.Func:
		return "the callback"
	case a != nil:
		return c.offset(addr)
	}
	return c.im.Name(addr)
}

// offset is an address in the trampoline, in words.
func (c *comparison) offset(addr uint64) string {
	return fmt.Sprintf("trampoline+%#x", addr-c.r.Trampoline)
}

// label is an address of the template in words, by the label of its region. The
// nearest symbol may be another one, such as an end label.
func (c *comparison) label(origin uint64) string {
	for _, r := range []*Region{c.m.Entry, c.m.Common} {
		if r.Contains(origin) {
			return fmt.Sprintf("%s+%#x", r.Label, origin-r.Start)
		}
	}
	return c.im.Name(origin)
}

// origin is instruction i of the model in words, with its address in the template.
func (c *comparison) origin(i int) string {
	insn := c.m.Insns[i]
	return fmt.Sprintf("`%s` at %s", a64.Text(insn.Word, insn.Origin, c.im.Name), c.label(insn.Origin))
}

// indexOf is the index of the word of the instruction with a role, or -1.
func (c *comparison) indexOf(role Role) int {
	if i := c.m.Find(role); i >= 0 {
		return c.place[i]
	}
	return -1
}

// opLoad judges the load of the ops into X2.
func (c *comparison) opLoad() {
	r := c.r
	stored := uint64(0) // address of the literal, to which the builder last wrote the ops
	for i := range r.Events {
		e := &r.Events[i]
		if (e.Kind == world.Store || e.Kind == world.PatchLiteral || e.Kind == world.Copy) && !e.Err && e.Size == 8 && e.Value == r.Ops {
			stored = e.Addr
		}
	}
	index := c.indexOf(OpLoad)
	if index < 0 {
		return
	}
	at, w, origin := c.at(index), c.words[index], c.m.Insns[c.m.Find(OpLoad)].Origin
	isLoad := a64.Classify(w) == a64.LDRLit && w>>24 == 0x58 && a64.Rd(w) == 2
	if isLoad {
		r.Literal, _ = a64.Target(w, at)
	}
	if stored != 0 && stored != r.Literal {
		off := a64.Offset(at, stored)
		switch reach := a64.ReachOf(a64.LDRLit); {
		case !reach.Contains(off):
			c.used[index] = true
			c.find(Unreachable, at, origin, "the ops literal is out of reach of the LDR that loads it",
				fmt.Sprintf("the load is at %s (%#x), the literal at %#x, %+#x bytes away", c.offset(at), at, stored, off),
				fmt.Sprintf("LDR (literal) reaches %+#x..%+#x", reach.Min, reach.Max),
				fmt.Sprintf("%s stands at %s", c.text(index), c.offset(at)))
		case isLoad && cut(off, a64.Offset(at, r.Literal)) > 0:
			c.used[index] = true
			c.find(Unreachable, at, origin, fmt.Sprintf("the offset of the ops literal is cut to %s of instructions", plural.Of(cut(off, a64.Offset(at, r.Literal)), "bit")),
				fmt.Sprintf("the literal is at %s, %+#x bytes from the load at %s", c.offset(stored), off, c.offset(at)),
				fmt.Sprintf("%s loads from %s", c.text(index), c.offset(r.Literal)))
		}
	}
	if stored != 0 && !isLoad {
		r.Literal = stored
	}
	unreachable := len(r.Diffs) > 0
	if r.Called && r.X2 != r.Ops && !unreachable {
		c.used[index] = true
		wrong := at
		if isLoad && r.Area(r.Literal) != nil {
			wrong = r.Literal
		}
		c.find(OpsWrong, wrong, origin, "the callback gets another ops than the trampoline's own",
			fmt.Sprintf("x2 is %s at the callback, the ops is %#x", at0x(c.im, r.X2), r.Ops),
			fmt.Sprintf("%s at %s loads %s", c.text(index), c.offset(at), c.loadedFrom(isLoad, stored)))
	}
	if s := r.stop; s != nil && !r.Called && s.PC == at && s.Access == emu.Read && !unreachable {
		c.used[index] = true
		c.find(OpsWrong, at, origin, "the load of the ops faults",
			fmt.Sprintf("%s at %s reads %#x, where nothing of the image is", c.text(index), c.offset(at), s.Addr),
			fmt.Sprintf("the ops is %#x", r.Ops))
	}
	if isLoad && r.Literal%8 != 0 && !unreachable {
		c.find(Misaligned, r.Literal, 0, fmt.Sprintf("the ops literal is %s off 8-byte alignment", plural.Of(r.Literal%8, "byte")),
			fmt.Sprintf("the literal is at %s (%#x), behind %#x bytes of code", c.offset(r.Literal), r.Literal, r.Code),
			"load and store of a misaligned literal are not single-copy atomic")
	}
}

// codeSize is the size of the code as it was built, to its return.
func (c *comparison) codeSize(o Offsets) uint64 {
	if i := c.indexOf(Return); i >= 0 {
		return uint64(i+1) * a64.Size
	}
	return o.Code
}

// at0x is an address with its name, if it has one.
func at0x(im *elfscan.Image, a uint64) string {
	if n := im.Name(a); n != "" {
		return fmt.Sprintf("%#x (%s)", a, n)
	}
	return fmt.Sprintf("%#x", a)
}

// loadedFrom says where the load of the ops loads from. stored is the address of
// the literal, 0 if the builder has written none.
func (c *comparison) loadedFrom(isLoad bool, stored uint64) string {
	switch {
	case isLoad && stored == 0:
		return fmt.Sprintf("from %s, where the builder has not put it", c.offset(c.r.Literal))
	case isLoad:
		return fmt.Sprintf("from %s, the literal is at %s", c.offset(c.r.Literal), c.offset(stored))
	case stored != 0:
		return fmt.Sprintf("something else, the literal is at %s", c.offset(stored))
	}
	return "something else, and there is no literal"
}

// cut is the number of bits, in instructions, to which the offset want was cut to
// give got; 0 if got is not a part of want.
func cut(want, got int64) int {
	for bits := 1; bits < 19; bits++ {
		if got>>2 == want>>2&(1<<bits-1) {
			return bits
		}
	}
	return 0
}

// slots judges the places of the branches that the builder wrote.
func (c *comparison) slots() {
	caller, _ := c.im.Addr("ftrace_graph_caller")
	for _, s := range []struct {
		role   Role
		label  string
		target uint64
		kind   a64.Kind
		what   string
	}{
		{CallSlot, "ftrace_call", c.r.Func, a64.Call, "the callback's BL"},
		{GraphSlot, "ftrace_graph_call", caller, a64.Branch, "fgraph's branch"},
	} {
		index := c.indexOf(s.role)
		if s.role == GraphSlot && !c.r.Graph || c.m.Find(s.role) < 0 {
			continue
		}
		aims := func(j int) bool {
			to, _ := a64.Target(c.words[j], c.at(j))
			return a64.Classify(c.words[j]) == s.kind && to == s.target
		}
		if index >= 0 && aims(index) {
			continue
		}
		for j := range c.words {
			e := c.r.Writer(c.at(j))
			if !aims(j) || e == nil {
				continue
			}
			c.used[j] = true
			where := "the trampoline has no copy of " + s.label
			if index >= 0 {
				c.used[index] = true
				where = fmt.Sprintf("the copy of %s is at %s, where %s stays", s.label, c.offset(c.at(index)), c.text(index))
			}
			c.find(WrongSlot, c.at(j), c.m.Insns[c.m.Find(s.role)].Origin, fmt.Sprintf("%s is not written to the copy of %s", s.what, s.label),
				fmt.Sprintf("%s is written to %s", s.what, c.offset(c.at(j))), where, "overwritten is "+c.meant(j))
			break
		}
	}
}

// meant is the instruction of the model whose word is word j, in words.
func (c *comparison) meant(j int) string {
	for i := range c.place {
		if c.place[i] != j {
			continue
		}
		if role := c.m.Insns[i].Role; role != Plain {
			return fmt.Sprintf("%v, %s", role, c.origin(i))
		}
		return c.origin(i)
	}
	return "no code of the model"
}

// placeOf is the address in the trampoline of the instruction from an address of
// the template. If the trampoline lacks it, placeOf is the address of the next one.
func (c *comparison) placeOf(origin uint64) (uint64, bool) {
	for i := range c.m.Insns {
		if c.m.Insns[i].Origin != origin {
			continue
		}
		for ; i < len(c.place); i++ {
			if c.place[i] >= 0 {
				return c.at(c.place[i]), true
			}
		}
	}
	return 0, false
}

// instructions judges the word of each instruction of the model.
func (c *comparison) instructions() {
	for i, insn := range c.m.Insns {
		j := c.place[i]
		if j < 0 {
			c.missing(i)
			continue
		}
		if c.used[j] {
			continue
		}
		w, at := c.words[j], c.at(j)
		want := c.m.want(c.im, c.r, i, at, c.placeOf)
		if w == want.Word && want.Err == nil || c.joins(i, w, at) {
			continue
		}
		_, pcrel := a64.Target(w, at)
		switch {
		case insn.Role == OpLoad && c.hasOpDiff():
		case insn.Role == Return:
			c.find(MissesReturn, at, insn.Origin, c.noReturn(), c.sizes(fmt.Sprintf("%s stands where the return belongs (%s)", c.text(j), c.offset(at)))...)
		case pcrel && w == insn.Word:
			aim, _ := a64.Target(w, insn.Origin)
			c.find(Escapes, at, insn.Origin, fmt.Sprintf("%s is copied unrewritten, so that the copy aims elsewhere", c.short(i)),
				c.origin(i)+" is copied to "+fmt.Sprintf("%s (%#x)", c.offset(at), at),
				fmt.Sprintf("there it is %s; %s was meant", c.text(j), at0x(c.im, aim)))
		default:
			is := c.text(j)
			if want.Err != nil {
				c.find(Unexplained, at, insn.Origin, c.otherwise(at), fmt.Sprintf("%s is at %s", is, c.offset(at)),
					fmt.Sprintf("the model has %s (from %s), but %v", want.Text, c.label(insn.Origin), want.Err))
				continue
			}
			c.find(Unexplained, at, insn.Origin, c.otherwise(at), fmt.Sprintf("%s is at %s", is, c.offset(at)),
				fmt.Sprintf("the model has `%s` there (from %s)", want.Text, c.label(insn.Origin)))
		}
	}
	c.extra()
}

// hasOpDiff reports whether opLoad has found a difference that explains the load.
func (c *comparison) hasOpDiff() bool {
	for _, d := range c.r.Diffs {
		if d.Kind == OpsWrong || d.Kind == Unreachable {
			return true
		}
	}
	return false
}

// otherwise says that the word at addr is not the one of the model.
func (c *comparison) otherwise(addr uint64) string {
	return "the instruction at " + c.offset(addr) + " differs from the model"
}

// short is instruction i of the model without its operands, and its place in the
// template.
func (c *comparison) short(i int) string {
	insn := c.m.Insns[i]
	mnemonic, _, _ := strings.Cut(a64.Text(insn.Word, insn.Origin, nil), " ")
	return fmt.Sprintf("`%s` at %s", mnemonic, c.label(insn.Origin))
}

// noReturn says that the return is not in the copy.
func (c *comparison) noReturn() string {
	ret := c.m.Insns[len(c.m.Insns)-1]
	return fmt.Sprintf("the copy misses the final `%s`", a64.Text(ret.Word, ret.Origin, c.im.Name))
}

// sizes says how many bytes of the template are in the trampoline. instead says
// what is there instead of the return.
func (c *comparison) sizes(instead string) []string {
	entry, common, last := 0, 0, -1
	for i, j := range c.place {
		switch {
		case j < 0 || c.m.Insns[i].Role == Return:
			continue
		case c.m.Entry.Contains(c.m.Insns[i].Origin):
			entry++
		default:
			common++
		}
		last = i
	}
	end := ""
	if last >= 0 {
		end = ", the last instruction is " + c.origin(last)
	}
	ret := c.m.Insns[len(c.m.Insns)-1]
	return []string{
		fmt.Sprintf("the builder copies %#x+%#x bytes%s", entry*a64.Size, common*a64.Size, end),
		fmt.Sprintf("`%s` at %s is not in the copy", a64.Text(ret.Word, ret.Origin, c.im.Name), c.label(ret.Origin)),
		instead,
	}
}

// missing notes an instruction of the model that the trampoline lacks.
func (c *comparison) missing(i int) {
	insn := c.m.Insns[i]
	if insn.Role.optional() {
		return
	}
	near := len(c.words) - 1 // index of the word before it
	for k := i - 1; k >= 0; k-- {
		if c.place[k] >= 0 {
			near = c.place[k]
			break
		}
	}
	if insn.Role == Return {
		next := "the end of its memory"
		if near+1 < len(c.words) {
			next = fmt.Sprintf("%s: %08x %s", c.offset(c.at(near+1)), c.words[near+1], c.text(near+1))
			if c.at(near+1) == c.r.Literal {
				next = "the ops literal at " + c.offset(c.r.Literal)
			}
		}
		c.find(MissesReturn, c.at(near), insn.Origin, c.noReturn(), c.sizes("execution runs into "+next)...)
		return
	}
	if near < 0 {
		return
	}
	c.find(Unexplained, c.at(near), insn.Origin, fmt.Sprintf("the trampoline lacks the %s of the template", c.short(i)),
		fmt.Sprintf("the model has %s behind %s", c.origin(i), c.offset(c.at(near))))
}

// extra notes words between those of the model that the model does not have.
func (c *comparison) extra() {
	taken, last := map[int]bool{}, -1
	for _, j := range c.place {
		if j >= 0 {
			taken[j] = true
			last = max(last, j)
		}
	}
	for j := range last {
		if taken[j] || c.used[j] || c.words[j] == a64.NOP || j == 0 && a64.Classify(c.words[j]) == a64.Landing {
			continue
		}
		c.find(Unexplained, c.at(j), 0, fmt.Sprintf("the instruction at %s is not in the model", c.offset(c.at(j))), fmt.Sprintf("%s is at %s", c.text(j), c.offset(c.at(j))))
	}
}

// tail judges the words behind the return.
func (c *comparison) tail() {
	ret := c.indexOf(Return)
	if ret < 0 || c.words[ret] != c.m.Insns[len(c.m.Insns)-1].Word {
		return
	}
	limit, n, code := c.m.Common.Limit(), 0, false
	for j := ret + 1; j < len(c.words); j++ {
		w, ok := c.im.Word(limit + uint64(n)*a64.Size)
		if !ok || w != c.words[j] || c.r.Writer(c.at(j)) == nil {
			break
		}
		n++
		code = code || w != a64.NOP && w != 0
	}
	if code {
		w, _ := c.im.Word(limit)
		c.find(PastReturn, c.at(ret+1), limit, fmt.Sprintf("the copy goes on %s past the final `%s`", plural.Of(n*a64.Size, "byte"), a64.Text(c.words[ret], c.at(ret), nil)),
			"the return is at "+c.label(c.m.Common.Last),
			fmt.Sprintf("the first instruction behind it is `%s` of %s", a64.Text(w, limit, c.im.Name), c.im.Name(limit)))
	}
}

// rest judges size and permissions.
func (c *comparison) rest() {
	r := c.r
	a := r.Area(r.Trampoline)
	if perm := a.PermAt(r.Trampoline); perm&emu.Exec == 0 {
		d := Diff{Kind: Unexplained, At: r.Trampoline, PC: c.last(world.Protect),
			What:  "the trampoline's page is not executable when the builder returns",
			Facts: []string{fmt.Sprintf("the page at %#x is %v", r.Trampoline, perm)}}
		r.Diffs = append(r.Diffs, d)
	}
	if avail := a.Addr + uint64(len(a.Perms))*emu.PageSize - r.Trampoline; r.Size < r.Code || r.Size > avail {
		d := Diff{Kind: Unexplained, At: r.Trampoline, PC: c.last(world.Alloc),
			What:  fmt.Sprintf("ops->trampoline_size is %#x, which is wrong", r.Size),
			Facts: []string{fmt.Sprintf("the code alone is %#x bytes, the memory %#x", r.Code, avail)}}
		r.Diffs = append(r.Diffs, d)
	}
}

// last is the address of the builder's last call of a kind or, if it made none, of
// its allocation.
func (c *comparison) last(kind world.EventKind) (pc uint64) {
	for i := range c.r.Events {
		switch e := &c.r.Events[i]; {
		case e.Kind == kind, e.Kind == world.Alloc && pc == 0:
			pc = e.PC
		}
	}
	return pc
}
