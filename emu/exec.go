package emu

import (
	"errors"
	"hash/crc32"
	"math/bits"

	"github.com/ftlint/ftlint/a64"
)

// run executes until PC is until.
func (m *Machine) run(until uint64) error {
	r := &m.r
	for {
		pc := m.PC
		if pc == until {
			return nil
		}
		if pc&^0xffc != m.codeAt && !m.fetch() {
			// A hook may stand where no memory is.
			if m.stop.Reason != Unmapped || m.hooks[pc] == nil {
				return m.stopped()
			}
			if m.Steps >= m.limit {
				return &Stop{Reason: StepLimit, PC: pc}
			}
			m.Steps++
			if proceed, err := m.callHook(pc); err != nil {
				return err
			} else if proceed {
				m.fault(Unmapped, pc, Exec)
				return m.stopped()
			}
			continue
		}
		if m.Steps >= m.limit {
			return &Stop{Reason: StepLimit, PC: pc}
		}
		m.Steps++
		o := &m.code[pc/4%opsPerPage]
		next := pc + 4

	dispatch:
		switch o.code {
		case opNone:
			m.Steps--
			if m.hooks[pc] != nil {
				o.code = opHook
			} else {
				*o = decode(m.wordAt(pc), pc)
			}
			continue
		case opUnknown:
			return &Stop{Reason: UnknownInstruction, PC: pc, Word: m.wordAt(pc)}
		case opUndefined:
			return &Stop{Reason: Undefined, PC: pc, Word: m.wordAt(pc)}
		case opUnpredictable:
			return &Stop{Reason: Unpredictable, PC: pc, Word: m.wordAt(pc)}
		case opUnknownSysReg:
			return &Stop{Reason: UnknownSysReg, PC: pc, Word: m.wordAt(pc)}
		case opException:
			return &Stop{Reason: Exception, PC: pc, Word: m.wordAt(pc)}
		case opHook:
			proceed, err := m.callHook(pc)
			if err != nil {
				return err
			}
			if proceed {
				m.proceed = decode(m.wordAt(pc), pc)
				o = &m.proceed
				goto dispatch
			}
			continue
		case opNop:

		// Moves and immediates.
		case opMovImm:
			r[o.rd] = o.imm
		case opMovk:
			r[o.rd] = r[o.rd]&^(0xffff<<(o.sh&63)) | o.imm
		case opMovkW:
			r[o.rd] = r[o.rd]&^(0xffff<<(o.sh&63))&0xffffffff | o.imm
		case opMov:
			r[o.rd] = r[o.rm]
		case opMovW:
			r[o.rd] = uint64(uint32(r[o.rm]))
		case opAddImm:
			r[o.rd] = r[o.rn] + o.imm
		case opAddImmW:
			r[o.rd] = uint64(uint32(r[o.rn] + o.imm))
		case opAddsImm:
			r[o.rd] = m.add64(r[o.rn], o.imm, 0)
		case opAddsImmW:
			r[o.rd] = m.add32(uint32(r[o.rn]), uint32(o.imm), 0)
		case opSubsImm:
			r[o.rd] = m.add64(r[o.rn], ^o.imm, 1)
		case opSubsImmW:
			r[o.rd] = m.add32(uint32(r[o.rn]), ^uint32(o.imm), 1)
		case opAndImm:
			r[o.rd] = r[o.rn] & o.imm
		case opOrrImm:
			r[o.rd] = r[o.rn] | o.imm
		case opOrrImmW:
			r[o.rd] = uint64(uint32(r[o.rn] | o.imm))
		case opEorImm:
			r[o.rd] = r[o.rn] ^ o.imm
		case opEorImmW:
			r[o.rd] = uint64(uint32(r[o.rn] ^ o.imm))
		case opAndsImm:
			r[o.rd] = m.logic64(r[o.rn] & o.imm)
		case opAndsImmW:
			r[o.rd] = m.logic32(r[o.rn] & o.imm)
		case opSbfm:
			r[o.rd] = uint64(int64(r[o.rn]<<(o.sh&63)) >> (o.ext & 63))
		case opSbfmW:
			r[o.rd] = uint64(uint32(int64(r[o.rn]<<(o.sh&63)) >> (o.ext & 63)))
		case opUbfm:
			r[o.rd] = r[o.rn] << (o.sh & 63) >> (o.ext & 63)
		case opBfm:
			r[o.rd] = r[o.rd]&^o.imm | r[o.rn]<<(o.sh&63)>>(o.ext&63)
		case opBfmW:
			r[o.rd] = r[o.rd]&^o.imm&0xffffffff | r[o.rn]<<(o.sh&63)>>(o.ext&63)
		case opExtr:
			r[o.rd] = r[o.rm]>>(o.sh&63) | r[o.rn]<<(64-o.sh)
		case opExtrW:
			r[o.rd] = uint64(uint32((r[o.rn]<<32 | r[o.rm]&0xffffffff) >> (o.sh & 63)))

		// Arithmetic.
		case opAdd:
			r[o.rd] = r[o.rn] + shifted64(r[o.rm], o)
		case opAddW:
			r[o.rd] = uint64(uint32(r[o.rn]) + shifted32(r[o.rm], o))
		case opSub:
			r[o.rd] = r[o.rn] - shifted64(r[o.rm], o)
		case opSubW:
			r[o.rd] = uint64(uint32(r[o.rn]) - shifted32(r[o.rm], o))
		case opAdds:
			r[o.rd] = m.add64(r[o.rn], shifted64(r[o.rm], o), 0)
		case opAddsW:
			r[o.rd] = m.add32(uint32(r[o.rn]), shifted32(r[o.rm], o), 0)
		case opSubs:
			r[o.rd] = m.add64(r[o.rn], ^shifted64(r[o.rm], o), 1)
		case opSubsW:
			r[o.rd] = m.add32(uint32(r[o.rn]), ^shifted32(r[o.rm], o), 1)
		case opAddExt:
			r[o.rd] = r[o.rn] + extended(r[o.rm], o.ext)<<(o.sh&7)
		case opAddExtW:
			r[o.rd] = uint64(uint32(r[o.rn] + extended(r[o.rm], o.ext)<<(o.sh&7)))
		case opSubExt:
			r[o.rd] = r[o.rn] - extended(r[o.rm], o.ext)<<(o.sh&7)
		case opSubExtW:
			r[o.rd] = uint64(uint32(r[o.rn] - extended(r[o.rm], o.ext)<<(o.sh&7)))
		case opAddsExt:
			r[o.rd] = m.add64(r[o.rn], extended(r[o.rm], o.ext)<<(o.sh&7), 0)
		case opAddsExtW:
			r[o.rd] = m.add32(uint32(r[o.rn]), uint32(extended(r[o.rm], o.ext)<<(o.sh&7)), 0)
		case opSubsExt:
			r[o.rd] = m.add64(r[o.rn], ^(extended(r[o.rm], o.ext) << (o.sh & 7)), 1)
		case opSubsExtW:
			r[o.rd] = m.add32(uint32(r[o.rn]), ^uint32(extended(r[o.rm], o.ext)<<(o.sh&7)), 1)
		case opAdc:
			r[o.rd] = r[o.rn] + r[o.rm] + m.carry()
		case opAdcW:
			r[o.rd] = uint64(uint32(r[o.rn] + r[o.rm] + m.carry()))
		case opAdcs:
			r[o.rd] = m.add64(r[o.rn], r[o.rm], m.carry())
		case opAdcsW:
			r[o.rd] = m.add32(uint32(r[o.rn]), uint32(r[o.rm]), m.carry())
		case opSbc:
			r[o.rd] = r[o.rn] + ^r[o.rm] + m.carry()
		case opSbcW:
			r[o.rd] = uint64(uint32(r[o.rn] + ^r[o.rm] + m.carry()))
		case opSbcs:
			r[o.rd] = m.add64(r[o.rn], ^r[o.rm], m.carry())
		case opSbcsW:
			r[o.rd] = m.add32(uint32(r[o.rn]), ^uint32(r[o.rm]), m.carry())

		// Logic.
		case opAnd:
			r[o.rd] = r[o.rn] & shifted64(r[o.rm], o)
		case opAndW:
			r[o.rd] = uint64(uint32(r[o.rn]) & shifted32(r[o.rm], o))
		case opBic:
			r[o.rd] = r[o.rn] &^ shifted64(r[o.rm], o)
		case opBicW:
			r[o.rd] = uint64(uint32(r[o.rn]) &^ shifted32(r[o.rm], o))
		case opOrr:
			r[o.rd] = r[o.rn] | shifted64(r[o.rm], o)
		case opOrrW:
			r[o.rd] = uint64(uint32(r[o.rn]) | shifted32(r[o.rm], o))
		case opOrn:
			r[o.rd] = r[o.rn] | ^shifted64(r[o.rm], o)
		case opOrnW:
			r[o.rd] = uint64(uint32(r[o.rn]) | ^shifted32(r[o.rm], o))
		case opEor:
			r[o.rd] = r[o.rn] ^ shifted64(r[o.rm], o)
		case opEorW:
			r[o.rd] = uint64(uint32(r[o.rn]) ^ shifted32(r[o.rm], o))
		case opEon:
			r[o.rd] = r[o.rn] ^ ^shifted64(r[o.rm], o)
		case opEonW:
			r[o.rd] = uint64(uint32(r[o.rn]) ^ ^shifted32(r[o.rm], o))
		case opAnds:
			r[o.rd] = m.logic64(r[o.rn] & shifted64(r[o.rm], o))
		case opAndsW:
			r[o.rd] = m.logic32(r[o.rn] & uint64(shifted32(r[o.rm], o)))
		case opBics:
			r[o.rd] = m.logic64(r[o.rn] &^ shifted64(r[o.rm], o))
		case opBicsW:
			r[o.rd] = m.logic32(r[o.rn] & uint64(^shifted32(r[o.rm], o)))

		// Conditional.
		case opCsel:
			v := r[o.rm]
			if m.cond(o.sh) {
				v = r[o.rn]
			}
			r[o.rd] = v
		case opCselW:
			v := r[o.rm]
			if m.cond(o.sh) {
				v = r[o.rn]
			}
			r[o.rd] = uint64(uint32(v))
		case opCsinc:
			v := r[o.rm] + 1
			if m.cond(o.sh) {
				v = r[o.rn]
			}
			r[o.rd] = v
		case opCsincW:
			v := r[o.rm] + 1
			if m.cond(o.sh) {
				v = r[o.rn]
			}
			r[o.rd] = uint64(uint32(v))
		case opCsinv:
			v := ^r[o.rm]
			if m.cond(o.sh) {
				v = r[o.rn]
			}
			r[o.rd] = v
		case opCsinvW:
			v := ^r[o.rm]
			if m.cond(o.sh) {
				v = r[o.rn]
			}
			r[o.rd] = uint64(uint32(v))
		case opCsneg:
			v := -r[o.rm]
			if m.cond(o.sh) {
				v = r[o.rn]
			}
			r[o.rd] = v
		case opCsnegW:
			v := -r[o.rm]
			if m.cond(o.sh) {
				v = r[o.rn]
			}
			r[o.rd] = uint64(uint32(v))
		case opCcmn:
			if m.cond(o.sh) {
				m.add64(r[o.rn], r[o.rm], 0)
			} else {
				m.setFlags(o.ext)
			}
		case opCcmnW:
			if m.cond(o.sh) {
				m.add32(uint32(r[o.rn]), uint32(r[o.rm]), 0)
			} else {
				m.setFlags(o.ext)
			}
		case opCcmp:
			if m.cond(o.sh) {
				m.add64(r[o.rn], ^r[o.rm], 1)
			} else {
				m.setFlags(o.ext)
			}
		case opCcmpW:
			if m.cond(o.sh) {
				m.add32(uint32(r[o.rn]), ^uint32(r[o.rm]), 1)
			} else {
				m.setFlags(o.ext)
			}
		case opCcmnImm:
			if m.cond(o.sh) {
				m.add64(r[o.rn], o.imm, 0)
			} else {
				m.setFlags(o.ext)
			}
		case opCcmnImmW:
			if m.cond(o.sh) {
				m.add32(uint32(r[o.rn]), uint32(o.imm), 0)
			} else {
				m.setFlags(o.ext)
			}
		case opCcmpImm:
			if m.cond(o.sh) {
				m.add64(r[o.rn], ^o.imm, 1)
			} else {
				m.setFlags(o.ext)
			}
		case opCcmpImmW:
			if m.cond(o.sh) {
				m.add32(uint32(r[o.rn]), ^uint32(o.imm), 1)
			} else {
				m.setFlags(o.ext)
			}

		// Multiplication, division, variable shifts.
		case opMadd:
			r[o.rd] = r[o.ra] + r[o.rn]*r[o.rm]
		case opMaddW:
			r[o.rd] = uint64(uint32(r[o.ra] + r[o.rn]*r[o.rm]))
		case opMsub:
			r[o.rd] = r[o.ra] - r[o.rn]*r[o.rm]
		case opMsubW:
			r[o.rd] = uint64(uint32(r[o.ra] - r[o.rn]*r[o.rm]))
		case opSmaddl:
			r[o.rd] = r[o.ra] + uint64(int64(int32(r[o.rn]))*int64(int32(r[o.rm])))
		case opSmsubl:
			r[o.rd] = r[o.ra] - uint64(int64(int32(r[o.rn]))*int64(int32(r[o.rm])))
		case opUmaddl:
			r[o.rd] = r[o.ra] + uint64(uint32(r[o.rn]))*uint64(uint32(r[o.rm]))
		case opUmsubl:
			r[o.rd] = r[o.ra] - uint64(uint32(r[o.rn]))*uint64(uint32(r[o.rm]))
		case opSmulh:
			a, b := r[o.rn], r[o.rm]
			hi, _ := bits.Mul64(a, b)
			r[o.rd] = hi - uint64(int64(a)>>63)&b - uint64(int64(b)>>63)&a
		case opUmulh:
			r[o.rd], _ = bits.Mul64(r[o.rn], r[o.rm])
		case opUdiv:
			if d := r[o.rm]; d != 0 {
				r[o.rd] = r[o.rn] / d
			} else {
				r[o.rd] = 0
			}
		case opUdivW:
			if d := uint32(r[o.rm]); d != 0 {
				r[o.rd] = uint64(uint32(r[o.rn]) / d)
			} else {
				r[o.rd] = 0
			}
		case opSdiv: // the most negative number divided by -1 is itself, in Go too
			if d := int64(r[o.rm]); d != 0 {
				r[o.rd] = uint64(int64(r[o.rn]) / d)
			} else {
				r[o.rd] = 0
			}
		case opSdivW:
			if d := int32(r[o.rm]); d != 0 {
				r[o.rd] = uint64(uint32(int32(r[o.rn]) / d))
			} else {
				r[o.rd] = 0
			}
		case opLslv:
			r[o.rd] = r[o.rn] << (r[o.rm] & 63)
		case opLslvW:
			r[o.rd] = uint64(uint32(r[o.rn]) << (r[o.rm] & 31))
		case opLsrv:
			r[o.rd] = r[o.rn] >> (r[o.rm] & 63)
		case opLsrvW:
			r[o.rd] = uint64(uint32(r[o.rn]) >> (r[o.rm] & 31))
		case opAsrv:
			r[o.rd] = uint64(int64(r[o.rn]) >> (r[o.rm] & 63))
		case opAsrvW:
			r[o.rd] = uint64(uint32(int32(r[o.rn]) >> (r[o.rm] & 31)))
		case opRorv:
			r[o.rd] = bits.RotateLeft64(r[o.rn], -int(r[o.rm]&63))
		case opRorvW:
			r[o.rd] = uint64(bits.RotateLeft32(uint32(r[o.rn]), -int(r[o.rm]&31)))
		case opCrc32:
			r[o.rd] = crc(crc32.IEEETable, uint32(r[o.rn]), r[o.rm], o.sh)
		case opCrc32c:
			r[o.rd] = crc(castagnoli, uint32(r[o.rn]), r[o.rm], o.sh)

		// One source.
		case opRbit:
			r[o.rd] = bits.Reverse64(r[o.rn])
		case opRbitW:
			r[o.rd] = uint64(bits.Reverse32(uint32(r[o.rn])))
		case opRev16:
			r[o.rd] = rev16(r[o.rn])
		case opRev16W:
			r[o.rd] = rev16(r[o.rn]) & 0xffffffff
		case opRev32:
			r[o.rd] = bits.RotateLeft64(bits.ReverseBytes64(r[o.rn]), 32)
		case opRev:
			r[o.rd] = bits.ReverseBytes64(r[o.rn])
		case opRevW:
			r[o.rd] = uint64(bits.ReverseBytes32(uint32(r[o.rn])))
		case opClz:
			r[o.rd] = uint64(bits.LeadingZeros64(r[o.rn]))
		case opClzW:
			r[o.rd] = uint64(bits.LeadingZeros32(uint32(r[o.rn])))
		case opCls:
			v := r[o.rn]
			r[o.rd] = uint64(bits.LeadingZeros64(v^uint64(int64(v)>>63)) - 1)
		case opClsW:
			v := uint32(r[o.rn])
			r[o.rd] = uint64(bits.LeadingZeros32(v^uint32(int32(v)>>31)) - 1)

		// Branches.
		case opB:
			if o.imm == next { // the function behind, called last
				m.jumped(pc, next)
			}
			next = o.imm
		case opBL:
			if m.depth >= m.maxDepth() {
				return &Stop{Reason: DepthLimit, PC: pc}
			}
			m.depth++
			r[30] = next
			if o.imm == next {
				m.jumped(pc, next)
			}
			next = o.imm
		case opBCond:
			if m.cond(o.sh) {
				next = o.imm
			}
		case opCbz:
			if r[o.rn] == 0 {
				next = o.imm
			}
		case opCbzW:
			if uint32(r[o.rn]) == 0 {
				next = o.imm
			}
		case opCbnz:
			if r[o.rn] != 0 {
				next = o.imm
			}
		case opCbnzW:
			if uint32(r[o.rn]) != 0 {
				next = o.imm
			}
		case opTbz:
			if r[o.rn]>>(o.sh&63)&1 == 0 {
				next = o.imm
			}
		case opTbnz:
			if r[o.rn]>>(o.sh&63)&1 != 0 {
				next = o.imm
			}
		case opBR:
			target := r[o.rn]
			if m.Guarded && !m.lands(target) {
				return m.stopped()
			}
			next = target
		case opBLR:
			target := r[o.rn]
			if m.Guarded && !m.lands(target) {
				return m.stopped()
			}
			if m.depth >= m.maxDepth() {
				return &Stop{Reason: DepthLimit, PC: pc}
			}
			m.depth++
			r[30] = next
			next = target
		case opSignLR:
			if m.SignsLR {
				r[30] = withSignature(r[30], r[o.rm], o.sh)
			}
		case opAuthLR:
			if m.SignsLR && !m.authLR(o) {
				return m.stopped()
			}
		case opStripLR:
			if m.SignsLR {
				r[30] = Stripped(r[30])
			}
		case opRet:
			if m.SignsLR && o.ext == 1 && !m.authLR(o) { // RETAA, RETAB
				return m.stopped()
			}
			if m.depth > 0 {
				m.depth--
			}
			next = r[o.rn]

		// System.
		case opBrk:
			action := Halt
			if m.OnBreak != nil {
				m.regsOut()
				action = m.OnBreak(pc, uint16(o.imm))
			}
			if action == Halt {
				return &Stop{Reason: Break, PC: pc, Word: m.wordAt(pc)}
			}
		case opClrex:
			m.monitor.valid = false
		case opBarrier:
			m.onMaint([...]MaintKind{DSB, DMB, ISB, ISB}[o.sh&3], 0)
		case opMsrImm:
			m.msrImm(o)
		case opMaint:
			if !m.maint(o) {
				return m.stopped()
			}
		case opMsr:
			m.Sys[o.sh] = r[o.rn]
		case opMrs:
			r[o.rd] = m.Sys[o.sh]
		case opMsrNZCV:
			m.setFlags(uint8(r[o.rn] >> 28))
		case opMrsNZCV:
			r[o.rd] = m.flags()
		case opMrsCounter:
			r[o.rd] = m.Steps

		// Loads and stores.
		case opLoad, opLoadS, opLoadSW:
			if !m.load(o) {
				return m.stopped()
			}
		case opStore:
			if !m.store(o) {
				return m.stopped()
			}
		case opLoadPair, opLoadPairS:
			if !m.loadPair(o) {
				return m.stopped()
			}
		case opStorePair:
			if !m.storePair(o) {
				return m.stopped()
			}
		case opLdV, opStV, opLdpV, opStpV:
			if !m.vectorLoadStore(o) {
				return m.stopped()
			}
		default:
			switch {
			case o.code >= opFmovInS:
				m.vector(o)
			case !m.atomic(o):
				return m.stopped()
			}
		}
		if next != pc+4 {
			m.jumped(pc, next)
		}
		m.PC = next
	}
}

