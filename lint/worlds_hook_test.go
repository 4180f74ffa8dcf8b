package lint_test

import (
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
)

// hookNames are the functions by which the core of ftrace drives the architecture.
var hookNames = []string{
	"ftrace_update_ftrace_func", "arch_ftrace_update_code", "ftrace_enable_ftrace_graph_caller", "ftrace_disable_ftrace_graph_caller",
	"ftrace_graph_func", "prepare_ftrace_return", "arch_ftrace_get_symaddr", "arch_ftrace_update_trampoline", "arch_ftrace_trampoline_free",
	"arch_ftrace_trampoline_func", "arch_ftrace_match_adjust", "ftrace_dyn_arch_init", "ftrace_arch_code_modify_prepare",
	"ftrace_arch_code_modify_post_process", "ftrace_stub", "ftrace_stub_graph",
}

// hooksIn are the hooks of an image that anything calls: where ftrace_graph_func()
// stands beside prepare_ftrace_return(), nothing calls the latter.
func hooksIn(im *elfscan.Image) []*unit {
	names := hookNames
	if _, ok := im.Addr("ftrace_graph_func"); ok {
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "prepare_ftrace_return" })
	}
	return functionUnits(false, names...)(im)
}

// hooksOfCore are the stand-ins for what the hooks call.
func (j *worlds) hooksOfCore() {
	entered := func(x *[31]uint64) {
		x[0] = junkMark &^ 0xffff_ffff
		if j.failing(9) {
			x[0] |= uint64(uint32(j.salt>>8) | 1<<(j.salt&31))
		}
	}
	takes := "xxx"
	if j.types.Retp || !j.types.HasRetp {
		takes += "x"
	}
	j.hook(takes, entered, "function_graph_enter")
	j.hook(takes[:3]+"xx", entered, "function_graph_enter_regs")
	j.hook("w", func(*[31]uint64) {}, "ftrace_modify_all_code")
}

// playHook calls one of the hooks.
func playHook(j *worlds) {
	r, m, im := j.r, j.w.M, j.im
	addr := func(name string) uint64 { a, _ := im.Addr(name); return a }
	s := j.sites[r.IntN(len(j.sites))]
	regs := j.w.Object(512)
	for off := uint64(0); off < 512; off += 8 {
		_ = m.Write64(regs+off, r.Uint64())
	}
	j.look(regs, 512)
	_ = m.Watch(regs, 512)
	if r.IntN(4) > 0 && j.types.HasGraphPause {
		_ = m.Write32(ourTask+j.types.GraphPause, 0)
	}
	for _, label := range []string{arch.ARM64.CallSlot, arch.ARM64.GraphSlot} {
		if slot := addr(label); slot != 0 {
			j.look(slot&^7-8, 24)
			b, _ := a64.EncodeB(slot, addr("ftrace_graph_caller"))
			_ = m.Write32(slot, pick(r, a64.NOP, a64.NOP, b, b, j.word(slot)))
		}
	}
	name := hookNames[r.IntN(len(hookNames))]
	var args []uint64
	width := uint(0)
	switch name {
	case "ftrace_update_ftrace_func":
		args, width = []uint64{addr(arch.ARM64.CallSlot) + (r.Uint64N(255<<20)-127<<20)&^3}, anyError
	case "arch_ftrace_update_code":
		args = []uint64{r.Uint64()&^63 | r.Uint64N(64)}
	case "ftrace_enable_ftrace_graph_caller", "ftrace_disable_ftrace_graph_caller", "ftrace_dyn_arch_init":
		width = anyError
	case "ftrace_arch_code_modify_prepare", "ftrace_arch_code_modify_post_process":
		if j.types.HasRetp && !j.types.Retp {
			width = anyError // 5.10 looks at the result
		}
	case "ftrace_graph_func":
		args = []uint64{s.Call, r.Uint64(), regs, regs}
	case "prepare_ftrace_return":
		args = []uint64{s.Call, regs + 8*r.Uint64N(64), r.Uint64()}
	case "arch_ftrace_get_symaddr":
		args, width = []uint64{s.Call}, 64
	case "arch_ftrace_trampoline_func", "arch_ftrace_match_adjust":
		args, width = []uint64{regs, r.Uint64()}, 64
	default:
		args = []uint64{regs, regs, regs, regs}
	}
	j.call(name, width, args...)
}
