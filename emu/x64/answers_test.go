package x64

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/emu"
)

// The table of answers: what qemu-x86_64 made of some cases of each form,
// committed, so that a wrong instruction is noticed without qemu. A line is a case.
// Its fields, separated by tabs, are the form, the instruction's bytes, the seed of
// the case, the flags that the form leaves undefined, the signal, and the registers
// and the memory that have another value after. All numbers are hexadecimal.
const answersFile = "testdata/answers.txt.gz"

var update = flag.Bool("update", false, "have TestAnswersOfQemu write the table of qemu's answers anew")

// Addresses and sizes of the harness.
const (
	codeAt    = 0x10000000000
	scratchAt = codeAt + 0x10000
	gsBase    = scratchAt + emu.PageSize/2
	maxCode   = 16
	noCode    = 0x7eed_0000_7eed // no case goes there
)

// Signals of Linux.
const (
	sigill  = 4
	sigtrap = 5
	sigbus  = 7
	sigfpe  = 8
	sigsegv = 11
)

// A form is an instruction with the flags that it leaves undefined. In its text, A
// and B become general registers of the size of the suffix, M an operand in memory,
// and I an immediate; # becomes each of the suffixes b, w, l and q, or those that
// sizes has.
type form struct {
	text      string
	sizes     string
	undefined uint64
}

const (
	noMul   = FlagSF | FlagZF | FlagAF | FlagPF
	noShift = FlagAF | FlagOF // OF is defined for a count of 1: shifts by 1 have a form of their own
	noBit   = FlagOF | FlagSF | FlagAF | FlagPF
	noScan  = FlagCF | FlagOF | FlagSF | FlagAF | FlagPF
)

