package lint_test

import (
	"path/filepath"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/race"
	"github.com/ftlint/ftlint/world"
)

// patchingNames are the interface that patches text, with what it calls.
var patchingNames = []string{
	"aarch64_insn_read", "aarch64_insn_write", "aarch64_insn_patch_text_nosync", "aarch64_insn_write_literal_u64",
	"core_kernel_text", "caches_clean_inval_pou", "__flush_icache_range",
}

// makerNames are the makers of instructions that ftrace uses. Their local
// functions are mutated as well.
var makerNames = []string{
	"aarch64_insn_gen_branch_imm", "aarch64_insn_gen_move_reg", "aarch64_insn_gen_logical_shifted_reg", "aarch64_insn_gen_adr",
	"aarch64_insn_gen_add_sub_imm", "aarch64_insn_gen_branch_reg", "aarch64_insn_gen_hint", "aarch64_insn_encode_immediate",
	"aarch64_insn_decode_immediate", "aarch64_insn_decode_register", "aarch64_insn_adrp_get_offset", "aarch64_insn_adrp_set_offset",
}

// TestMutationPatching is TestMutation for the interface that patches text and
// for the makers of instructions: one mutant in patchingEvery. With -short it is
// trixie's kernel alone.
func TestMutationPatching(t *testing.T) {
	if race.Enabled {
		t.Skip("SKIPPED: under the race detector: scripts/test has a step for it")
	}
	const patchingEvery = 4
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			if testing.Short() && suite.name != "trixie" {
				t.Skip("SKIPPED: -short")
			}
			path := filepath.Join(needKernel(t, suite.name, suite.inCI), "vmlinux")
			t.Run("interface", func(t *testing.T) {
				mutate(t, bench{path: path, every: patchingEvery, rules: []string{"FT118"}, units: functionUnits(true, patchingNames...), play: playPatching})
			})
			t.Run("makers", func(t *testing.T) {
				mutate(t, bench{path: path, every: patchingEvery, rules: []string{"FT119"}, units: functionUnits(true, makerNames...), play: playMakers})
			})
		})
	}
}

// unhook has functions executed themselves.
func (j *worlds) unhook(names []string) {
	for _, name := range names {
		if fn, ok := j.im.Addr(name); ok {
			j.w.M.Hook(fn, nil)
		}
	}
}

// patchingStandIns are what stands for the rest of the kernel while the interface
// is executed.
func (j *worlds) patchingStandIns() {
	m := j.w.M
	j.unhook(patchingNames)
	guards := func() {
		lock, _ := j.im.Addr("patch_lock")
		v, _ := m.Read32(lock)
		j.note(uint64(v&0xff), m.Sys[emu.DAIF]&0x80)
	}
	j.hook("w", func(x *[31]uint64) {
		guards()
		if j.note(x[2]); x[2] != 0 {
			j.note(x[1] >> 12)
		}
	}, "__set_fixmap")
	copied := func(x *[31]uint64) {
		guards()
		b := make([]byte, min(x[2], 64))
		if m.Read(x[1], b) != nil || j.failing(x[0]) {
			x[0] = ^uint64(13)
			return
		}
		_ = m.Write(x[0], b)
		for _, c := range b {
			j.note(uint64(c))
		}
		x[0] = 0
	}
	j.hook("x", copied, "copy_to_kernel_nofault")
	j.hook("xx", copied, "copy_from_kernel_nofault")
	j.hook("x", func(x *[31]uint64) { x[0] = 0xffff_fc00_0000_0000 + x[0]>>12&0xfffff<<6 }, "vmalloc_to_page")
	j.hook("x", func(x *[31]uint64) { x[0] = m.Sys[emu.DAIF]; m.Sys[emu.DAIF] |= 0xc0 }, "_raw_spin_lock_irqsave")
	j.hook("x", func(x *[31]uint64) { m.Sys[emu.DAIF] = x[1] }, "_raw_spin_unlock_irqrestore")
	j.hook("xw", func(x *[31]uint64) { _ = m.Write32(x[0], 0x80001) }, "queued_spin_lock_slowpath")
	m.OnMaint = func(_ uint64, kind emu.MaintKind, addr uint64) { j.note(uint64(kind), addr>>6) }
}

// jumpedOver are the forward branches in functions over code that nothing else
// goes to: the kernel replaces them when it boots.
func (j *worlds) jumpedOver(names ...string) (list []uint64) {
	for _, name := range names {
		s, _ := j.im.Lookup(name)
		reached := map[uint64]bool{}
		for a := s.Addr; a < s.End(); a += a64.Size {
			w, _ := j.im.Word(a)
			if to, ok := a64.Target(w, a); ok {
				reached[to] = true
			}
		}
		for a := s.Addr; a < s.End(); a += a64.Size {
			w, _ := j.im.Word(a)
			if to, _ := a64.Target(w, a); a64.Classify(w) == a64.Branch && to > a && !reached[a+a64.Size] {
				list = append(list, a)
			}
		}
	}
	return list
}

