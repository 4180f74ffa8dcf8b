package emu

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/internal/child"
)

// The differential test: the same instructions on the same registers and
// memory, here and under qemu-aarch64, must leave the same registers, flags
// and memory, and stop at the same PC for the same reason. testdata/harness.c
// is what runs there.

// The world of a case, as in testdata/harness.c.
const (
	codeAt    = 0x10000000000    // a page, rwx: the words of the case, then BRK
	scratchAt = codeAt + 0x10000 // a page, rw-
	maxWords  = 16
	brk0      = 0xd4200000
)

// Signals by which a case ends.
const (
	sigILL  = 4
	sigTRAP = 5
	sigBUS  = 7
	sigSEGV = 11
)

type testCase struct {
	X      [31]uint64
	SP     uint64
	NZCV   uint64
	Seed   uint64 // of the bytes at scratchAt
	Q      [64]uint64
	NWords uint64
	Words  [maxWords]uint32

	what   string
	ignore uint32 // X registers that qemu leaves signed
}

type result struct {
	Sig, Fault uint64
	X          [31]uint64
	SP, PC     uint64
	NZCV       uint64
	Q          [64]uint64
	Scratch    [PageSize / 8]uint64
}

const (
	caseSize   = 8*(31+3+64+1) + 4*maxWords
	resultSize = 8 * (2 + 31 + 3 + 64 + PageSize/8)
)

func (c *testCase) append(b []byte) []byte {
	le := binary.LittleEndian
	for _, s := range [][]uint64{c.X[:], {c.SP, c.NZCV, c.Seed}, c.Q[:], {c.NWords}} {
		for _, v := range s {
			b = le.AppendUint64(b, v)
		}
	}
	for _, w := range c.Words {
		b = le.AppendUint32(b, w)
	}
	return b
}

func (r *result) parse(b []byte) {
	next := func() uint64 {
		v := binary.LittleEndian.Uint64(b)
		b = b[8:]
		return v
	}
	r.Sig, r.Fault = next(), next()
	for i := range r.X {
		r.X[i] = next()
	}
	r.SP, r.PC, r.NZCV = next(), next(), next()
	for i := range r.Q {
		r.Q[i] = next()
	}
	for i := range r.Scratch {
		r.Scratch[i] = next()
	}
}

// scratch is the memory that a seed stands for, filler X0..X30 and the SIMD
// registers.
func scratch(seed uint64) (s [PageSize / 8]uint64) {
	splitMix(seed, s[:])
	return s
}

func filler(seed uint64) (s [31 + 64]uint64) {
	splitMix(^seed, s[:])
	return s
}

// splitMix fills s with numbers that look random: splitmix64.
func splitMix(seed uint64, s []uint64) {
	for i := range s {
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		s[i] = z ^ z>>31
	}
}

// emulate is what the machine makes of c. It notes in seen the opcodes that
// were executed.
func emulate(m *Machine, c *testCase, seen *[numOpcodes]bool) *result {
	m.Reset()
	m.MaxSteps = 1000
	m.Map(codeAt, PageSize, Read|Write|Exec)
	m.Map(scratchAt, PageSize, Read|Write)
	page := make([]byte, 0, PageSize)
	for i := range PageSize / 4 {
		w := uint32(brk0)
		if i < int(c.NWords) {
			w = c.Words[i]
		}
		page = binary.LittleEndian.AppendUint32(page, w)
	}
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	must(m.Write(codeAt, page))
	page = page[:0]
	for _, v := range scratch(c.Seed) {
		page = binary.LittleEndian.AppendUint64(page, v)
	}
	must(m.Write(scratchAt, page))

	m.X, m.SP, m.PC = c.X, c.SP, codeAt
	m.setFlags(uint8(c.NZCV))
	for i := range m.Q {
		m.Q[i] = [2]uint64{c.Q[2*i], c.Q[2*i+1]}
	}
	stop := m.Run(1).(*Stop)
	r := &result{X: m.X, SP: m.SP, PC: m.PC, NZCV: m.flags() >> 28}
	switch stop.Reason {
	case Break:
		r.Sig = sigTRAP
	case Unmapped, Permission:
		r.Sig = sigSEGV
	case UnknownInstruction, Undefined, Unpredictable, UnknownSysReg:
		r.Sig = sigILL
	case Misaligned:
		r.Sig = sigBUS
	}
	for i := range m.Q {
		r.Q[2*i], r.Q[2*i+1] = m.Q[i][0], m.Q[i][1]
	}
	must(m.Read(scratchAt, page))
	for i := range r.Scratch {
		r.Scratch[i] = binary.LittleEndian.Uint64(page[8*i:])
	}
	for _, o := range m.pages[codeAt].code[:c.NWords] {
		seen[o.code] = true
	}
	return r
}