var formsTested = func() (out []form) {
	for _, op := range []string{"add", "adc", "sub", "sbb", "cmp"} {
		for _, args := range []string{"A,B", "A,M", "M,A", "I,A", "I,M"} {
			out = append(out, form{op + "# " + args, "bwlq", 0})
		}
	}
	for _, op := range []string{"and", "or", "xor", "test"} {
		for _, args := range []string{"A,B", "A,M", "M,A", "I,A", "I,M"} {
			if op == "test" && args == "M,A" {
				continue
			}
			out = append(out, form{op + "# " + args, "bwlq", FlagAF})
		}
	}
	for _, args := range []string{"A,B", "A,M", "M,A", "I,A", "I,M"} {
		out = append(out, form{"mov# " + args, "bwlq", 0})
	}
	for _, op := range []string{"not", "neg", "inc", "dec"} {
		out = append(out, form{op + "# A", "bwlq", 0}, form{op + "# M", "bwlq", 0})
	}
	for _, op := range []string{"mul", "imul"} {
		out = append(out, form{op + "# A", "bwlq", noMul}, form{op + "# M", "bwlq", noMul})
	}
	for _, op := range []string{"div", "idiv"} {
		out = append(out, form{op + "# A", "bwlq", status}, form{op + "# M", "bwlq", status})
	}
	out = append(out, form{"imul# A,B", "wlq", noMul}, form{"imul# M,B", "wlq", noMul}, form{"imul# I,A,B", "wlq", noMul}, form{"imul# I,M,B", "wlq", noMul})
	for _, op := range []string{"shl", "shr", "sar"} {
		out = append(out, form{op + "# $1,A", "bwlq", FlagAF}, form{op + "# $1,M", "bwlq", FlagAF},
			form{op + "# C,A", "bwlq", noShift}, form{op + "# C,M", "bwlq", noShift}, form{op + "# %cl,A", "lq", noShift}, form{op + "# %cl,M", "lq", noShift})
	}
	for _, op := range []string{"rol", "ror", "rcl", "rcr"} {
		out = append(out, form{op + "# $1,A", "bwlq", 0}, form{op + "# C,A", "bwlq", FlagOF}, form{op + "# %cl,A", "lq", FlagOF}, form{op + "# %cl,M", "lq", FlagOF})
	}
	for _, op := range []string{"shld", "shrd"} {
		out = append(out, form{op + "# C,A,B", "lq", noShift}, form{op + "# C,A,M", "lq", noShift}, form{op + "# %cl,A,B", "lq", noShift})
	}
	for _, op := range []string{"bt", "bts", "btr", "btc"} {
		out = append(out, form{op + "# A,B", "wlq", noBit}, form{op + "# C,A", "wlq", noBit}, form{op + "# C,M", "wlq", noBit}, form{op + "# %rdi,M", "q", noBit}, form{op + "# %edi,M", "l", noBit})
	}
	for _, op := range []string{"bsf", "bsr"} {
		out = append(out, form{op + "# A,B", "lq", noScan}, form{op + "# M,B", "wlq", noScan})
	}
	for _, op := range []string{"tzcnt", "lzcnt"} {
		out = append(out, form{op + "# A,B", "wlq", FlagOF | FlagSF | FlagAF | FlagPF}, form{op + "# M,B", "wlq", FlagOF | FlagSF | FlagAF | FlagPF})
	}
	out = append(out, form{"popcnt# A,B", "wlq", 0}, form{"popcnt# M,B", "wlq", 0})
	for _, cc := range strings.Fields("o no b ae e ne be a s ns p np l ge le g") {
		out = append(out, form{"set" + cc + " %al", "", 0}, form{"set" + cc + " M", "", 0}, form{"cmov" + cc + "# A,B", "wlq", 0}, form{"cmov" + cc + "# M,B", "wlq", 0}, form{"j" + cc + " .+8", "", 0})
	}
	for _, from := range []string{"b", "w"} {
		for _, to := range []string{"w", "l", "q"} {
			if from < to || from == "b" {
				if from == "w" && to == "w" {
					continue
				}
				for _, op := range []string{"movz", "movs"} {
					out = append(out, form{op + from + to + " M,R" + to, "", 0}, form{op + from + to + " S" + from + ",R" + to, "", 0})
				}
			}
		}
	}
	for _, text := range []string{
		"movslq %ecx,%rdx", "movslq M,%rdx", "lea M,%rcx", "lea M,%ecx", "lea M,%cx", "lea 0x10(%rax,%rdx,4),%r9", "lea -8(,%rcx,8),%r10", "lea 0x20(%rip),%rax",
		"leal 4(%ecx,%edx),%eax", "bswap %eax", "bswap %r12", "cbtw", "cwtl", "cltq", "cwtd", "cltd", "cqto", "movabs $0x123456789abcdef0,%r11",
		"push %rax", "push %r13", "push $0x12", "push $-0x1234", "push M", "pop %rcx", "pop %r14", "pop M", "push %rsp", "pop %rsp", "pushw %ax", "popw %dx",
		"leave", "pushf", "lahf", "sahf", "clc", "stc", "cmc", "cld", "std",
		"call .+8", "call *%rcx", "call *M", "jmp .+8", "jmp *%rdx", "jmp *M", "ret", "ret $0x10", "jrcxz .+8", "loop .+8",
		"nop", "nopl (%rax)", "nopw 0x0(%rax,%rax,1)", "endbr64", "pause", "lfence", "mfence", "sfence", "prefetcht0 (%rax)", "prefetchw (%rax)",
		"movsb", "movsw", "movsl", "movsq", "stosb", "stosw", "stosl", "stosq", "lodsb", "lodsw", "lodsl", "lodsq", "cmpsb", "cmpsw", "cmpsl", "cmpsq", "scasb", "scasw", "scasl", "scasq",
		"rep movsb", "rep movsq", "rep stosb", "rep stosl", "rep stosq", "repe cmpsb", "repne scasb", "repe cmpsq", "repne cmpsb", "repe scasb", "rep lodsb",
		"mov %gs:0x10,%rax", "mov %gs:(%rdi),%ecx", "mov %rdx,%gs:0x18", "addl $1,%gs:0x20", "mov %gs:-0x10(,%rdi,8),%rdx", "xchg %rax,%gs:0x28", "incl %gs:0x8",
		"mov %ah,%bl", "mov %bl,%ch", "add %ah,%dh", "movzbl %ah,%ecx", "movsbl %ch,%edx", "xchg %al,%ah", "test %ah,%ah", "cmp $5,%dh", "movnti %rax,M", "movnti %eax,M",
		"xchg %rax,%rcx", "xchg %eax,%r9d", "xchg %rcx,M", "xchg %cl,M", "xchg %ax,%dx",
		"ud2", "int3", "mov 0x1234(%rip),%rax", "mov (%rcx),%rax", "mov %rax,(%rdx)", "div %r15",
	} {
		out = append(out, form{text, "", 0})
	}
	for _, text := range []string{"xadd# A,B", "xadd# A,M", "cmpxchg# A,B", "cmpxchg# A,M"} {
		out = append(out, form{text, "bwlq", 0}, form{"lock " + text, "", 0})
	}
	out = slices.DeleteFunc(out, func(f form) bool { return strings.HasPrefix(f.text, "lock") })
	for _, text := range []string{"lock xaddl %ecx,M", "lock cmpxchgq %rcx,M", "lock addl $1,M", "lock orb $4,M", "lock incq M", "lock btsq $7,M", "cmpxchg8b M", "lock cmpxchg16b 0x80(%rbx)"} {
		f := form{text, "", 0}
		if strings.Contains(text, "or") {
			f.undefined = FlagAF
		}
		if strings.Contains(text, "bts") {
			f.undefined = noBit
		}
		out = append(out, f)
	}
	return out
}()

