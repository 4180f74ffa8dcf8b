package x64

import (
	"golang.org/x/arch/x86/x86asm"

	"github.com/ftlint/ftlint/x64"
)

// forms are the instructions that the machine knows, with what executes them. Those
// of conditions, and string instructions, are in conditional and strings.
var forms = map[x86asm.Op]func(*Machine, *op) bool{
	x86asm.MOV: mov, x86asm.MOVNTI: mov, x86asm.LEA: lea,
	x86asm.MOVZX: mov, x86asm.MOVSX: movSigned, x86asm.MOVSXD: movSigned,
	x86asm.XCHG: xchg, x86asm.BSWAP: bswap,
	x86asm.PUSH: push, x86asm.POP: pop, x86asm.LEAVE: leave,
	x86asm.PUSHFQ: pushf, x86asm.PUSHF: pushf, x86asm.POPFQ: popf, x86asm.POPF: popf,
	x86asm.LAHF: lahf, x86asm.SAHF: sahf,

	x86asm.ADD: arith(add), x86asm.ADC: arith(adc), x86asm.SUB: arith(sub), x86asm.SBB: arith(sbb),
	x86asm.AND: arith(and), x86asm.OR: arith(or), x86asm.XOR: arith(xor),
	x86asm.CMP: compare(sub), x86asm.TEST: compare(and),
	x86asm.NOT: not, x86asm.NEG: neg, x86asm.INC: inc, x86asm.DEC: dec,
	x86asm.MUL: mul, x86asm.IMUL: imul, x86asm.DIV: div, x86asm.IDIV: idiv,
	x86asm.CBW: widen, x86asm.CWDE: widen, x86asm.CDQE: widen,
	x86asm.CWD: spread, x86asm.CDQ: spread, x86asm.CQO: spread,

	x86asm.SHL: shift(shl), x86asm.SHR: shift(shr), x86asm.SAR: shift(sar),
	x86asm.ROL: shift(rol), x86asm.ROR: shift(ror), x86asm.RCL: shift(rcl), x86asm.RCR: shift(rcr),
	x86asm.SHLD: shld, x86asm.SHRD: shrd,
	x86asm.BT: bit(btKeep), x86asm.BTS: bit(btSet), x86asm.BTR: bit(btReset), x86asm.BTC: bit(btFlip),
	x86asm.BSF: scan(false), x86asm.BSR: scan(true), x86asm.TZCNT: count(trailing), x86asm.LZCNT: count(leading), x86asm.POPCNT: count(ones),

	x86asm.XADD: xadd, x86asm.CMPXCHG: cmpxchg, x86asm.CMPXCHG8B: cmpxchg2, x86asm.CMPXCHG16B: cmpxchg2,

	x86asm.CLC: setFlag(FlagCF, false), x86asm.STC: setFlag(FlagCF, true), x86asm.CMC: cmc,
	x86asm.CLD: setFlag(FlagDF, false), x86asm.STD: setFlag(FlagDF, true),
	x86asm.CLI: setFlag(FlagIF, false), x86asm.STI: setFlag(FlagIF, true),
	x64.CLAC: setFlag(FlagAC, false), x64.STAC: setFlag(FlagAC, true),

	x86asm.CALL: call, x86asm.RET: ret, x86asm.JMP: jmp,
	x86asm.JRCXZ: jrcxz, x86asm.LOOP: loop,

	x86asm.NOP: nop, x64.ENDBR64: nop, x86asm.PAUSE: nop, x86asm.LFENCE: nop, x86asm.MFENCE: nop, x86asm.SFENCE: nop,
	x86asm.PREFETCHT0: nop, x86asm.PREFETCHT1: nop, x86asm.PREFETCHT2: nop, x86asm.PREFETCHNTA: nop, x86asm.PREFETCHW: nop,
	x86asm.RDTSC: rdtsc,

	x86asm.INT: trap, x86asm.UD0: trap, x86asm.UD1: trap, x86asm.UD2: trap,

	x86asm.MOVSB: str(movs, 1, false), x86asm.MOVSW: str(movs, 2, false), x86asm.MOVSD: str(movs, 4, false), x86asm.MOVSQ: str(movs, 8, false),
	x86asm.STOSB: str(stos, 1, false), x86asm.STOSW: str(stos, 2, false), x86asm.STOSD: str(stos, 4, false), x86asm.STOSQ: str(stos, 8, false),
	x86asm.LODSB: str(lods, 1, false), x86asm.LODSW: str(lods, 2, false), x86asm.LODSD: str(lods, 4, false), x86asm.LODSQ: str(lods, 8, false),
	x86asm.CMPSB: str(cmps, 1, true), x86asm.CMPSW: str(cmps, 2, true), x86asm.CMPSD: str(cmps, 4, true), x86asm.CMPSQ: str(cmps, 8, true),
	x86asm.SCASB: str(scas, 1, true), x86asm.SCASW: str(scas, 2, true), x86asm.SCASD: str(scas, 4, true), x86asm.SCASQ: str(scas, 8, true),
}

