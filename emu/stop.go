package emu

import "fmt"

// A Stop is why a run ended before it should.
type Stop struct {
	Reason Reason
	PC     uint64 // address of the instruction; 0 for an access by the host
	Addr   uint64 // Unmapped, Permission, Misaligned, NoLandingPad, BadSignature: the address that was used
	Access Perm   // Unmapped, Permission: Read, Write or Exec
	Word   uint32 // the instruction, if it was fetched; of A64
	Code   string // its bytes; of x86-64
	Text   string // Break: the instruction in words; of x86-64
	Err    error  // HookFailed: what the hook returned
}

// Reason is the kind of a Stop.
type Reason uint8

const (
	UnknownInstruction Reason = iota // not in the table of forms: a processor may know it
	Undefined                        // no processor knows it: the encoding is reserved or not allocated
	Unpredictable                    // the architecture leaves its effect to the processor: LDP of one register twice
	UnknownSysReg                    // MRS or MSR of a register that the machine does not have
	Unmapped                         // nothing at Addr
	Permission                       // the page at Addr forbids Access
	Misaligned                       // PC, SP or the address of an atomic is not aligned
	NoLandingPad                     // Guarded, and an indirect branch went where no landing pad accepts it
	BadSignature                     // SignsLR, and LR, Addr, does not have the signature that is checked
	StepLimit                        // MaxSteps
	DepthLimit                       // MaxDepth
	PageLimit                        // MaxPages
	Break                            // BRK, and OnBreak did not say Continue
	Exception                        // SVC, HVC, SMC, HLT or ERET
	HookFailed                       // a hook returned an error
)

var reasonNames = [...]string{"unknown instruction", "undefined instruction", "unpredictable instruction", "unknown system register", "unmapped", "no permission", "misaligned",
	"no landing pad", "wrong signature", "step limit", "depth limit", "page limit", "break", "exception", "hook failed"}

func (r Reason) String() string { return reasonNames[r] }

var accessNames = map[Perm]string{Read: "read", Write: "write", Exec: "fetch"}

func (s *Stop) Error() string {
	by := ""
	if s.PC != 0 {
		by = fmt.Sprintf(" at %#x", s.PC)
	}
	switch s.Reason {
	case UnknownInstruction, Undefined, Unpredictable, Exception, Break:
		if s.Code != "" {
			return fmt.Sprintf("%v % x%s", s.Reason, s.Code, by)
		}
	}
	switch s.Reason {
	case UnknownInstruction, Undefined, Unpredictable, Exception:
		return fmt.Sprintf("%v %#08x%s", s.Reason, s.Word, by)
	case UnknownSysReg:
		op0, op1, crn, crm, op2 := sysRegFields(s.Word)
		return fmt.Sprintf("unknown system register S%d_%d_C%d_C%d_%d in %#08x%s", op0, op1, crn, crm, op2, s.Word, by)
	case Unmapped:
		return fmt.Sprintf("%s of unmapped %#x%s", accessNames[s.Access], s.Addr, by)
	case Permission:
		return fmt.Sprintf("%s of %#x, which is not permitted there%s", accessNames[s.Access], s.Addr, by)
	case Misaligned:
		return fmt.Sprintf("misaligned address %#x%s", s.Addr, by)
	case NoLandingPad:
		return fmt.Sprintf("indirect branch to %#x, which has no landing pad%s", s.Addr, by)
	case BadSignature:
		return fmt.Sprintf("wrong signature of LR, %#x%s", s.Addr, by)
	case Break:
		if s.Text != "" {
			return s.Text + by
		}
		return fmt.Sprintf("brk #%#x%s", s.Word>>5&0xffff, by)
	case HookFailed:
		return fmt.Sprintf("hook%s: %v", by, s.Err)
	}
	return fmt.Sprintf("%v reached%s", s.Reason, by)
}

func (s *Stop) Unwrap() error { return s.Err }