var regsBySize = map[byte][]string{
	'b': strings.Fields("%al %cl %dl %sil %r8b %r11b %r14b %ah %dh"),
	'w': strings.Fields("%ax %cx %dx %bp %r9w %r12w"),
	'l': strings.Fields("%eax %ecx %edx %ebp %r10d %r13d"),
	'q': strings.Fields("%rax %rcx %rdx %rbp %r8 %r11 %r15"),
}

// write writes forms as assembly: some instances of each.
func (f form) write(r *rand.Rand, instances int) (out []string) {
	sizes := f.sizes
	if sizes == "" {
		sizes = " "
	}
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	memory := func() string {
		return pick([]string{"(%rbx)", "0x18(%rbx)", "-0x20(%rbx)", "0x123(%rbx)", "(%rbx,%rdi,1)", "0x40(%rbx,%rdi,4)", "-0x100(%rbx,%rdi,8)", "0x10(%rsp)", "%gs:0x30", "0x10(%rsi)"})
	}
	for _, size := range []byte(sizes) {
		for range instances {
			regs, high := regsBySize[size], false
			imms := []string{"$1", "$-1", "$0x7f", "$-0x80", "$5"}
			if size == 'l' || size == 'q' {
				imms = append(imms, "$0x12345678", "$-0x1234567")
			}
			if size == 'w' {
				imms = append(imms, "$0x1234")
			}
			a, b, m := "", "", memory()
			if regs != nil {
				a, b = pick(regs), pick(regs)
				high = strings.HasSuffix(a, "h") || strings.HasSuffix(b, "h")
				if high { // which no REX prefix goes with
					a, b, m = pick([]string{"%al", "%cl", "%ah", "%dh"}), pick([]string{"%dl", "%ch", "%bh", "%cl"}), "0x18(%rbx)"
				}
			}
			op, args, _ := strings.Cut(f.text, " ")
			if rest, locked := strings.CutPrefix(f.text, "lock "); locked || strings.HasPrefix(f.text, "rep") {
				op, args = f.text, ""
				if locked {
					i := strings.LastIndex(rest, " ")
					op, args = "lock "+rest[:i], rest[i+1:]
				}
			}
			if size != ' ' {
				op = strings.ReplaceAll(op, "#", string(size))
			}
			rep := strings.NewReplacer("A", a, "B", b, "M", m, "I", pick(imms), "C", pick([]string{"$2", "$3", "$7", "$13", "$31", "$37"}),
				"Rw", pick(regsBySize['w']), "Rl", pick(regsBySize['l']), "Rq", pick(regsBySize['q']), "Sb", pick([]string{"%al", "%cl", "%r8b", "%sil"}), "Sw", pick(regsBySize['w']))
			out = append(out, op+" "+rep.Replace(args))
		}
	}
	return out
}