// stopped is m.stop as an error.
func (m *Machine) stopped() error {
	s := m.stop
	return &s
}

// callHook calls the hook at pc. It sets PC to the next instruction, or returns
// that the instruction at pc itself is to be executed.
func (m *Machine) callHook(pc uint64) (proceed bool, err error) {
	h := m.hooks[pc]
	if h == nil {
		return true, nil
	}
	m.regsOut()
	err = h(m)
	m.regsIn()
	var stop *Stop
	switch {
	case err == ErrProceed:
		return true, nil
	case errors.As(err, &stop):
		return false, err
	case err != nil:
		return false, &Stop{Reason: HookFailed, PC: pc, Err: err}
	case m.PC == pc:
		m.PC = m.X[30]
		if m.depth > 0 {
			m.depth--
		}
	}
	m.jumped(pc, m.PC)
	return false, nil
}

// lands reports whether the indirect branch at m.PC may land at target, where
// all pages are guarded: DDI 0487, D8.4.5. It may land on a hook, and where
// nothing can be fetched: the fetch stops the machine then. If it may not land,
// m.stop says so.
func (m *Machine) lands(target uint64) bool {
	p, _ := m.pageAt(target &^ pageMask)
	if p == nil || p.perm&Exec == 0 || target&3 != 0 || m.hooks[target] != nil {
		return true
	}
	if a64.BranchTypeOf(m.wordAt(m.PC)).Accepts(m.wordAt(target)) {
		return true
	}
	m.fault(NoLandingPad, target, Exec)
	return false
}