// difference describes how two results of c differ; it is empty if they do not.
func difference(c *testCase, got, want *result) string {
	for i := range got.X {
		if c.ignore>>i&1 == 1 {
			got.X[i] = want.X[i]
		}
	}
	got.Fault = want.Fault // the machine knows better: qemu has no address for some
	if *got == *want {
		return ""
	}
	var b strings.Builder
	field := func(name string, got, want uint64) {
		if got != want {
			fmt.Fprintf(&b, "\t%s is %#x, in qemu %#x\n", name, got, want)
		}
	}
	field("signal", got.Sig, want.Sig)
	field("PC", got.PC, want.PC)
	field("SP", got.SP, want.SP)
	field("NZCV", got.NZCV, want.NZCV)
	for i := range got.X {
		field(fmt.Sprintf("X%d", i), got.X[i], want.X[i])
	}
	for i := range got.Q {
		field(fmt.Sprintf("Q%d[%d]", i/2, i%2), got.Q[i], want.Q[i])
	}
	for i := range got.Scratch {
		field(fmt.Sprintf("memory at +%#x", i*8), got.Scratch[i], want.Scratch[i])
	}
	var words strings.Builder
	for i, w := range c.Words[:c.NWords] {
		pc := codeAt + 4*uint64(i)
		fmt.Fprintf(&words, "\t%#x: %08x  %s\n", pc, w, a64.Text(w, pc, nil))
	}
	return fmt.Sprintf("%s\n%s%s\tbefore: SP %#x, NZCV %#x, X %#x\n", c.what, words.String(), b.String(), c.SP, c.NZCV, c.X)
}

// needTools skips the test, or fails it in CI, where the tools of the
// differential test are missing.
func needTools(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"qemu-aarch64", "aarch64-linux-gnu-gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			message := fmt.Sprintf("THE EMULATOR IS NOT COMPARED WITH QEMU: %v (Debian: apt-get install qemu-user gcc-aarch64-linux-gnu)", err)
			if os.Getenv("CI") == "true" {
				t.Fatal(message)
			}
			t.Skip(message)
		}
	}
}

// qemu runs cases on that processor model and calls check for each result.
func qemu(t *testing.T, cpu string, cases []*testCase, check func(i int, r *result)) {
	t.Helper()
	harness := filepath.Join(t.TempDir(), "harness")
	out, err := child.Command(t, "aarch64-linux-gnu-gcc", "-O1", "-Wall", "-Werror", "-static", "-nostdlib", "-ffreestanding",
		"-fno-stack-protector", "-o", harness, "testdata/harness.c").CombinedOutput()
	if err != nil {
		t.Fatalf("compiling the harness: %v\n%s", err, out)
	}
	cmd := child.Command(t, "qemu-aarch64", "-cpu", cpu, harness)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 0, caseSize)
		for _, c := range cases {
			if _, err := stdin.Write(c.append(b)); err != nil {
				break // the reader sees what is missing
			}
		}
		stdin.Close()
	}()
	buf := make([]byte, resultSize)
	r := new(result)
	for i, c := range cases {
		if _, err := io.ReadFull(stdout, buf); err != nil {
			_ = cmd.Wait()
			t.Fatalf("qemu ended at case %d of %d: %v, %v %s\n%s%#x", i, len(cases), err, cmd.ProcessState, &stderr, c.what, c.Words[:c.NWords])
		}
		r.parse(buf)
		check(i, r)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("qemu: %v\n%s", err, &stderr)
	}
}

