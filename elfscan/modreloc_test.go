package elfscan

import (
	"debug/elf"
	"testing"

	"github.com/ftlint/ftlint/a64"
)

// Each relocation of an instruction's field has the instruction refer to the
// value that was asked for, to the last bit (AAELF64, "Relocation").
func TestRelocatedWord(t *testing.T) {
	const place = 0xffff_8000_7a40_1234
	type reloc = elf.R_AARCH64
	for _, test := range []struct {
		typ    reloc
		word   uint32
		values []uint64
	}{
		{elf.R_AARCH64_CALL26, 0x94000000, []uint64{place + 4, place - 128<<20, place + 128<<20 - 4}},
		{elf.R_AARCH64_JUMP26, 0x17ffffff, []uint64{place + 0x1000, place - 4}},
		{elf.R_AARCH64_CONDBR19, 0x54ffffe1, []uint64{place + 0x1004, place - 1<<20, place + 1<<20 - 4}},
		{elf.R_AARCH64_LD_PREL_LO19, 0x58000007, []uint64{place + 8, place - 1<<20}},
		{elf.R_AARCH64_TSTBR14, 0xb6f8001e, []uint64{place + 0x7ffc, place - 0x8000}},
		{elf.R_AARCH64_ADR_PREL_LO21, 0x10000003, []uint64{place, place + 1, place + 2, place + 3, place - 1, place - 1<<20, place + 1<<20 - 1}},
		{elf.R_AARCH64_ADR_PREL_LO21, 0x70ffffe3, []uint64{place + 4, place + 0x12345}},
		{elf.R_AARCH64_ADR_PREL_PG_HI21, 0x90000005, []uint64{place, place&^0xfff - 0x1000, place + 0x3000, place - 4<<30}},
		{elf.R_AARCH64_ADR_PREL_PG_HI21_NC, 0xf0ffffe5, []uint64{place + 0x12345678}},
	} {
		for _, value := range test.values {
			w := relocatedWord(test.word, test.typ, place, value)
			want := value
			if a64.Classify(w) == a64.ADRP {
				want &^= 0xfff
			}
			if got, ok := a64.Target(w, place); !ok || got != want ||
				a64.Classify(w) != a64.Classify(test.word) || a64.Rd(w) != a64.Rd(test.word) && a64.Classify(w) >= a64.CBZ {
				t.Errorf("%v for %#x makes %08x, which refers to %#x", test.typ, value, w, got)
			}
		}
	}
	const value = 0x1234_5678_9abc_def0
	for _, test := range []struct {
		typ  reloc
		word uint32
		want uint32
	}{
		{elf.R_AARCH64_ABS32, 0xffffffff, 0x9abcdef0},
		{elf.R_AARCH64_PREL32, 0, 0x9abcdef0 - place&0xffffffff},
		{elf.R_AARCH64_ADD_ABS_LO12_NC, 0x913ffc41, 0x913bc041},     // add x1, x2, #0xef0
		{elf.R_AARCH64_LDST8_ABS_LO12_NC, 0x39400041, 0x397bc041},   // ldrb w1, [x2, #0xef0]
		{elf.R_AARCH64_LDST16_ABS_LO12_NC, 0x79400041, 0x795de041},  // ldrh w1, [x2, #0xef0]
		{elf.R_AARCH64_LDST32_ABS_LO12_NC, 0xb9400041, 0xb94ef041},  // ldr w1, [x2, #0xef0]
		{elf.R_AARCH64_LDST64_ABS_LO12_NC, 0xf9400041, 0xf9477841},  // ldr x1, [x2, #0xef0]
		{elf.R_AARCH64_LDST128_ABS_LO12_NC, 0x3dc00041, 0x3dc3bc41}, // ldr q1, [x2, #0xef0]
		{elf.R_AARCH64_MOVW_UABS_G0_NC, 0xd2800001, 0xd29bde01},     // movz x1, #0xdef0
		{elf.R_AARCH64_MOVW_UABS_G1_NC, 0xf2a00001, 0xf2b35781},     // movk x1, #0x9abc, lsl #16
		{elf.R_AARCH64_MOVW_UABS_G2_NC, 0xf2c00001, 0xf2cacf01},     // movk x1, #0x5678, lsl #32
		{elf.R_AARCH64_MOVW_UABS_G3, 0xf2ffffe1, 0xf2e24681},        // movk x1, #0x1234, lsl #48
	} {
		if got := relocatedWord(test.word, test.typ, place, value); got != test.want {
			t.Errorf("%v makes %08x of %08x, want %08x", test.typ, got, test.word, test.want)
		}
	}
}
