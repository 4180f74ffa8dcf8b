package emu

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
)

// The table of qemu's answers: what qemu-aarch64 made of some cases of each
// form, committed, so that a wrong instruction is noticed without qemu. A line
// is a case. Its fields, separated by tabs, are
//
//	name of the form
//	words, joined by commas
//	seed of the registers, of the SIMD registers and of memory: see newCase
//	registers that have another value before
//	registers that qemu leaves signed, as a mask
//	processor model
//	signal
//	registers and memory that have another value after
//
// A register is x0..x30, sp, pc, nzcv, q0.0..q31.1 (the half), m0.. (memory at
// scratchAt, in 8 bytes); all numbers are hexadecimal.
const answersFile = "testdata/answers.txt.gz"

var update = flag.Bool("update", false, "have TestAnswersOfQemu write the table of qemu's answers anew")

// An answer is a case and its result.
type answer struct {
	*testCase
	cpu  string
	want *result
}

const (
	cpuOld = "neoverse-n1"
	cpuNew = "max,sve=off" // for what the other does not have
)

// plain gives the registers that no field of the words names the values that
// the seed stands for: a line of the table is short then.
func (c *testCase) plain() {
	var named [33]bool // CASP names the register behind, too
	for _, w := range c.Words[:c.NWords] {
		for _, at := range []uint{0, 5, 10, 16} {
			n := field(w, at, 5)
			named[n], named[n+1] = true, true
		}
	}
	for i := range c.X {
		if !named[i] && i != a64.LR { // which RETAA names
			c.X[i] = filler(c.Seed)[i]
		}
	}
}

// start is the state before a case, as a result; without a case, the state that
// the seed alone stands for.
func (c *testCase) start(seed uint64) *result {
	fill := filler(seed)
	r := &result{SP: scratchAt + PageSize/2, PC: codeAt, Scratch: scratch(seed)}
	copy(r.X[:], fill[:31])
	copy(r.Q[:], fill[31:])
	if c != nil {
		r.X, r.SP, r.NZCV = c.X, c.SP, c.NZCV
	}
	return r
}

// registers calls f for each register and each 8 bytes of memory of r.
func (r *result) registers(f func(name string, v *uint64)) {
	for i := range r.X {
		f("x"+strconv.Itoa(i), &r.X[i])
	}
	f("sp", &r.SP)
	f("pc", &r.PC)
	f("nzcv", &r.NZCV)
	for i := range r.Q {
		f(fmt.Sprintf("q%d.%d", i/2, i%2), &r.Q[i])
	}
	for i := range r.Scratch {
		f("m"+strconv.FormatInt(int64(i), 16), &r.Scratch[i])
	}
}

// changes is what differs in to, without the registers of the mask.
func changes(from, to *result, ignore uint32) string {
	var old []uint64
	from.registers(func(_ string, v *uint64) { old = append(old, *v) })
	var out []string
	i := 0
	to.registers(func(name string, v *uint64) {
		if *v != old[i] && (i >= 31 || ignore>>i&1 == 0) {
			out = append(out, fmt.Sprintf("%s=%x", name, *v))
		}
		i++
	})
	return strings.Join(out, " ")
}

// change makes the changes that changes wrote.
func (r *result) change(text string) error {
	values := map[string]*uint64{}
	r.registers(func(name string, v *uint64) { values[name] = v })
	for _, s := range strings.Fields(text) {
		name, value, _ := strings.Cut(s, "=")
		v, err := strconv.ParseUint(value, 16, 64)
		if err != nil || values[name] == nil {
			return fmt.Errorf("%q is no register and value", s)
		}
		*values[name] = v
	}
	return nil
}

func (a *answer) line() string {
	var words []string
	for _, w := range a.Words[:a.NWords] {
		words = append(words, fmt.Sprintf("%08x", w))
	}
	before := a.start(a.Seed)
	return strings.Join([]string{a.what, strings.Join(words, ","), fmt.Sprintf("%x", a.Seed),
		changes((*testCase)(nil).start(a.Seed), before, 0), fmt.Sprintf("%x", a.ignore), a.cpu,
		fmt.Sprintf("%x", a.want.Sig), changes(before, a.want, a.ignore)}, "\t")
}