// generator makes cases.
type generator struct{ *rand.Rand }

// value is a random register value of a random kind.
func (g generator) value() uint64 {
	switch g.IntN(8) {
	case 0:
		return uint64(g.IntN(64)) // a shift, or zero
	case 1:
		return -uint64(g.IntN(64))
	case 2:
		return 1 << g.IntN(64)
	case 3:
		return 1<<g.IntN(64) - 1
	case 4:
		return uint64(g.Uint32())
	case 5:
		return [...]uint64{0, 1 << 63, 1<<63 - 1, 1<<64 - 1, 1 << 31, 1<<31 - 1, 1<<32 - 1, 1 << 32}[g.IntN(8)]
	}
	return g.Uint64()
}

// newCase is a case without words.
func (g generator) newCase(what string) *testCase {
	c := &testCase{what: what, NZCV: g.Uint64() & 15, Seed: g.Uint64(), SP: scratchAt + PageSize/2}
	for i := range c.X {
		c.X[i] = g.value()
	}
	fill := filler(c.Seed)
	copy(c.Q[:], fill[31:])
	return c
}

func (c *testCase) add(words ...uint32) {
	for _, w := range words {
		c.Words[c.NWords] = w
		c.NWords++
	}
}

// word is a random word of form f.
func (g generator) word(f *form) uint32 { return f.value | g.Uint32()&^f.mask }

func setField(w uint32, lo, n uint, v uint32) uint32 {
	mask := uint32(1)<<n - 1
	return w&^(mask<<lo) | v&mask<<lo
}

// set gives general register n (31: SP) a value.
func (c *testCase) set(n int, v uint64) {
	if n == 31 {
		c.SP = v
	} else {
		c.X[n] = v
	}
}

// isMemory reports whether f has a base register.
func (f *form) isMemory() bool {
	return f.format >= fmtUImm && f.format <= fmtCASP && f.format != fmtLiteral
}

// runs reports whether the machine executes o.
func (o *op) runs() bool {
	return o.code != opUnknown && o.code != opUndefined && o.code != opUnpredictable
}

// executes reports whether the machine executes w.
func executes(w uint32) bool {
	o := decode(w, codeAt)
	return o.runs()
}

// privileged are opcodes that a user process may not execute, or that mean
// something else to it, with the test that has them instead.
var privileged = map[opcode]string{
	opNone:          "no instruction",
	opUnknown:       "no instruction; compared as SIGILL",
	opUndefined:     "no instruction; compared as SIGILL",
	opUnpredictable: "TestUnpredictable",
	opHook:          "no instruction; TestHooks",
	opUnknownSysReg: "TestUnknownInstruction",
	opException:     "SVC is a system call in qemu, the others are privileged; TestException",
	opMrsCounter:    "a clock; TestSysRegs",
	opSignLR:        "nothing on a processor that does not sign; TestSignsLR",
	opAuthLR:        "the same",
	opStripLR:       "the same",
}

// unpredictable reports whether the architecture leaves the effect of w open: emu
// stops there, and qemu does something. DDI 0487, K1.2.
func unpredictable(f *form, w uint32) bool {
	rt, rn, rt2, rs := a64.Rd(w), a64.Rn(w), int(field(w, 10, 5)), a64.Rm(w)
	simd := w>>26&1 == 1
	load := w>>22&1 == 1
	switch f.format {
	case fmtPre, fmtPost:
		return !simd && rn == rt && rn != 31
	case fmtPair, fmtPairPre, fmtPairPost:
		if load && rt == rt2 {
			return true
		}
		return f.format != fmtPair && !simd && rn != 31 && (rn == rt || rn == rt2)
	case fmtStoreEx:
		return rs == rt || rs == rn && rn != 31
	case fmtStoreExPair:
		return rs == rt || rs == rt2 || rs == rn && rn != 31
	case fmtLoadExPair:
		return rt == rt2
	}
	return false
}

