package emu

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/arch/arm64/arm64asm"
)

func asm(w uint32) (arm64asm.Inst, error) {
	return arm64asm.Decode(binary.LittleEndian.AppendUint32(nil, w))
}

// aliases are the names that arm64asm has for special cases of an
// instruction, or for another address mode.
var aliases = map[string]string{
	"CMN": "ADDS", "CMP": "SUBS", "TST": "ANDS", "NEG": "SUB", "NEGS": "SUBS", "NGC": "SBC", "NGCS": "SBCS", "MVN": "ORN",
	"MOV": "ORR MOVN MOVZ INS UMOV",
	"ASR": "SBFM ASRV", "LSL": "UBFM LSLV", "LSR": "UBFM LSRV", "ROR": "EXTR RORV",
	"SBFIZ": "SBFM", "SBFX": "SBFM", "SXTB": "SBFM", "SXTH": "SBFM", "SXTW": "SBFM", "BFI": "BFM", "BFXIL": "BFM",
	"UBFIZ": "UBFM", "UBFX": "UBFM", "UXTB": "UBFM", "UXTH": "UBFM",
	"CINC": "CSINC", "CSET": "CSINC", "CINV": "CSINV", "CSETM": "CSINV", "CNEG": "CSNEG",
	"MUL": "MADD", "MNEG": "MSUB", "SMULL": "SMADDL", "SMNEGL": "SMSUBL", "UMULL": "UMADDL", "UMNEGL": "UMSUBL",
	"NOP": "HINT", "SEV": "HINT", "SEVL": "HINT", "WFE": "HINT", "WFI": "HINT", "YIELD": "HINT",
	"DC": "SYS", "IC": "SYS", "TLBI": "SYS",
	"LDUR": "LDR", "LDURB": "LDRB", "LDURH": "LDRH", "LDURSB": "LDRSB", "LDURSH": "LDRSH", "LDURSW": "LDRSW",
	"LDTR": "LDR", "LDTRB": "LDRB", "LDTRH": "LDRH", "LDTRSB": "LDRSB", "LDTRSH": "LDRSH", "LDTRSW": "LDRSW",
	"STUR": "STR", "STURB": "STRB", "STURH": "STRH", "STTR": "STR", "STTRB": "STRB", "STTRH": "STRH", "PRFUM": "PRFM",
}

// TestArm64asm compares the table of forms with arm64asm. Words that both know are
// the same instruction, and the table has each instruction of general registers
// that arm64asm knows, but for those listed here.
func TestArm64asm(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(9, 10))}
	for i := range forms {
		f := &forms[i]
		for range 50 {
			w := g.word(f)
			inst, err := asm(w)
			if err != nil || !executes(w) {
				continue
			}
			name := inst.Op.String()
			if a, ok := aliases[name]; ok {
				name = a
			}
			same := false
			for _, n := range strings.Fields(name) {
				same = same || strings.Contains(" "+strings.ReplaceAll(f.name, ",", " ")+" ", " "+n+" ")
			}
			if f.name == "B.cond" {
				same = name == "B"
			}
			if !same {
				t.Errorf("%#08x is %s, arm64asm says %s", w, f.name, inst.Op)
			}
		}
	}

	// The listed words of these have bits that should be one and are not
	// (arm64asm does not mind), or belong to debuggers and firmware.
	known := "DCPS1 DCPS2 DCPS3 SYSL SMULH UMULH LDAR LDARB LDARH STLR STLRB STLRH LDAXP LDAXR LDAXRB LDAXRH " +
		"LDXP LDXR LDXRB LDXRH STLXR STLXRB STLXRH STXR STXRB STXRH"
	for range 200000 {
		w := g.Uint32()
		if executes(w) || formOf(w) != nil {
			continue
		}
		inst, err := asm(w)
		if err != nil || simd(inst) {
			continue
		}
		if !strings.Contains(" "+known+" ", " "+inst.Op.String()+" ") {
			t.Errorf("%#08x: arm64asm knows %v", w, inst)
		}
	}
}

// simd reports whether an operand is a SIMD register.
func simd(inst arm64asm.Inst) bool {
	for _, a := range inst.Args {
		switch a := a.(type) {
		case arm64asm.Reg:
			if a >= arm64asm.B0 {
				return true
			}
		case arm64asm.RegisterWithArrangement, arm64asm.RegisterWithArrangementAndIndex:
			return true
		}
	}
	return false
}

// TestFormsDisjoint: a word has one form.
func TestFormsDisjoint(t *testing.T) {
	for i, a := range forms {
		if a.value&^a.mask != 0 {
			t.Errorf("%s: value %#x has bits outside mask %#x", a.name, a.value, a.mask)
		}
		for _, b := range forms[:i] {
			if a.name == b.name {
				t.Errorf("%s: twice", a.name)
			}
			if (a.value^b.value)&a.mask&b.mask == 0 {
				t.Errorf("%s and %s overlap", b.name, a.name)
			}
		}
	}
}