// shifted64 and shifted32 are the shifted register operand.
func shifted64(v uint64, o *op) uint64 {
	switch s := o.sh & 63; o.ext {
	case 0:
		return v << s
	case 1:
		return v >> s
	case 2:
		return uint64(int64(v) >> s)
	default:
		return bits.RotateLeft64(v, -int(s))
	}
}

func shifted32(v uint64, o *op) uint32 {
	switch s := o.sh & 31; o.ext {
	case 0:
		return uint32(v) << s
	case 1:
		return uint32(v) >> s
	case 2:
		return uint32(int32(v) >> s)
	default:
		return bits.RotateLeft32(uint32(v), -int(s))
	}
}

// extended is v extended as option says: UXTB, UXTH, UXTW, UXTX, SXTB, ...
func extended(v uint64, option uint8) uint64 {
	switch option {
	case 0:
		return uint64(uint8(v))
	case 1:
		return uint64(uint16(v))
	case 2:
		return uint64(uint32(v))
	case 4:
		return uint64(int8(v))
	case 5:
		return uint64(int16(v))
	case 6:
		return uint64(int32(v))
	}
	return v
}

// add64 and add32 are a + b + carry, and set the flags: AddWithCarry of DDI
// 0487, J1.
func (m *Machine) add64(a, b, carry uint64) uint64 {
	sum, out := bits.Add64(a, b, carry)
	m.N, m.Z, m.C, m.V = int64(sum) < 0, sum == 0, out != 0, int64((a^sum)&(b^sum)) < 0
	return sum
}

