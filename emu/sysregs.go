package emu

// A SysReg is a system register that only holds the value that was written to it,
// as an index of Machine.Sys.
type SysReg uint8

const (
	SPEL0 SysReg = iota // SP_EL0: the kernel's current task
	SPEL1
	TPIDREL0
	TPIDRROEL0
	TPIDREL1 // the kernel's per-CPU offset
	TPIDREL2 // the same, for a kernel that runs at EL2
	DAIF     // interrupt masks, bits 9..6; MSR DAIFSet and DAIFClr change it
	SPSel
	PAN
	UAO
	DIT
	SSBS
	TCO
	ELREL1
	SPSREL1
	ESREL1
	FAREL1
	PAREL1
	SCTLREL1
	TTBR0EL1
	TTBR1EL1
	TCREL1
	MAIREL1
	VBAREL1
	CONTEXTIDREL1
	CPACREL1
	MDSCREL1
	ICCPMREL1
	FPCR
	FPSR
	numSysRegs
)

// sysReg is the fields of MRS, MSR and SYS in the place that they have in the
// word.
func sysReg(op0, op1, crn, crm, op2 uint32) uint32 {
	return op0<<19 | op1<<16 | crn<<12 | crm<<8 | op2<<5
}

func sysRegFields(w uint32) (op0, op1, crn, crm, op2 uint32) {
	return w >> 19 & 3, w >> 16 & 7, w >> 12 & 15, w >> 8 & 15, w >> 5 & 7
}

const sysRegMask = 0x1fffe0

// storedSysRegs are the registers that are plain storage. Encodings are from
// DDI 0487, D19.
var storedSysRegs = map[uint32]SysReg{
	sysReg(3, 0, 4, 1, 0):  SPEL0,
	sysReg(3, 4, 4, 1, 0):  SPEL1,
	sysReg(3, 3, 13, 0, 2): TPIDREL0,
	sysReg(3, 3, 13, 0, 3): TPIDRROEL0,
	sysReg(3, 0, 13, 0, 4): TPIDREL1,
	sysReg(3, 4, 13, 0, 2): TPIDREL2,
	sysReg(3, 3, 4, 2, 1):  DAIF,
	sysReg(3, 0, 4, 2, 0):  SPSel,
	sysReg(3, 0, 4, 2, 3):  PAN,
	sysReg(3, 0, 4, 2, 4):  UAO,
	sysReg(3, 3, 4, 2, 5):  DIT,
	sysReg(3, 3, 4, 2, 6):  SSBS,
	sysReg(3, 3, 4, 2, 7):  TCO,
	sysReg(3, 0, 4, 0, 1):  ELREL1,
	sysReg(3, 0, 4, 0, 0):  SPSREL1,
	sysReg(3, 0, 5, 2, 0):  ESREL1,
	sysReg(3, 0, 6, 0, 0):  FAREL1,
	sysReg(3, 0, 7, 4, 0):  PAREL1,
	sysReg(3, 0, 1, 0, 0):  SCTLREL1,
	sysReg(3, 0, 2, 0, 0):  TTBR0EL1,
	sysReg(3, 0, 2, 0, 1):  TTBR1EL1,
	sysReg(3, 0, 2, 0, 2):  TCREL1,
	sysReg(3, 0, 10, 2, 0): MAIREL1,
	sysReg(3, 0, 12, 0, 0): VBAREL1,
	sysReg(3, 0, 13, 0, 1): CONTEXTIDREL1,
	sysReg(3, 0, 1, 0, 2):  CPACREL1,
	sysReg(2, 0, 0, 2, 2):  MDSCREL1,
	sysReg(3, 0, 4, 6, 0):  ICCPMREL1,
	sysReg(3, 3, 4, 4, 0):  FPCR,
	sysReg(3, 3, 4, 4, 1):  FPSR,
}

// fixedSysRegs are the registers that can only be read. The ID registers that
// are not here are zero: a processor with nothing optional.
var fixedSysRegs = map[uint32]uint64{
	sysReg(3, 0, 0, 0, 0):  0x410fd0c0, // MIDR_EL1: Neoverse N1
	sysReg(3, 0, 0, 0, 5):  0x80000000, // MPIDR_EL1: processor 0
	sysReg(3, 3, 0, 0, 1):  0x8444c004, // CTR_EL0: lines of 64 bytes
	sysReg(3, 3, 0, 0, 7):  4,          // DCZID_EL0: DC ZVA zeroes zvaSize bytes
	sysReg(3, 0, 4, 2, 2):  4,          // CurrentEL: EL1
	sysReg(3, 3, 14, 0, 0): 62500000,   // CNTFRQ_EL0, Hz
}

// absentSysRegs are registers of features that this processor does not have. MRS and
// MSR of one are undefined (DDI 0487, D19).
var absentSysRegs = map[uint32]bool{
	sysReg(3, 0, 2, 0, 3):  true, // TCR2_EL1: FEAT_TCR2
	sysReg(3, 0, 13, 0, 5): true, // ACCDATA_EL1: FEAT_LS64_ACCDATA
}

// zvaSize is the size of the block that DC ZVA zeroes, in bytes.
const zvaSize = 64