// single is a case of one instruction of form f, with operands that let it do
// its work; nil if the random word cannot be compared.
func (g generator) single(f *form) *testCase {
	c := g.newCase(f.name)
	w := g.word(f)
	if unpredictable(f, w) {
		return nil
	}
	switch f.format {
	case fmtB, fmtBCond, fmtCB, fmtTB:
		if g.IntN(2) == 0 { // near
			off := uint32(1 + g.IntN(PageSize/4-1))
			switch f.format {
			case fmtB:
				w = setField(w, 0, 26, off)
			case fmtTB:
				w = setField(w, 5, 14, off)
			default:
				w = setField(w, 5, 19, off)
			}
		}
		if f.format == fmtTB && g.IntN(2) == 0 { // make the bit what it asks for, more often
			c.set(a64.Rd(w), 1<<(field(w, 19, 5)|field(w, 31, 1)<<5))
		}
		if to, _ := a64.Target(w, codeAt); to == codeAt {
			return nil // for ever
		}
	case fmtBReg:
		if f.name != "BR" && f.name != "BLR" && f.name != "RET" {
			return nil // see newer
		}
		to := codeAt + 4*uint64(1+g.IntN(PageSize/4-1))
		switch g.IntN(8) {
		case 0:
			to = g.Uint64() >> 18 &^ 3 // nothing there
		case 1:
			to |= 2
		}
		if a64.Rn(w) == 31 { // to zero
			return nil
		}
		c.set(a64.Rn(w), to)
	case fmtLiteral:
		to := 0 // from codeAt
		if g.IntN(4) != 0 {
			to = scratchAt - codeAt
		}
		w = setField(w, 5, 19, uint32(to+g.IntN(PageSize-16)&^3)/4)
	case fmtSYS:
		sys := [...]uint32{sysReg(1, 3, 7, 10, 1), sysReg(1, 3, 7, 11, 1), sysReg(1, 3, 7, 14, 1), sysReg(1, 3, 7, 4, 1), sysReg(1, 3, 7, 5, 1)}
		w = w&^sysRegMask | sys[g.IntN(len(sys))]
		if a64.Rd(w) == 31 {
			return nil
		}
		c.set(a64.Rd(w), scratchAt+uint64(g.IntN(PageSize)))
	case fmtSysReg:
		regs := [...]uint32{sysNZCV, sysReg(3, 3, 13, 0, 2), sysReg(3, 3, 0, 0, 1), sysReg(3, 3, 0, 0, 7), sysReg(3, 3, 14, 0, 0)}
		n := 2 // can be written
		if f.name == "MRS" {
			n = len(regs)
		}
		reg := regs[g.IntN(n)]
		w = w&^sysRegMask | reg
		if f.name == "MRS" && reg == regs[1] { // what is there must be written first
			c.add(w &^ (1 << 21))
			w = setField(w, 0, 5, g.Uint32())
		}
	case fmtLogical:
		if g.IntN(4) == 0 { // MOV
			w = setField(setField(setField(w, 5, 5, 31), 10, 6, 0), 22, 2, 0)
		}
	case fmtPState, fmtPAuth, fmtBRegAuth, fmtRetAuth, fmtNone:
		return nil // see newer
	case fmtImm16:
		if f.code != opBrk {
			return nil
		}
	}
	if f.isMemory() && f.code != opNop && !g.addressed(c, f, &w) {
		return nil
	}
	if f.code == opStxr || f.code == opStxp {
		switch g.IntN(3) {
		case 0: // not without a monitor
		default:
			load := loadExclusiveFor(w)
			if a64.Rd(load) == a64.Rn(w) || f.code == opStxp && (int(field(load, 10, 5)) == a64.Rn(w) || unpredictable(formOf(load), load)) {
				return nil
			}
			c.add(load)
			if g.IntN(4) == 0 {
				c.add(0xd5033f5f) // clrex
			}
		}
	}
	c.add(w)
	return c
}

