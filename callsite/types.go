package callsite

import (
	"errors"
	"fmt"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/ktypes"
	"github.com/ftlint/ftlint/world"
)

// Types are the members of the kernel's structures that ftrace's functions use.
// Offsets and sizes are in bytes.
type Types struct {
	DirectCall    uint64 // offset of direct_call in struct ftrace_ops
	HasDirectCall bool   // DirectCall is known
	NoDirectCall  error  // why it is not, and what to do about it; nil if it is
	Module        ModuleMembers
	HasModule     bool   // Module is known
	NoModule      error  // why it is not, and what to do about it; nil if it is
	GraphPause    uint64 // offset of tracing_graph_pause in struct task_struct
	HasGraphPause bool   // GraphPause is known
	Recursion     uint64 // offset of trace_recursion in struct task_struct
	HasRecursion  bool   // Recursion is known
	Retp          bool   // the graph tracer matches calls and returns by retp, not by the frame pointer
	HasRetp       bool   // Retp is known
	Ops           OpsMembers
	HasOps        bool // Ops is known
}

// OpsMembers are offsets of members of struct ftrace_ops, and values of its flags and of
// those of struct dyn_ftrace.
type OpsMembers struct {
	Flags, Trampoline uint64
	SaveRegs          uint64 // of the ops: it wants all registers
	AllocTramp        uint64 // of the ops: its trampoline is its own
	RegsEnabled       uint64 // of the record: the callsite calls the entry code that saves all registers
}

// ModuleMembers are offsets of members of struct module, and sizes.
type ModuleMembers struct {
	Size               uint64 // size of struct module
	PLT, InitPLT       uint64 // pointers to the PLTs for ftrace: of text and of init text
	HasInitPLT         bool   // struct module has the second
	TextBase, TextSize uint64 // address and size of the module's text
	InitBase, InitSize uint64 // the same of its init text
	InitWhole          uint64 // size of what is init text to module_emit_plt_entry(): all of init memory, in older kernels
	PLTSize            uint64 // size of one PLT entry
}

// ReadTypes reads the image's BTF. If that cannot be read, it reads the DWARF of
// compile units with functions that use the structures: those that an index in the
// image names, and, if search is true, those that must be searched for. Members that
// neither describes are not known.
func ReadTypes(im *elfscan.Image, search bool) *Types {
	type key struct{ search bool }
	return im.Derived(key{search}, func() any {
		types := &Types{}
		btf, damage := ktypes.FromBTF(im)
		describedBy := func(function string) (*ktypes.Types, error) {
			if btf != nil {
				return btf, nil
			}
			t, err := fromDWARF(im, function, search)
			if err != nil && damage != nil {
				err = damage
			}
			return t, err
		}
		of, err := describedBy("ftrace_make_call")
		if err == nil {
			types.graph(of)
			types.ops(of)
			types.DirectCall, err = directCall(of)
		}
		types.HasDirectCall, types.NoDirectCall = err == nil, err
		loader, err := describedBy("module_finalize")
		if err == nil {
			if of == nil {
				of = loader
			}
			// The unit of ftrace_make_call() is read already. In most kernels it describes
			// modules, too.
			if types.Module, err = moduleMembers(of); err != nil {
				types.Module, err = moduleMembers(loader)
			}
		}
		types.HasModule, types.NoModule = err == nil, err
		return types
	}).(*Types)
}

// fromDWARF are the types that the DWARF of a function's compile unit describes. The
// unit is searched for only if search is true. The error says what a user can do, too.
func fromDWARF(im *elfscan.Image, function string, search bool) (*ktypes.Types, error) {
	fn, ok := im.Addr(function)
	switch {
	case !im.HasDebugInfo():
		return nil, &world.Lack{What: "neither BTF nor DWARF: give a --debug-file"}
	case !ok:
		return nil, &world.Lack{What: "no BTF, and no " + function}
	case !search && !im.IndexesUnit(fn):
		return nil, &world.Lack{What: "no BTF: give a module or --exhaustive"}
	}
	t, err := ktypes.FromDWARF(im, fn)
	if t == nil && err == nil {
		err = &world.Lack{What: "no BTF, and no DWARF of " + function}
	}
	return t, err
}

// graph reads what the graph tracer looks at.
func (types *Types) graph(of *ktypes.Types) {
	if task, err := of.Struct("task_struct"); err == nil {
		if m, err := of.Member(task, "tracing_graph_pause"); err == nil {
			types.GraphPause, types.HasGraphPause = m.Offset, true
		}
		if m, err := of.Member(task, "trace_recursion"); err == nil {
			types.Recursion, types.HasRecursion = m.Offset, true
		}
	}
	if call, err := of.Struct("ftrace_ret_stack"); err == nil {
		_, err := of.Member(call, "retp")
		types.Retp, types.HasRetp = err == nil, true
	}
}

// ops reads what a function can know of an ops and of a callsite's record.
func (types *Types) ops(of *ktypes.Types) {
	ops, err := of.Struct("ftrace_ops")
	if err != nil {
		return
	}
	flags, err1 := of.Member(ops, "flags")
	tramp, err2 := of.Member(ops, "trampoline")
	if err1 != nil || err2 != nil || max(flags.Offset, tramp.Offset) > OpsSize-8 {
		return
	}
	l := OpsMembers{flags.Offset, tramp.Offset, 1 << 2, 1 << 11, 1 << 29} // since Linux 3.18
	for name, flag := range map[string]*uint64{"FTRACE_OPS_FL_SAVE_REGS": &l.SaveRegs, "FTRACE_OPS_FL_ALLOC_TRAMP": &l.AllocTramp, "FTRACE_FL_REGS_EN": &l.RegsEnabled} {
		if v, err := of.Enumerator(name); err == nil {
			*flag = uint64(v)
		}
	}
	types.Ops, types.HasOps = l, true
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
		l.InitWhole = member("init_layout.size")
		return l, errors.Join(err, l.plausible())
	}
	l.TextBase, l.TextSize = member("mem.base"), member("mem.size") // of MOD_TEXT, the first
	one, e := t.Elem(mem.Type)
	step := initText(t) * one.Size
	l.InitBase, l.InitSize, l.InitWhole = l.TextBase+step, l.TextSize+step, l.TextSize+step
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
		return fmt.Errorf("struct module has %s and struct plt_entry %d, at most %d and 1 to %d are expected", plural.Of(l.Size, "byte"), l.PLTSize, maxModule, maxPLT)
	}
	for _, off := range []uint64{l.PLT, l.InitPLT, l.TextBase, l.TextSize, l.InitBase, l.InitSize, l.InitWhole} {
		if l.Size < 8 || off > l.Size-8 {
			return fmt.Errorf("struct module has a member at %s of %s", plural.Number(off), plural.Of(l.Size, "byte"))
		}
	}
	return nil
}
