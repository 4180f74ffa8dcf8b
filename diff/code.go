package diff

import (
	"debug/elf"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pmezard/go-difflib/difflib"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
)

// Code is a function, or a piece of the entry code, whose instructions changed.
type Code struct {
	Name string
	Rows []Row // none if one of the kernels does not have it
	Has  [2]bool
}

// A Row is an instruction of the old kernel and of the new one, side by side.
type Row struct {
	Old, New *Line // nil: there is none
	Differs  bool
}

// A Line is one instruction, or a piece of data among instructions.
type Line struct {
	Addr uint64
	Word string // the word in hex or, where instructions differ in size, their bytes
	Text string

	key    string // what is compared: it has no address
	target uint64 // of a branch within the function
}

// archFunctions are the functions of the architecture that ftrace, kprobes, the module
// loader and BPF's trampolines call.
var archFunctions = []string{
	"ftrace_call_adjust", "ftrace_init_nop", "ftrace_make_call", "ftrace_modify_call", "ftrace_make_nop", "ftrace_update_ftrace_func",
	"arch_ftrace_update_code", "arch_ftrace_update_trampoline", "arch_ftrace_trampoline_free", "arch_ftrace_trampoline_func",
	"ftrace_enable_ftrace_graph_caller", "ftrace_disable_ftrace_graph_caller", "ftrace_graph_func", "prepare_ftrace_return", "ftrace_return_to_handler",
	"aarch64_insn_read", "aarch64_insn_write", "aarch64_insn_write_literal_u64", "aarch64_insn_patch_text_nosync",
	"aarch64_insn_gen_branch_imm", "aarch64_insn_gen_nop", "aarch64_insn_gen_move_reg",
	"module_frob_arch_sections", "module_emit_plt_entry", "module_init_layout_section", "module_finalize",
	"arch_prepare_bpf_trampoline", "arch_bpf_trampoline_size", "bpf_arch_text_poke",
	"kretprobe_trampoline", "__kretprobe_trampoline", "arch_rethook_trampoline", "arch_rethook_prepare", "arch_prepare_kretprobe",
}

// code compares the entry code, the architecture's functions, and the functions of
// their files that these call.
func code(old, new *elfscan.Image) (list []Code) {
	names := slices.Concat(old.Arch().EntryPoints, archFunctions)
	for i := 0; i < len(names); i++ {
		o, has1 := old.Lookup(names[i])
		n, has2 := new.Lookup(names[i])
		if !has1 && !has2 {
			continue
		}
		c := Code{Name: names[i], Has: [2]bool{has1, has2}}
		var a, b []Line
		if has1 {
			a = lines(old, o)
		}
		if has2 {
			b = lines(new, n)
		}
		for _, callee := range slices.Concat(callees(old, a), callees(new, b)) {
			if !slices.Contains(names, callee) {
				names = append(names, callee)
			}
		}
		if has1 && has2 {
			c.Rows = align(a, b)
		}
		if has1 != has2 || slices.ContainsFunc(c.Rows, func(r Row) bool { return r.Differs }) {
			list = append(list, c)
		}
	}
	return list
}

// callees are the local functions that the lines call: helpers of the same file.
func callees(im *elfscan.Image, list []Line) (names []string) {
	for _, l := range list {
		in, _ := im.Insn(l.Addr)
		if in.Flow != arch.Calls {
			continue
		}
		to := in.Target
		if s, ok := im.SymbolAt(to); ok && s.Bind == elf.STB_LOCAL && s.Addr == to && s.Type == elf.STT_FUNC {
			names = append(names, s.Name)
		}
	}
	return names
}

// number is the number that a compiler or a linker adds to a name.
var number = regexp.MustCompile(`(\.(isra|constprop|part|llvm|lto_priv))?\.[0-9]+$`)

// place is an address by its name, without what another layout changes.
func place(im *elfscan.Image, addr uint64) string {
	section, ok := im.SectionAt(addr)
	if !ok {
		return "?"
	}
	s, ok := im.SymbolAt(addr)
	if ok && (s.Addr == addr || addr < s.End()) {
		name := s.Name
		for number.MatchString(name) {
			name = number.ReplaceAllString(name, "")
		}
		if s.Addr != addr {
			name += fmt.Sprintf("+%#x", addr-s.Addr)
		}
		return name
	}
	if !section.Executable() {
		if text, ok := stringAt(im, addr); ok {
			return fmt.Sprintf("%q", text)
		}
	}
	return section.Name
}

// stringAt is the text at addr, if that is one.
func stringAt(im *elfscan.Image, addr uint64) (string, bool) {
	const most = 120
	b := make([]byte, most)
	for len(b) > 1 && !im.ReadAt(addr, b) {
		b = b[:len(b)/2]
	}
	text, _, ok := strings.Cut(string(b), "\x00")
	plain := !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r > 8 || r > '~' })
	return text, ok && plain && text != ""
}

// lines are the instructions of a function.
func lines(im *elfscan.Image, fn elfscan.Symbol) []Line {
	if im.Arch().InsnSize == a64.Size {
		return words(im, fn)
	}
	return instructions(im, fn)
}

// address is a number in an instruction's words that can be an address.
var address = regexp.MustCompile(`-?0x[0-9a-f]{7,16}`)