func isLDAPR(f *form) bool { return strings.HasPrefix(f.name, "LDAPR") }

// loadExclusiveFor is the load exclusive that goes with the store exclusive
// w: same size and base, Rt (and Rt2) from what w stores.
func loadExclusiveFor(w uint32) uint32 {
	return w | 1<<22 | 0x1f<<16
}

// addressed makes the memory operand of w aim at the scratch page, mostly;
// false if it cannot.
func (g generator) addressed(c *testCase, f *form, w *uint32) bool {
	if g.IntN(32) == 0 { // nothing there
		if a64.Rn(*w) == 31 || f.format == fmtRegOff {
			return false
		}
		c.set(a64.Rn(*w), 0x20000000000+uint64(g.IntN(1<<30))&^63)
		return true
	}
	o := decode(*w, codeAt)
	if !o.runs() { // as it is: qemu must think so too
		c.set(a64.Rn(*w), scratchAt)
		return true
	}
	rn := a64.Rn(*w)
	at := scratchAt + 64 + uint64(g.IntN(PageSize-128))
	switch f.format {
	case fmtOrdered, fmtStoreEx, fmtStoreExPair, fmtLoadExPair, fmtAtomic, fmtCASP:
		// For a misaligned LDAPR, or a store exclusive without a monitor, qemu
		// does not mind. The architecture does: DDI 0487, B2.8.2.
		mind := f.format != fmtStoreEx && f.format != fmtStoreExPair && !isLDAPR(f)
		if !mind || g.IntN(16) != 0 || rn == 31 {
			at &^= 15
		}
		if f.format == fmtAtomic && f.code == opCas && g.IntN(2) == 0 { // let it succeed
			if rs := a64.Rm(*w); rs != 31 && rs != rn {
				s := scratch(c.Seed)
				i := at - scratchAt
				c.X[rs] = s[i/8]>>(i%8*8) | s[i/8+1]<<1<<(63-i%8*8)
			}
		}
		if f.format == fmtCASP && g.IntN(2) == 0 {
			s := scratch(c.Seed)
			i := (at - scratchAt) / 8
			rs := a64.Rm(*w)
			lo, hi := s[i], s[i+1]
			if o.sh == 4 {
				lo, hi = s[i]&0xffffffff, s[i]>>32
			}
			c.X[rs] = lo
			if rs+1 < 31 {
				c.X[rs+1] = hi
			}
		}
		c.set(rn, at)
		return true
	case fmtPost, fmtPairPost:
		c.set(rn, at)
	case fmtRegOff:
		if a64.Rm(*w) == rn {
			return false
		}
		off := uint64(0)
		if rm := a64.Rm(*w); rm != 31 {
			off = extended(c.X[rm], o.ext) << o.imm
		}
		c.set(rn, at-off)
	default:
		c.set(rn, at-o.imm)
	}
	if rn == 31 { // emu asks for alignment, as kernels do; qemu's user mode does not
		c.SP &^= 15
	}
	return true
}