var (
	sysNZCV  = sysReg(3, 3, 4, 2, 0)
	counters = map[uint32]bool{
		sysReg(3, 3, 14, 0, 1): true, // CNTPCT_EL0
		sysReg(3, 3, 14, 0, 2): true, // CNTVCT_EL0
		sysReg(3, 3, 14, 0, 5): true, // CNTPCTSS_EL0
		sysReg(3, 3, 14, 0, 6): true, // CNTVCTSS_EL0
		sysReg(3, 3, 9, 13, 0): true, // PMCCNTR_EL0
	}
)

// decodeSysReg is decode for MSR (register) and MRS. The machine stops when it
// comes to one with a register that it does not have.
func decodeSysReg(w uint32) op {
	reg, rt := w&sysRegMask, field(w, 0, 5)
	stored, ok := storedSysRegs[reg]
	op0, op1, crn, crm, _ := sysRegFields(w)
	if op0 == 3 && op1 == 0 && crn == 4 && crm == 1 && !ok || absentSysRegs[reg] { // the neighbours of SP_EL0 are not allocated: DDI 0487, C5.3
		return op{code: opUndefined}
	}
	if w>>21&1 == 0 { // MSR
		switch {
		case ok:
			return op{code: opMsr, rn: src(rt), sh: uint8(stored)}
		case reg == sysNZCV:
			return op{code: opMsrNZCV, rn: src(rt)}
		}
		return op{code: opUnknownSysReg}
	}
	fixed, constant := fixedSysRegs[reg]
	switch {
	case ok:
		return op{code: opMrs, rd: dst(rt), sh: uint8(stored)}
	case reg == sysNZCV:
		return op{code: opMrsNZCV, rd: dst(rt)}
	case counters[reg]:
		return op{code: opMrsCounter, rd: dst(rt)}
	case constant || op0 == 3 && op1 == 0 && crn == 0:
		return op{code: opMovImm, rd: dst(rt), imm: fixed}
	}
	return op{code: opUnknownSysReg}
}

// decodePState is decode for MSR (immediate): DDI 0487, C5.1.3.
func decodePState(w uint32) op {
	o := op{code: opMsrImm, imm: uint64(w >> 8 & 15)}
	bit := func(r SysReg, at uint8) op {
		o.sh, o.ext, o.imm = uint8(r), at, o.imm&1
		return o
	}
	switch op1, op2 := w>>16&7, w>>5&7; op1<<3 | op2 {
	case 0<<3 | 3:
		return bit(UAO, 23)
	case 0<<3 | 4:
		return bit(PAN, 22)
	case 0<<3 | 5:
		return bit(SPSel, 0)
	case 3<<3 | 1:
		return bit(SSBS, 12)
	case 3<<3 | 2:
		return bit(DIT, 24)
	case 3<<3 | 4:
		return bit(TCO, 25)
	case 3<<3 | 6, 3<<3 | 7: // DAIFSet, DAIFClr
		o.sh, o.ext = uint8(DAIF), uint8(op2)
		return o
	}
	return op{code: opUnknown}
}

// msrImm executes MSR (immediate).
func (m *Machine) msrImm(o *op) {
	switch r := SysReg(o.sh); {
	case r != DAIF:
		m.Sys[r] = o.imm << o.ext
	case o.ext == 6:
		m.Sys[DAIF] |= o.imm << 6
	default:
		m.Sys[DAIF] &^= o.imm << 6
	}
}

// decodeSYS is decode for the SYS space: DC, IC and TLBI. The others (AT, ...)
// are unknown.
func decodeSYS(w uint32) op {
	o := op{code: opMaint, rn: src(field(w, 0, 5))}
	_, op1, crn, crm, op2 := sysRegFields(w)
	if crn == 8 || crn == 9 {
		o.sh = uint8(TLBInval)
		return o
	}
	if crn != 7 {
		return op{code: opUnknown}
	}
	var kind MaintKind
	switch op1<<8 | crm<<4 | op2 {
	case 0x010, 0x050:
		kind = ICInvalAll
	case 0x351:
		kind = ICInval
	case 0x061:
		kind = DCInval
	case 0x062, 0x0a2, 0x0e2:
		kind = DCSetWay
	case 0x341:
		kind = DCZero
	case 0x3a1, 0x3c1, 0x3d1:
		kind = DCClean
	case 0x3b1:
		kind = DCCleanPoU
	case 0x3e1:
		kind = DCCleanInval
	default:
		return op{code: opUnknown}
	}
	o.sh = uint8(kind)
	return o
}

// maint executes a DC, IC or TLBI.
func (m *Machine) maint(o *op) bool {
	kind, addr := MaintKind(o.sh), m.r[o.rn]
	if kind == DCZero {
		addr &^= zvaSize - 1
		for i := uint64(0); i < zvaSize; i += 8 {
			if !m.st(addr+i, 0, 8) {
				return false
			}
		}
	}
	m.onMaint(kind, addr)
	return true
}

func (m *Machine) onMaint(kind MaintKind, addr uint64) {
	if m.OnMaint != nil {
		m.regsOut()
		m.OnMaint(m.PC, kind, addr)
	}
}
