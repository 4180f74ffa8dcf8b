package callsite

import (
	"errors"
	"fmt"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/ktypes"
)

// Types are the members of the kernel's structures that ftrace's functions use.
// Offsets and sizes are in bytes.
type Types struct {
	DirectCall    uint64 // offset of direct_call in struct ftrace_ops
	HasDirectCall bool   // DirectCall is known
	Module        ModuleMembers
	HasModule     bool   // Module is known
	GraphPause    uint64 // offset of tracing_graph_pause in struct task_struct
	HasGraphPause bool   // GraphPause is known
	Recursion     uint64 // offset of trace_recursion in struct task_struct
	HasRecursion  bool   // Recursion is known
	Retp          bool   // the graph tracer matches calls and returns by retp, not by the frame pointer
	HasRetp       bool   // Retp is known
}

// ModuleMembers are offsets of members of struct module, and sizes.
type ModuleMembers struct {
	Size               uint64 // size of struct module
	PLT, InitPLT       uint64 // pointers to the PLTs for ftrace: of text and of init text
	HasInitPLT         bool   // struct module has the second
	TextBase, TextSize uint64 // address and size of the module's text
	InitBase, InitSize uint64 // the same of its init text
	PLTSize            uint64 // size of one PLT entry
}

// ReadTypes reads the image's BTF. If that cannot be read and dwarf is true, it
// reads the DWARF of the compile unit with the kernel's module_finalize(). Members
// that neither describes are not known.
func ReadTypes(im *elfscan.Image, dwarf bool) *Types {
	t, err := ktypes.FromBTF(im)
	if fn, ok := im.Addr("module_finalize"); ok && dwarf && (t == nil || err != nil) {
		t, err = ktypes.FromDWARF(im, fn)
	}
	types := &Types{}
	if t == nil || err != nil {
		return types
	}
	if off, err := directCall(t); err == nil {
		types.DirectCall, types.HasDirectCall = off, true
	}
	if m, err := moduleMembers(t); err == nil {
		types.Module, types.HasModule = m, true
	}
	if task, err := t.Struct("task_struct"); err == nil {
		if m, err := t.Member(task, "tracing_graph_pause"); err == nil {
			types.GraphPause, types.HasGraphPause = m.Offset, true
		}
		if m, err := t.Member(task, "trace_recursion"); err == nil {
			types.Recursion, types.HasRecursion = m.Offset, true
		}
	}
	if call, err := t.Struct("ftrace_ret_stack"); err == nil {
		_, err := t.Member(call, "retp")
		types.Retp, types.HasRetp = err == nil, true
	}
	return types
}

// directCall is the offset of direct_call in struct ftrace_ops.
func directCall(t *ktypes.Types) (uint64, error) {
	ops, err := t.Struct("ftrace_ops")
	if err != nil {
		return 0, err
	}
	m, err := t.Member(ops, "direct_call")
	if err == nil && m.Offset > OpsSize-8 {
		err = fmt.Errorf("struct ftrace_ops: direct_call is at %d, at most %d is expected", m.Offset, OpsSize-8)
	}
	return m.Offset, err
}

// moduleMembers reads struct module. A kernel without PLTs for ftrace is an error.
func moduleMembers(t *ktypes.Types) (l ModuleMembers, err error) {
	mod, err := t.Struct("module")
	if err != nil {
		return l, err
	}
	plt, err := t.Struct("plt_entry")
	if err != nil {
		return l, err
	}
	l.Size, l.PLTSize = mod.Size, plt.Size
	member := func(path string) uint64 {
		m, e := t.Member(mod, path)
		err = errors.Join(err, e)
		return m.Offset
	}
	l.PLT = member("arch.ftrace_trampolines")
	if m, err := t.Member(mod, "arch.init_ftrace_trampolines"); err == nil {
		l.InitPLT, l.HasInitPLT = m.Offset, true
	}
	mem, e := t.Member(mod, "mem")
	if e != nil { // up to 6.3
		l.TextBase, l.TextSize = member("core_layout.base"), member("core_layout.text_size")
		l.InitBase, l.InitSize = member("init_layout.base"), member("init_layout.text_size")
		return l, errors.Join(err, l.plausible())
	}
	l.TextBase, l.TextSize = member("mem.base"), member("mem.size") // of MOD_TEXT, the first
	one, e := t.Elem(mem.Type)
	step := initText(t) * one.Size
	l.InitBase, l.InitSize = l.TextBase+step, l.TextSize+step
	return l, errors.Join(err, e, l.plausible())
}

// initText is the value of MOD_INIT_TEXT. Compilers leave it out of DWARF if
// nothing has the type of the enum. It is 4 since "module: replace module_layout
// with module_memory".
func initText(t *ktypes.Types) uint64 {
	if v, err := t.Enumerator("MOD_INIT_TEXT"); err == nil {
		return uint64(v)
	}
	return 4
}

// plausible is an error if a member does not lie in struct module, or if a size is
// out of its bounds.
func (l *ModuleMembers) plausible() error {
	const maxModule, maxPLT = 32 << 10, 64
	if l.Size > maxModule || l.PLTSize == 0 || l.PLTSize > maxPLT {
		return fmt.Errorf("struct module has %d bytes and struct plt_entry %d, at most %d and 1 to %d are expected", l.Size, l.PLTSize, maxModule, maxPLT)
	}
	for _, off := range []uint64{l.PLT, l.InitPLT, l.TextBase, l.TextSize, l.InitBase, l.InitSize} {
		if l.Size < 8 || off > l.Size-8 {
			return fmt.Errorf("struct module has a member at %d of %d bytes", off, l.Size)
		}
	}
	return nil
}