// instructions are those of a function of an architecture whose instructions differ in
// size. An operand that is the address of something is compared by its name.
func instructions(im *elfscan.Image, fn elfscan.Symbol) (list []Line) {
	for addr := fn.Addr; addr < fn.End(); {
		code := im.Code(addr, int(min(fn.End()-addr, uint64(im.Arch().MaxInsn))))
		if len(code) == 0 {
			break
		}
		l := Line{Addr: addr}
		size := 0
		l.Text, size = im.Arch().Text(code, addr, im.Name)
		l.key, _ = im.Arch().Text(code, addr, func(a uint64) string {
			if fn.Addr <= a && a < fn.End() {
				l.target = a
				return "."
			}
			return place(im, a)
		})
		l.key = address.ReplaceAllStringFunc(l.key, func(number string) string {
			digits, negative := strings.CutPrefix(number, "-")
			v, _ := strconv.ParseUint(digits, 0, 64)
			if negative {
				v = -v
			}
			if _, ok := im.SectionAt(v); !ok {
				return number
			}
			return place(im, v)
		})
		l.Word = fmt.Sprintf("% x", code[:size])
		list = append(list, l)
		addr += uint64(size)
	}
	return list
}

// words are the instructions of a function of arm64.
func words(im *elfscan.Image, fn elfscan.Symbol) (list []Line) {
	data := literals(im, fn)
	pages := map[int]uint64{} // of registers, by ADRP
	for addr := fn.Addr; addr < fn.End(); addr += a64.Size {
		w, ok := im.Word(addr)
		if !ok {
			break
		}
		l := Line{Addr: addr, Word: fmt.Sprintf("%#08x", w)}
		if size := data[addr]; size > 0 {
			l.key = literal(im, addr, size)
			l.Text = l.key
			list = append(list, l)
			if size == 8 {
				addr += a64.Size
			}
			continue
		}
		l.Text = a64.Text(w, addr, im.Name)
		kind := a64.Classify(w)
		target, relative := a64.Target(w, addr)
		switch {
		case kind == a64.ADRP:
			l.key = fmt.Sprintf("adrp x%d", a64.Rd(w))
		case relative && fn.Addr <= target && target < fn.End():
			l.key, l.target = a64.Text(w, addr, func(uint64) string { return "." }), target
		case relative:
			l.key = a64.Text(w, addr, func(a uint64) string { return place(im, a) })
		default:
			l.key = fmt.Sprintf("%08x", w)
			if page, ok := pages[a64.Rn(w)]; ok {
				if off, ok := offset(w); ok {
					l.key = fmt.Sprintf("%08x %s", w&^(0xfff<<10), place(im, page+off))
					l.Text += "  // " + im.Name(page+off)
				}
			}
		}
		written(w, kind, pages)
		if kind == a64.ADRP {
			pages[a64.Rd(w)] = target
		}
		list = append(list, l)
	}
	return list
}

// offset is the offset that an instruction adds to a page: of ADD (immediate), or of a
// load or store with an unsigned offset, in bytes.
func offset(w uint32) (off uint64, ok bool) {
	imm := uint64(w >> 10 & 0xfff)
	switch {
	case w&0xffc00000 == 0x91000000: // ADD, 64-bit, not shifted
		return imm, true
	case w&0x3b000000 == 0x39000000: // load or store, unsigned offset
		scale := w >> 30
		if w>>26&1 == 1 && w>>23&1 == 1 { // 128-bit
			scale = 4
		}
		return imm << scale, true
	}
	return 0, false
}

// written forgets the pages of the registers that an instruction writes.
func written(w uint32, kind a64.Kind, pages map[int]uint64) {
	switch {
	case kind == a64.Call || kind == a64.BLR:
		for r := range 19 {
			delete(pages, r)
		}
	case w&0x0a000000 == 0x08000000 && w>>22&1 == 0: // a store
	case kind == a64.Branch, kind == a64.BCond, kind == a64.CBZ, kind == a64.TBZ:
	default:
		delete(pages, a64.Rd(w))
		if w&0x3a000000 == 0x28000000 { // LDP
			delete(pages, int(w>>10&31))
		}
	}
}

// literals are the literals among the instructions of a function, with their sizes.
func literals(im *elfscan.Image, fn elfscan.Symbol) map[uint64]int {
	data := map[uint64]int{}
	for addr := fn.Addr; addr < fn.End(); addr += a64.Size {
		w, ok := im.Word(addr)
		if !ok {
			break
		}
		if target, _ := a64.Target(w, addr); a64.Classify(w) == a64.LDRLit && fn.Addr <= target && target < fn.End() {
			data[target] = 4
			if w>>30 == 1 { // of 64 bits
				data[target] = 8
			}
		}
	}
	return data
}

// literal is a literal in words: an address by its name.
func literal(im *elfscan.Image, addr uint64, size int) string {
	if size == 8 {
		v, _ := im.Uint64(addr)
		if _, ok := im.SectionAt(v); ok {
			return ".quad " + place(im, v)
		}
		return fmt.Sprintf(".quad %#x", v)
	}
	w, _ := im.Word(addr)
	return fmt.Sprintf(".word %#x", w)
}

// align lays two functions side by side. Branches within them are the same if they go
// to instructions that stand side by side.
func align(a, b []Line) (rows []Row) {
	keys := func(list []Line) (out []string) {
		for _, l := range list {
			out = append(out, l.key)
		}
		return out
	}
	beside := map[uint64]uint64{} // address in b of what stands beside an address in a
	m := difflib.NewMatcherWithJunk(keys(a), keys(b), false, nil)
	for _, op := range m.GetOpCodes() {
		for i := range max(op.I2-op.I1, op.J2-op.J1) {
			r := Row{Differs: op.Tag != 'e'}
			if op.I1+i < op.I2 {
				r.Old = &a[op.I1+i]
			}
			if op.J1+i < op.J2 {
				r.New = &b[op.J1+i]
			}
			if r.Old != nil && r.New != nil {
				beside[r.Old.Addr] = r.New.Addr
			}
			rows = append(rows, r)
		}
	}
	for i := range rows {
		if r := &rows[i]; !r.Differs && r.Old.target != 0 {
			r.Differs = beside[r.Old.target] != r.New.target
		}
	}
	return rows
}