// sequence is a case of some instructions, one after the other, with branches
// forward.
func (g generator) sequence() *testCase {
	c := g.newCase("sequence")
	// x20..x23 are bases of memory operands, x24 an index.
	for i := 20; i <= 23; i++ {
		c.X[i] = scratchAt + 512 + uint64(g.IntN((PageSize-1024)/16))*16
	}
	c.X[24] = uint64(g.IntN(16))
	reserved := func(n int) bool { return n >= 20 && n <= 24 }
	for n := uint64(2 + g.IntN(7)); c.NWords < n; {
		f := &forms[g.IntN(len(forms))]
		w := g.word(f)
		switch f.code {
		case opLdxr, opLdxp, opStxr, opStxp: // pairs only: see single
			continue
		case opLdar:
			if isLDAPR(f) { // see addressed
				continue
			}
		}
		switch f.format {
		case fmtB, fmtBCond, fmtCB, fmtTB:
			off := uint32(1 + g.IntN(int(n-c.NWords)))
			switch f.format {
			case fmtB:
				w = setField(w, 0, 26, off)
			case fmtTB:
				w = setField(w, 5, 14, off)
			default:
				w = setField(w, 5, 19, off)
			}
		case fmtBReg, fmtBRegAuth, fmtRetAuth, fmtImm16, fmtPState, fmtSYS, fmtSysReg, fmtPAuth, fmtNone, fmtLiteral:
			continue
		}
		if reserved(a64.Rd(w)) || unpredictable(f, w) || !executes(w) {
			continue
		}
		switch f.format {
		case fmtAddImm, fmtExtended, fmtLogImm:
			if a64.Rd(w) == 31 {
				continue // SP stays
			}
		}
		if f.isMemory() {
			if reserved(int(field(w, 10, 5))) || reserved(a64.Rm(w)) && f.format != fmtRegOff {
				continue
			}
			w = setField(w, 5, 5, [...]uint32{20, 21, 22, 23, 31}[g.IntN(5)])
			switch f.format {
			case fmtRegOff:
				w = setField(w, 16, 5, 24)
			case fmtUImm:
				w = setField(w, 10, 12, uint32(g.IntN(16)))
			case fmtPost, fmtPre:
				if a64.Rn(w) == 31 {
					w = setField(w, 12, 4, 0)
				}
			case fmtPairPost, fmtPairPre:
				if a64.Rn(w) == 31 {
					w = setField(w, 15, 2, 0)
				}
			}
			if reserved(a64.Rd(w)) || unpredictable(f, w) || !executes(w) {
				continue
			}
		}
		c.add(w)
	}
	return c
}

// TestDifferential compares single instructions of every form, and sequences,
// with qemu.
func TestDifferential(t *testing.T) {
	needTools(t)
	const perForm, sequences = 80, 12000
	g := generator{rand.New(rand.NewPCG(1, 2))}
	compared := make(map[string]int) // by form
	elsewhere := make(map[string]string)
	var cases []*testCase
	for i := range forms {
		f := &forms[i]
		if reason := privileged[f.code]; reason != "" {
			elsewhere[f.name] = reason
			continue
		}
		for n, tries := 0, 0; n < perForm && tries < 20*perForm; tries++ {
			if c := g.single(f); c != nil {
				cases = append(cases, c)
				n++
			}
		}
	}
	for range sequences {
		cases = append(cases, g.sequence())
	}

	m := new(Machine)
	var seen [numOpcodes]bool
	bad := make(map[string]int)
	compare := func(c *testCase, want *result) {
		got := emulate(m, c, &seen)
		if d := difference(c, got, want); d != "" {
			if bad[c.what]++; bad[c.what] == 1 {
				t.Error(d)
			}
		}
		if c.what != "sequence" && want.Sig != sigILL {
			compared[c.what]++
		}
	}
	qemu(t, cpuOld, cases, func(i int, r *result) { compare(cases[i], r) })

	// What Neoverse N1 does not have.
	newer := g.newer()
	qemu(t, cpuNew, newer, func(i int, r *result) { compare(newer[i], r) })

	for what, n := range bad {
		t.Errorf("%s: %d cases differ", what, n)
	}
	for i := range forms {
		if n := compared[forms[i].name]; n < 5 && elsewhere[forms[i].name] == "" {
			t.Errorf("%s: only %d cases were compared", forms[i].name, n)
		}
	}
	for o, ok := range seen {
		if o := opcode(o); !ok && privileged[o] == "" {
			t.Errorf("opcode %d was not executed", o)
		}
	}
	t.Logf("%d cases, %d of them sequences; %d forms compared, %d not", len(cases)+len(newer), sequences, len(compared), len(elsewhere))
	var names []string
	for n, reason := range elsewhere {
		names = append(names, n+": "+reason)
	}
	sort.Strings(names)
	t.Log("not compared:\n" + strings.Join(names, "\n"))
}