func parseAnswer(line string) (*answer, error) {
	f := strings.Split(line, "\t")
	if len(f) != 8 {
		return nil, fmt.Errorf("%d fields, not 8", len(f))
	}
	var bad error
	number := func(s string, bits int) uint64 {
		v, err := strconv.ParseUint(s, 16, bits)
		if err != nil {
			bad = err
		}
		return v
	}
	c := &testCase{what: f[0], Seed: number(f[2], 64), ignore: uint32(number(f[4], 32))}
	for _, w := range strings.Split(f[1], ",") {
		if c.NWords == maxWords {
			return nil, fmt.Errorf("more than %d words", maxWords)
		}
		c.add(uint32(number(w, 32)))
	}
	before := (*testCase)(nil).start(c.Seed)
	if err := before.change(f[3]); err != nil {
		return nil, err
	}
	c.X, c.SP, c.NZCV, c.Q = before.X, before.SP, before.NZCV, before.Q
	want := *before
	want.Sig = number(f[6], 8)
	if err := want.change(f[7]); err != nil {
		return nil, err
	}
	return &answer{c, f[5], &want}, bad
}

func readAnswers(t *testing.T) (answers []*answer) {
	t.Helper()
	f, err := os.Open(answersFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		a, err := parseAnswer(line)
		if err != nil {
			t.Fatalf("%s:%d: %v", answersFile, i+1, err)
		}
		answers = append(answers, a)
	}
	return answers
}

// TestAnswers executes the cases of the table: the results must be those of
// qemu.
func TestAnswers(t *testing.T) {
	m := new(Machine)
	var seen [numOpcodes]bool
	cases, bad := map[string]int{}, map[string]int{}
	for _, a := range readAnswers(t) {
		got := emulate(m, a.testCase, &seen)
		if d := difference(a.testCase, got, a.want); d != "" {
			if bad[a.what]++; bad[a.what] == 1 {
				t.Error(d)
			}
		}
		if a.want.Sig != sigILL {
			cases[a.what]++
		}
	}
	for _, f := range forms {
		if privileged[f.code] == "" && cases[f.name] < 5 {
			t.Errorf("%s: only %d cases are in the table: run TestAnswersOfQemu with -update", f.name, cases[f.name])
		}
	}
	for o, ok := range seen {
		if o := opcode(o); !ok && privileged[o] == "" {
			t.Errorf("opcode %d is not in the table", o)
		}
	}
}

// TestAnswersOfQemu has qemu answer the cases of the table, or new ones.
func TestAnswersOfQemu(t *testing.T) {
	needTools(t)
	var answers []*answer
	if *update {
		answers = newAnswers()
	} else {
		answers = readAnswers(t)
	}
	var text bytes.Buffer
	for _, cpu := range []string{cpuOld, cpuNew} {
		var some []*answer
		var cases []*testCase
		for _, a := range answers {
			if a.cpu == cpu {
				some, cases = append(some, a), append(cases, a.testCase)
			}
		}
		qemu(t, cpu, cases, func(i int, r *result) {
			now := answer{some[i].testCase, cpu, r}
			if line := now.line(); *update {
				fmt.Fprintln(&text, line)
			} else if was := some[i].line(); line != was {
				t.Errorf("the table has\n\t%s\nqemu says\n\t%s", was, line)
			}
		})
	}
	if !*update {
		return
	}
	var z bytes.Buffer
	w, _ := gzip.NewWriterLevel(&z, gzip.BestCompression)
	if _, err := w.Write(text.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(answersFile, z.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases, %d bytes, %d packed", len(answers), text.Len(), z.Len())
}

// newAnswers are new cases of every form, without results.
func newAnswers() (answers []*answer) {
	const perForm = 10
	g := generator{rand.New(rand.NewPCG(5, 6))}
	count := map[string]int{}
	add := func(c *testCase, cpu string) {
		if count[c.what] < perForm {
			count[c.what]++
			c.plain()
			answers = append(answers, &answer{testCase: c, cpu: cpu})
		}
	}
	for i := range forms {
		f := &forms[i]
		for tries := 0; privileged[f.code] == "" && count[f.name] < perForm && tries < 20*perForm; tries++ {
			if c := g.single(f); c != nil && (executes(c.Words[c.NWords-1]) || tries%8 == 0) {
				add(c, cpuOld)
			}
		}
	}
	newer := g.newer()
	slices.SortStableFunc(newer, func(a, b *testCase) int { return strings.Compare(a.what, b.what) })
	for _, c := range newer {
		add(c, cpuNew)
	}
	return answers
}