// assemble is the bytes of each instruction.
func assemble(t *testing.T, lines []string) [][]byte {
	t.Helper()
	dir := t.TempDir()
	var src strings.Builder
	for i, l := range lines {
		fmt.Fprintf(&src, ".globl c%d\nc%d: %s\n", i, i, l)
	}
	fmt.Fprintf(&src, ".globl c%d\nc%d:\n", len(lines), len(lines))
	obj := filepath.Join(dir, "cases.o")
	cmd := exec.Command("as", "--64", "-o", obj)
	cmd.Stdin = strings.NewReader(src.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("as: %v\n%s", err, out)
	}
	f, err := elf.Open(obj)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	syms, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	text, _ := f.Section(".text").Data()
	at := map[string]uint64{}
	for _, s := range syms {
		at[s.Name] = s.Value
	}
	var out [][]byte
	for i := range lines {
		out = append(out, text[at[fmt.Sprintf("c%d", i)]:at[fmt.Sprintf("c%d", i+1)]])
	}
	return out
}

// A testCase is an instruction and the seed of registers and memory.
type testCase struct {
	form      string
	code      []byte
	seed      uint64
	undefined uint64
}

// A result is the state after a case.
type result struct {
	sig     uint64
	r       [16]uint64
	flags   uint64
	pc      uint64
	scratch [emu.PageSize / 8]uint64
}

// start is the state before a case.
func (c *testCase) start() *result {
	rnd := rand.New(rand.NewPCG(c.seed, 1))
	special := []uint64{0, 1, ^uint64(0), 1 << 63, 1<<63 - 1, 0x80, 0x7f, 0xffff_ffff, 0x8000_0000, 0x7fff_ffff, 0xff, 0x100, 0x8000, 37}
	s := &result{pc: codeAt}
	for i := range s.r {
		s.r[i] = rnd.Uint64()
		switch rnd.IntN(4) {
		case 0:
			s.r[i] = special[rnd.IntN(len(special))]
		case 1:
			s.r[i] >>= rnd.IntN(64)
		}
	}
	s.r[RBX] = scratchAt + 1024 + 16*uint64(rnd.IntN(16))
	s.r[RSP] = scratchAt + 2048 + 8*uint64(rnd.IntN(16))
	s.r[RSI] = scratchAt + 512 + uint64(rnd.IntN(64))
	s.r[RDI] = uint64(rnd.IntN(32))
	if name := c.form; strings.Contains(name, "stos") || strings.HasPrefix(name, "movs") && !strings.Contains(name, " ") || strings.Contains(name, "rep") ||
		strings.HasPrefix(name, "cmps") || strings.HasPrefix(name, "scas") {
		s.r[RDI] = scratchAt + 1536 + uint64(rnd.IntN(64))
		s.r[RCX] = uint64(rnd.IntN(12))
		if rnd.IntN(2) == 0 { // equal strings
			s.r[RDI] = s.r[RSI]
		}
	}
	if c.form == "leave" {
		s.r[RBP] = scratchAt + 3000
	}
	if strings.HasPrefix(c.form, "bt") {
		s.r[RDI] = uint64(int64(rnd.IntN(2048)) - 1024)
		if strings.Contains(c.form, "M") && !strings.Contains(c.form, "%") {
			s.r[RDI] &= 31
		}
	}
	s.flags = rnd.Uint64()&(status|FlagDF) | FlagIF | flagOne
	v := c.seed
	for i := range s.scratch {
		v ^= v << 13
		v ^= v >> 7
		v ^= v << 17
		s.scratch[i] = v
	}
	return s
}