// newer are cases for what came after Armv8.2: pointer authentication, which
// emu leaves out, so that only signing and authenticating together can be
// compared; SB; PSTATE.DIT.
func (g generator) newer() []*testCase {
	var cases []*testCase
	add := func(name string, ignore uint32, set func(*testCase), words ...uint32) {
		f := slices.IndexFunc(forms, func(f form) bool { return f.name == name })
		if f < 0 || !slices.ContainsFunc(words, func(w uint32) bool { return w&forms[f].mask == forms[f].value }) {
			panic(name)
		}
		c := g.newCase(name)
		c.ignore = ignore
		if set != nil {
			set(c)
		}
		c.add(words...)
		cases = append(cases, c)
	}
	for range 10 {
		rd := uint32(g.IntN(30))
		rn := (rd + 1 + uint32(g.IntN(30))) % 31 // another, or X30
		regs := rn<<5 | rd
		pointer := func(c *testCase) { c.X[rd] = g.Uint64() >> 17 }
		for key, name := range []string{"IA", "IB", "DA", "DB"} {
			k := uint32(key) << 10
			pac, aut := 0xdac10000|k|regs, 0xdac11000|k|regs
			pacz, autz := 0xdac123e0|k|rd, 0xdac133e0|k|rd
			xpac := 0xdac143e0 | rd
			if name[0] == 'D' {
				xpac |= 0x400
			}
			add("PAC"+name, 0, pointer, pac, aut)
			add("AUT"+name, 0, pointer, pac, aut)
			add("PAC"+name[:1]+"Z"+name[1:], 0, pointer, pacz, autz)
			add("AUT"+name[:1]+"Z"+name[1:], 0, pointer, pacz, autz)
			add("XPAC"+name[:1], 0, pointer, pac, xpac)
			if name[0] == 'D' {
				continue
			}
			b := uint32(key) << 10
			target := func(c *testCase) { c.X[rd] = codeAt + 4*uint64(2+g.IntN(100)) }
			add("BRAAZ, BRABZ", 1<<rd, target, pacz, 0xd61f081f|b|rd<<5)
			add("BLRAAZ, BLRABZ", 1<<rd, target, pacz, 0xd63f081f|b|rd<<5)
			if rn != 30 { // BLR sets it
				add("BRAA, BRAB", 1<<rd, target, pac, 0xd71f0800|b|rd<<5|rn)
				add("BLRAA, BLRAB", 1<<rd, target, pac, 0xd73f0800|b|rd<<5|rn)
			}
			lr := func(c *testCase) { c.X[30] = codeAt + 4*uint64(2+g.IntN(100)) }
			add("RETAA, RETAB", 1<<30, lr, a64.PACIASP|uint32(key)<<6, 0xd65f0bff|b)
		}
		add("SB", 0, nil, 0xd50330ff)
		dit := uint32(g.IntN(2))
		add("MSR (immediate)", 0, nil, 0xd503405f|dit<<8, 0xd53b42a0|rd)
	}
	return cases
}

// What the architecture leaves open stops the machine.
func TestUnpredictable(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(3, 4))}
	n := 0
	for i := range forms {
		for range 200 {
			w := g.word(&forms[i])
			if unpredictable(&forms[i], w) {
				n++
				if o := decode(w, codeAt); o.code != opUnpredictable {
					t.Errorf("%s: %#x is decoded as %d", forms[i].name, w, o.code)
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("%d words", n)
	}
}