func (m *Machine) add32(a, b uint32, carry uint64) uint64 {
	wide := uint64(a) + uint64(b) + carry
	sum := uint32(wide)
	m.N, m.Z, m.C, m.V = int32(sum) < 0, sum == 0, wide>>32 != 0, int32((a^sum)&(b^sum)) < 0
	return uint64(sum)
}

// logic64 and logic32 set the flags of a logical result.
func (m *Machine) logic64(v uint64) uint64 {
	m.N, m.Z, m.C, m.V = int64(v) < 0, v == 0, false, false
	return v
}

func (m *Machine) logic32(v uint64) uint64 {
	m.N, m.Z, m.C, m.V = int32(v) < 0, uint32(v) == 0, false, false
	return uint64(uint32(v))
}

func (m *Machine) carry() uint64 {
	if m.C {
		return 1
	}
	return 0
}

// setFlags sets the flags from NZCV in bits 3..0.
func (m *Machine) setFlags(nzcv uint8) {
	m.N, m.Z, m.C, m.V = nzcv&8 != 0, nzcv&4 != 0, nzcv&2 != 0, nzcv&1 != 0
}

// flags is the NZCV register: the flags in bits 31..28.
func (m *Machine) flags() uint64 {
	var v uint64
	for i, f := range [...]bool{m.V, m.C, m.Z, m.N} {
		if f {
			v |= 1 << (28 + i)
		}
	}
	return v
}