// playPatching executes the interface on a word anywhere, in a world where copies
// may fail and the lock may be taken.
func playPatching(j *worlds) {
	r, m, im := j.r, j.w.M, j.im
	j.patchingStandIns()
	addr := func(name string) uint64 { a, _ := im.Addr(name); return a }
	set := func(name string, v uint64) { _ = m.Write64(addr(name), v) }
	set("kimage_voffset", r.Uint64()&^(1<<21-1))
	set("memstart_addr", r.Uint64N(1<<40)&^(1<<30-1))
	state := pick(r, 0, 1, uint64(4))
	_ = m.Write32(addr("system_state"), uint32(state))
	_ = m.Write(addr("arm64_use_ng_mappings"), []byte{byte(r.IntN(2))})
	if r.IntN(4) == 0 {
		_ = m.Write32(addr("patch_lock"), 0x40001)
	}
	m.Sys[emu.DAIF] = pick(r, 0, uint64(0xc0))
	edge := func(lo, hi string) uint64 {
		at := pick(r, addr(lo), addr(hi)-8, addr(lo)+r.Uint64N(max(addr(hi)-addr(lo), 1)))
		return min(max(pick(r, at, at&^0xfff, at|0xff8), addr(lo)), addr(hi)-8) &^ 7
	}
	at := edge("_stext", "_etext")
	switch r.IntN(3) {
	case 0:
		at = addr("_text") - 1<<20 - r.Uint64N(1<<26)&^7
		m.Map(at&^0xfff, 8192, emu.Read|emu.Write)
	case 1:
		if state <= 1 {
			at = edge("_sinittext", "_einittext")
		}
	}
	if r.IntN(2) == 0 { // the processor has LSE atomics
		for _, a := range j.jumpedOver("__aarch64_insn_write", "aarch64_insn_write_literal_u64") {
			_ = m.Write32(a, a64.NOP)
		}
	}
	// ftrace patches no exit text. What comes to its end there counts as right.
	exit := state <= 1 && addr("__exittext_begin") != 0 && r.IntN(8) == 0
	if exit {
		at = edge("__exittext_begin", "__exittext_end")
	}
	word := r.Uint64()
	for range 2 {
		mark := len(j.seen)
		switch r.IntN(4) {
		case 0:
			out := j.w.Object(64)
			j.look(out, 64)
			j.call("aarch64_insn_read", 32, at+4*r.Uint64N(2), out)
		case 1:
			j.call("aarch64_insn_write", 32, at+4*r.Uint64N(2), word&0xffff_ffff)
		case 2:
			j.call("aarch64_insn_write_literal_u64", 32, at, word)
		default:
			j.call("aarch64_insn_patch_text_nosync", 32, at+4*r.Uint64N(2)+pick(r, 0, 0, 0, r.Uint64N(4)), word&0xffff_ffff)
		}
		lock, _ := m.Read32(addr("patch_lock"))
		j.note(uint64(lock), m.Sys[emu.DAIF])
		if exit && !j.done {
			j.seen = j.seen[:mark]
		}
	}
}

// playMakers executes makers with operands of their domain and a little beyond.
func playMakers(j *worlds) {
	r := j.r
	j.unhook(makerNames)
	j.hook(quiet, func(x *[31]uint64) { // what they say is not looked at, but that it can be printed
		if bad := j.w.BadMessage(x[0], x[1:8]); bad != "" {
			j.note(uint64(len(bad)))
		}
	}, world.Printers...)
	reg := func() uint64 { return r.Uint64N(33) }
	small := func(n uint64) uint64 { return r.Uint64N(n) }
	pc := j.sites[r.IntN(len(j.sites))].Call
	bits := func(n uint) uint64 {
		return pick(r, r.Uint64N(1<<n), 1<<r.UintN(n), 1<<n-1, 0, 1<<n, 1<<n+1) & 0xffff_ffff
	}
	near := func(n uint) uint64 {
		d := pick(r, r.Uint64N(1<<n)&^3, 1<<n, 1<<n-4, 1<<n+4, 1<<r.UintN(n), r.Uint64N(1<<48))
		return pick(r, pc+d, pc-d)
	}
	j.call("aarch64_insn_gen_branch_imm", 33, pick(r, pc, pc, pc, pc+1), near(27), small(3))
	j.call("aarch64_insn_gen_move_reg", 33, reg(), reg(), small(3))
	j.call("aarch64_insn_gen_logical_shifted_reg", 33, reg(), reg(), reg(), bits(6), small(3), small(9))
	j.call("aarch64_insn_gen_adr", 33, pc, pick(r, near(32), near(20)), reg(), small(3))
	j.call("aarch64_insn_gen_add_sub_imm", 33, reg(), reg(), bits(pick(r, uint(12), 24)), small(3), small(5))
	j.call("aarch64_insn_gen_branch_reg", 33, reg(), small(4))
	j.call("aarch64_insn_gen_hint", 33, small(128)<<5)
	j.call("aarch64_insn_encode_immediate", 33, small(13), pick(r, r.Uint64()&0xffff_ffff, a64.BreakFault), r.Uint64())
	j.call("aarch64_insn_decode_immediate", 33, small(13), r.Uint64()&0xffff_ffff)
	j.call("aarch64_insn_decode_register", 33, small(6), r.Uint64()&0xffff_ffff)
	adrp := 0x9000_0000 | r.Uint64()&0x60ff_ffff
	j.call("aarch64_insn_adrp_get_offset", 33, adrp)
	j.call("aarch64_insn_adrp_set_offset", 33, adrp, r.Uint64()&0xffff_ffff)
}
