package trampoline

import (
	"debug/elf"
	"errors"
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/ktypes"
	"github.com/ftlint/ftlint/world"
)

// opsMembers are the members of struct ftrace_ops that a builder reads and writes,
// as offsets in bytes, and flags.
type opsMembers struct {
	fn, flags, trampoline, size uint64
	saveRegs, allocTramp        uint64      // values of flags
	usual                       uint64      // flags of an ops that is registered
	core                        []opsMember // members that only the core may write
}

// An opsMember is a member of struct ftrace_ops, at an offset in bytes.
type opsMember struct {
	name string
	off  uint64
}

// coreMembers are pointers in struct ftrace_ops that only the core may write. A
// kernel has some of them.
var coreMembers = []string{"func", "next", "private", "saved_func", "func_hash", "ops_func", "managed", "direct_call"}

// readOpsMembers reads struct ftrace_ops from BTF, or from the compile unit of the
// builder, whose address is near.
func readOpsMembers(im *elfscan.Image, near uint64) (l opsMembers, err error) {
	t, err := ktypes.Open(im, near)
	if unlessNotDescribed(err) != nil {
		return l, err
	}
	if err != nil {
		return l, fmt.Errorf("%w, which tell the layout of struct ftrace_ops", err)
	}
	ops, err := t.Struct("ftrace_ops")
	if err != nil {
		return l, err
	}
	for _, m := range []struct {
		name string
		off  *uint64
	}{{"func", &l.fn}, {"flags", &l.flags}, {"trampoline", &l.trampoline}, {"trampoline_size", &l.size}} {
		v, err := t.Member(ops, m.name)
		if err != nil {
			return l, err
		}
		if v.Offset > callsite.OpsSize-8 {
			return l, fmt.Errorf("%s: member %s of struct ftrace_ops is at %d, at most %d is expected", t.Where, m.name, v.Offset, callsite.OpsSize-8)
		}
		*m.off = v.Offset
	}
	for _, name := range coreMembers {
		m, err := t.Member(ops, name)
		if err = unlessNotDescribed(err); err != nil {
			return l, err
		}
		if m.Name != "" && m.Offset%8 == 0 && m.Offset <= callsite.OpsSize-8 {
			l.core = append(l.core, opsMember{name, m.Offset})
		}
	}
	l.saveRegs, l.allocTramp = 1<<2, 1<<11 // since "ftrace: Add FTRACE_OPS_FL_ALLOC_TRAMP"
	var initialized, dynamic uint64
	for _, f := range []struct {
		name string
		flag *uint64
	}{{"SAVE_REGS", &l.saveRegs}, {"ALLOC_TRAMP", &l.allocTramp}, {"INITIALIZED", &initialized}, {"DYNAMIC", &dynamic}} {
		v, err := t.Enumerator("FTRACE_OPS_FL_" + f.name)
		if err == nil {
			*f.flag = uint64(v)
		}
		if err = unlessNotDescribed(err); err != nil {
			return l, err
		}
	}
	l.usual = initialized | dynamic
	return l, nil
}

// unlessNotDescribed is err, or nil if err is a *ktypes.NotDescribedError: some
// versions lack some members and flags.
func unlessNotDescribed(err error) error {
	if lacks := (*ktypes.NotDescribedError)(nil); errors.As(err, &lacks) {
		return nil
	}
	return err
}

// builderSymbol is the arch hook that the core calls for each ops.
const builderSymbol = "arch_ftrace_update_trampoline"

// archHook is the address of a function by which the arch replaces a weak stub of
// the core. The error is a *world.Lack if the image has no such function, or if it
// does nothing.
func archHook(im *elfscan.Image, name string) (addr uint64, err error) {
	s, ok := im.Lookup(name)
	switch {
	case !ok || !im.IsText(s.Addr):
		return 0, &world.Lack{What: "the image has no " + name}
	case s.Bind == elf.STB_WEAK:
		return 0, &world.Lack{What: fmt.Sprintf("%s (%#x) is the core's weak stub", name, s.Addr)}
	}
	if im.Arch().InsnSize != a64.Size {
		return s.Addr, nil
	}
	for a := s.Addr; ; a += a64.Size {
		w, ok := im.Word(a)
		if rd, rm, mov := a64.IsMOV(w); mov && rd == callsite.SavedLR && rm == a64.LR {
			continue // it belongs to a callsite
		}
		switch k := a64.Classify(w); {
		case k == a64.Ret:
			return 0, &world.Lack{What: fmt.Sprintf("%s (%#x) returns at once", name, s.Addr)}
		case !ok || k != a64.Nop && k != a64.Landing && k != a64.Hint:
			return s.Addr, nil
		}
	}
}