// cond reports whether condition c holds: DDI 0487, C1.2.4.
func (m *Machine) cond(c uint8) bool {
	var holds bool
	switch c >> 1 {
	case 0:
		holds = m.Z
	case 1:
		holds = m.C
	case 2:
		holds = m.N
	case 3:
		holds = m.V
	case 4:
		holds = m.C && !m.Z
	case 5:
		holds = m.N == m.V
	case 6:
		holds = m.N == m.V && !m.Z
	default:
		return true
	}
	return holds == (c&1 == 0)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc is CRC32 of the low size bytes of v. The instruction does not invert
// the sum before and after, as crc32.Update does.
func crc(table *crc32.Table, sum uint32, v uint64, size uint8) uint64 {
	for range size {
		sum = table[byte(sum)^byte(v)] ^ sum>>8
		v >>= 8
	}
	return uint64(sum)
}

// rev16 swaps the bytes of each half-word.
func rev16(v uint64) uint64 {
	const low = 0x00ff00ff00ff00ff
	return v&low<<8 | v>>8&low
}

// address is the address of a load or store. SP must be a multiple of 16, as
// kernels ask of the processor (SCTLR_EL1.SA; DDI 0487, D1.8.2); if it is not,
// address returns false and m.stop says why.
func (m *Machine) address(o *op) (uint64, bool) {
	a := m.r[o.rn]
	if o.mode == modeImm && o.rn != regSP {
		return a + o.imm, true
	}
	return m.addressSlow(o, a)
}

func (m *Machine) addressSlow(o *op, a uint64) (uint64, bool) {
	if o.rn == regSP && a&15 != 0 {
		m.fault(Misaligned, a, 0)
		return 0, false
	}
	switch o.mode {
	case modeReg:
		a += extended(m.r[o.rm], o.ext) << (o.imm & 7)
	case modeImm, modePre:
		a += o.imm
	}
	return a, true
}

// writeback updates the base register after a load or store.
func (m *Machine) writeback(o *op) {
	if o.writesBase() {
		m.r[o.rn] += o.imm
	}
}

// load, store, loadPair and storePair execute loads and stores of general
// registers. If they return false, m.stop says why.
func (m *Machine) load(o *op) bool {
	a, ok := m.r[o.rn]+o.imm, true
	if o.mode != modeImm || o.rn == regSP {
		if a, ok = m.addressSlow(o, m.r[o.rn]); !ok {
			return false
		}
	}
	var v uint64
	if b := cached(&m.readable, a); b != nil {
		v = getBytes(b, o.sh)
	} else if v, ok = m.ldSlow(a, uint64(o.sh)); !ok {
		return false
	}
	if o.code != opLoad {
		v = signExtended(v, o)
	}
	m.writeback(o)
	m.r[o.rd] = v
	return true
}

func (m *Machine) store(o *op) bool {
	a, ok := m.r[o.rn]+o.imm, true
	if o.mode != modeImm || o.rn == regSP {
		if a, ok = m.addressSlow(o, m.r[o.rn]); !ok {
			return false
		}
	}
	if b := cached(&m.writable, a); b != nil {
		putBytes(b, m.r[o.rd], o.sh)
	} else if !m.stSlow(a, m.r[o.rd], uint64(o.sh)) {
		return false
	}
	m.writeback(o)
	return true
}

func (m *Machine) loadPair(o *op) bool {
	a, ok := m.address(o)
	if !ok {
		return false
	}
	v, ok := m.ld(a, o.sh)
	if !ok {
		return false
	}
	w, ok := m.ld(a+uint64(o.sh), o.sh)
	if !ok {
		return false
	}
	if o.code != opLoadPair {
		v, w = signExtended(v, o), signExtended(w, o)
	}
	m.writeback(o)
	m.r[o.rd], m.r[o.ra] = v, w
	return true
}

func (m *Machine) storePair(o *op) bool {
	a, ok := m.address(o)
	if !ok || !m.st(a, m.r[o.rd], o.sh) || !m.st(a+uint64(o.sh), m.r[o.ra], o.sh) {
		return false
	}
	m.writeback(o)
	return true
}

// signExtended is v, of o.sh bytes, with its sign extended to 64 bits, or to 32
// for opLoadSW.
func signExtended(v uint64, o *op) uint64 {
	s := (64 - 8*o.sh) & 63
	v = uint64(int64(v<<s) >> s)
	if o.code == opLoadSW {
		v = uint64(uint32(v))
	}
	return v
}

// A signature is in the bits of an address that are all the same without one: 62 to
// 56 and 54 to 48. Bit 55 says what they are.
const sigBits = 0x7f7f << 48

// Stripped is the address p without its signature.
func Stripped(p uint64) uint64 {
	if p>>55&1 == 1 {
		return p | sigBits
	}
	return p &^ sigBits
}

// withSignature is the address p signed with the modifier, usually SP, and a key. No
// address is its own signature, and signatures with other modifiers or keys
// differ.
func withSignature(p, modifier uint64, key uint8) uint64 {
	h := (Stripped(p)>>2 ^ bits.RotateLeft64(modifier, 21) + uint64(key)) * 0x9e37_79b9_7f4a_7c15
	return Stripped(p) ^ (h&sigBits | 1<<48)
}

// authLR checks the signature of LR, and takes it away. If it is not that of the
// modifier and the key, m.stop says so.
func (m *Machine) authLR(o *op) bool {
	p := m.r[30]
	if withSignature(Stripped(p), m.r[o.rm], o.sh) != p {
		m.stop = Stop{Reason: BadSignature, PC: m.PC, Addr: p}
		return false
	}
	m.r[30] = Stripped(p)
	return true
}