// conditional are the instructions with a condition, by condition (SDM, volume 2,
// appendix B): Jcc, SETcc, CMOVcc.
var conditional = [16][3]x86asm.Op{
	{x86asm.JO, x86asm.SETO, x86asm.CMOVO}, {x86asm.JNO, x86asm.SETNO, x86asm.CMOVNO},
	{x86asm.JB, x86asm.SETB, x86asm.CMOVB}, {x86asm.JAE, x86asm.SETAE, x86asm.CMOVAE},
	{x86asm.JE, x86asm.SETE, x86asm.CMOVE}, {x86asm.JNE, x86asm.SETNE, x86asm.CMOVNE},
	{x86asm.JBE, x86asm.SETBE, x86asm.CMOVBE}, {x86asm.JA, x86asm.SETA, x86asm.CMOVA},
	{x86asm.JS, x86asm.SETS, x86asm.CMOVS}, {x86asm.JNS, x86asm.SETNS, x86asm.CMOVNS},
	{x86asm.JP, x86asm.SETP, x86asm.CMOVP}, {x86asm.JNP, x86asm.SETNP, x86asm.CMOVNP},
	{x86asm.JL, x86asm.SETL, x86asm.CMOVL}, {x86asm.JGE, x86asm.SETGE, x86asm.CMOVGE},
	{x86asm.JLE, x86asm.SETLE, x86asm.CMOVLE}, {x86asm.JG, x86asm.SETG, x86asm.CMOVG},
}

// A condition is how an instruction with a condition is executed.
type condition struct {
	do func(*Machine, *op) bool
	cc uint8
}

var conditions = func() map[x86asm.Op]condition {
	out := map[x86asm.Op]condition{}
	for cc, ops := range conditional {
		for i, do := range []func(*Machine, *op) bool{jcc, setcc, cmov} {
			out[ops[i]] = condition{do, uint8(cc)}
		}
	}
	return out
}()

// compile is the op of an instruction at pc. ok is false if the machine does not know
// it.
func compile(in *x64.Insn, pc uint64) (o *op, ok bool) {
	o = &op{len: uint8(in.Len), kind: in.Kind}
	next := pc + uint64(in.Len)
	if c, found := conditions[in.Op]; found {
		o.do, o.cc = c.do, c.cc
	} else if o.do = forms[in.Op]; o.do == nil {
		return nil, false
	}
	for _, p := range in.Prefix {
		switch p &^ (x86asm.PrefixImplicit | x86asm.PrefixIgnored) {
		case x86asm.PrefixREP, x86asm.PrefixREPN:
			if p&x86asm.PrefixIgnored == 0 {
				o.rep = uint8(p)
			}
		case x86asm.PrefixLOCK:
			o.lock = true
		}
	}
	for i, p := range []*operand{&o.a, &o.b, &o.c} {
		if *p, ok = operandOf(in, in.Args[i], next); !ok {
			if in.Kind == x64.Nop || in.Kind == x64.Trap {
				continue // its operands mean nothing
			}
			return nil, false
		}
	}
	if in.Args[3] != nil {
		return nil, false
	}
	switch {
	case o.a.kind == reg || o.a.kind == regHigh || o.a.kind == mem:
		o.size = o.a.size
	default:
		o.size = uint8(in.DataSize / 8)
	}
	// Immediates are as wide as the operation.
	for _, p := range []*operand{&o.b, &o.c} {
		if p.kind == imm && o.size < 8 && o.size > 0 {
			p.disp &= mask(o.size)
		}
	}
	if t, direct := in.Target(pc); direct && in.PCRel > 0 {
		o.to = t
	}
	return o, true
}