// run executes the case in the emulator.
func (c *testCase) run() *result {
	s := c.start()
	m := &Machine{}
	m.MaxSteps = 1000
	m.Map(codeAt, emu.PageSize, emu.Read|emu.Write|emu.Exec)
	m.Map(scratchAt, emu.PageSize, emu.Read|emu.Write)
	must(m.Write(codeAt, bytes.Repeat([]byte{0xcc}, emu.PageSize)))
	must(m.Write(codeAt, c.code))
	for i, v := range s.scratch {
		must(m.Write64(scratchAt+8*uint64(i), v))
	}
	m.R, m.Flags, m.PC, m.GS = s.r, s.flags, codeAt, gsBase
	err := m.Run(noCode)
	var stop *emu.Stop
	out := &result{}
	if errors.As(err, &stop) {
		switch stop.Reason {
		case emu.Break:
			out.sig = sigtrap
			if b := make([]byte, 1); m.Read(m.PC, b) == nil && b[0] != 0xcc {
				out.sig = sigill
			} else {
				m.PC++ // INT3 traps behind itself
			}
		case emu.Unmapped, emu.Permission, emu.Misaligned:
			out.sig = sigsegv
		case emu.Exception:
			out.sig = sigfpe
		default:
			out.sig = 1000 + uint64(stop.Reason)
		}
	}
	out.r, out.flags, out.pc = m.R, m.Flags, m.PC
	for i := range out.scratch {
		out.scratch[i], _ = m.Read64(scratchAt + 8*uint64(i))
	}
	return out
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// changes is what differs in to.
func changes(from, to *result, undefined uint64) string {
	var out []string
	note := func(name string, a, b uint64) {
		if a != b {
			out = append(out, fmt.Sprintf("%s=%x", name, b))
		}
	}
	for i := range to.r {
		note(regNames[i], from.r[i], to.r[i])
	}
	known := uint64(status|FlagDF) &^ undefined
	note("flags", from.flags&known, to.flags&known)
	if to.sig != sigsegv { // the address of what faults
		note("pc", from.pc, to.pc)
	}
	for i := range to.scratch {
		note("m"+strconv.FormatInt(int64(i), 16), from.scratch[i], to.scratch[i])
	}
	return strings.Join(out, " ")
}

// An answer is a case with its result.
type answer struct {
	testCase
	sig     uint64
	changes string
}

// TestAnswersOfQemu compares the emulator with the table of qemu's answers. With
// -update it asks qemu-x86_64 anew.
func TestAnswersOfQemu(t *testing.T) {
	if *update {
		updateAnswers(t)
	}
	answers := readAnswers(t)
	seen := map[string]bool{}
	bad := 0
	for _, a := range answers {
		seen[a.form] = true
		got := a.run()
		if diff := changes(a.start(), got, a.undefined); got.sig != a.sig || diff != a.changes {
			if bad++; bad < 40 {
				t.Errorf("%s (% x), seed %x: signal %d, %s\nqemu: signal %d, %s", a.form, a.code, a.seed, got.sig, diff, a.sig, a.changes)
			}
		}
	}
	for _, f := range formsTested {
		if !seen[f.text] {
			t.Errorf("no answer for %s", f.text)
		}
	}
	if len(answers) < 3000 {
		t.Errorf("%d answers, more were expected", len(answers))
	}
}

func readAnswers(t *testing.T) (out []answer) {
	t.Helper()
	file, err := os.Open(answersFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		if len(f) != 6 {
			t.Fatalf("%s: a line has %d fields, 6 were expected: %q", answersFile, len(f), lines.Text())
		}
		code, err := hex.DecodeString(f[1])
		if err != nil {
			t.Fatal(err)
		}
		number := func(s string) uint64 {
			v, err := strconv.ParseUint(s, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		out = append(out, answer{testCase{f[0], code, number(f[2]), number(f[3])}, number(f[4]), f[5]})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// casesOf are cases of every form.
func casesOf(t *testing.T, seed uint64, instances, seeds int) (out []testCase) {
	r := rand.New(rand.NewPCG(seed, 2))
	var lines []string
	var forms []form
	for _, f := range formsTested {
		n := instances
		if !strings.ContainsAny(f.text, "ABMICRS") {
			n = 1
		}
		for _, l := range f.write(r, n) {
			lines, forms = append(lines, l), append(forms, f)
		}
	}
	for i, code := range assemble(t, lines) {
		for range seeds {
			out = append(out, testCase{forms[i].text, code, r.Uint64() >> 16, forms[i].undefined})
		}
	}
	return out
}

// ask executes cases by the command, and gives their results.
func ask(t *testing.T, cases []testCase, command ...string) []result {
	t.Helper()
	var in bytes.Buffer
	for i := range cases {
		c := &cases[i]
		s := c.start()
		for _, v := range append(s.r[:], s.flags, c.seed, uint64(len(c.code))) {
			_ = binary.Write(&in, binary.LittleEndian, v)
		}
		var code [maxCode]byte
		copy(code[:], c.code)
		in.Write(code[:])
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	data, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, &stderr)
	}
	out := make([]result, len(cases))
	rd := bytes.NewReader(data)
	for i := range out {
		var raw struct {
			Sig     uint64
			R       [16]uint64
			Flags   uint64
			PC      uint64
			Scratch [emu.PageSize / 8]uint64
		}
		if err := binary.Read(rd, binary.LittleEndian, &raw); err != nil {
			t.Fatalf("%v: result %d of %d (%s, % x): %v", command, i, len(out), cases[i].form, cases[i].code, err)
		}
		out[i] = result{raw.Sig, raw.R, raw.Flags, raw.PC, raw.Scratch}
	}
	if n, _ := io.Copy(io.Discard, rd); n != 0 {
		t.Fatalf("%v: %d bytes too many", command, n)
	}
	return out
}

// harness builds the harness.
func harness(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "harness")
	if b, err := exec.Command("gcc", "-O1", "-static", "-o", out, "testdata/harness.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, b)
	}
	return out
}

const qemu = "qemu-x86_64"

func updateAnswers(t *testing.T) {
	cases := casesOf(t, 1, 3, 4)
	path := harness(t)
	results := ask(t, cases, qemu, "-cpu", "max", path)
	var text bytes.Buffer
	for i, c := range cases {
		r := results[i]
		fmt.Fprintf(&text, "%s\t%x\t%x\t%x\t%x\t%s\n", c.form, c.code, c.seed, c.undefined, r.sig, changes(c.start(), &r, c.undefined))
	}
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	z.Write(text.Bytes())
	z.Close()
	if err := os.WriteFile(answersFile, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDifferential compares the emulator with qemu-x86_64, form by form, over random
// registers, flags and memory.
func TestDifferential(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: the table of qemu's answers is enough")
	}
	for _, tool := range []string{qemu, "gcc", "as"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skipf("SKIPPED: no %s", tool)
		}
	}
	cases := casesOf(t, rand.Uint64(), 4, 8)
	path := harness(t)
	bad := 0
	for i, want := range ask(t, cases, qemu, "-cpu", "max", path) {
		c := &cases[i]
		got := c.run()
		a, b := changes(c.start(), got, c.undefined), changes(c.start(), &want, c.undefined)
		if got.sig != want.sig || a != b {
			if bad++; bad < 20 {
				t.Errorf("%s (% x), seed %x: signal %d, %s\nqemu: signal %d, %s", c.form, c.code, c.seed, got.sig, a, want.sig, b)
			}
		}
	}
	t.Logf("%d cases of %d forms", len(cases), len(formsTested))
}
