package arch

import (
	"debug/elf"
	"encoding/binary"
	"strings"

	"github.com/ftlint/ftlint/a64"
)

// callOps is what kernels need for ops of callsites, and for direct calls by these.
const callOps = "CONFIG_DYNAMIC_FTRACE_WITH_CALL_OPS (Linux 6.4 on, with -fpatchable-function-entry=4,2: gcc without CONFIG_CC_OPTIMIZE_FOR_SIZE, or clang without CONFIG_CFI_CLANG)"

// ARM64 is the arm64 architecture.
var ARM64 = &Arch{
	Name:     "arm64",
	Machine:  elf.EM_AARCH64,
	Class:    elf.ELFCLASS64,
	Data:     elf.ELFDATA2LSB,
	InsnSize: a64.Size,
	CallSize: a64.Size,
	Syscall:  "__arm64_sys_",
	CallInsn: "BL",
	Call:     a64.ReachOf(a64.Call),

	Relocs: Relocs{
		Relative: uint32(elf.R_AARCH64_RELATIVE),
		Absolute: []uint32{uint32(elf.R_AARCH64_ABS64), uint32(elf.R_AARCH64_GLOB_DAT)},
		Delta:    []uint32{uint32(elf.R_AARCH64_PREL64)},
		None:     []uint32{uint32(elf.R_AARCH64_NONE), uint32(elf.R_AARCH64_NULL)},
		Branches: []uint32{uint32(elf.R_AARCH64_CALL26), uint32(elf.R_AARCH64_JUMP26)},
	},
	Text: func(code []byte, pc uint64, name func(uint64) string) (string, int) {
		if len(code) < a64.Size {
			return "(nothing)", a64.Size
		}
		return a64.Text(binary.LittleEndian.Uint32(code), pc, name), a64.Size
	},

	Insn:      armInsn,
	OpLoad:    armOpLoad,
	TakesLock: armLocks,
	OpInsn:    "ADRP+LDR pair",
	Args:      []string{"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7"},
	OpsArg:    "x2",
	MaxInsn:   a64.Size,

	EncodeCall: func(pc, target uint64) ([]byte, bool) { return armCode(a64.EncodeBL(pc, target)) },
	EncodeJump: func(pc, target uint64) ([]byte, bool) { return armCode(a64.EncodeB(pc, target)) },
	Nop:        binary.LittleEndian.AppendUint32(nil, a64.NOP),

	// Dyntramp stands before RegsEra because its images have RegsEra's symbols, too.
	Eras:   []*Era{Dyntramp, RegsEra, Mcount, Args, Callops},
	Shapes: []*Shape{BLMcount, NOPs, OpsAndNOPs},

	EntryPoints: []string{
		"ftrace_regs_caller", "ftrace_caller", "ftrace_common", "ftrace_graph_caller",
		"ftrace_caller_direct_late", "ftrace_caller_direct", "ftrace_stub_direct_tramp",
		"_mcount", "return_to_handler",
	},
	CallSlot:   "ftrace_call",
	CallSlots:  []string{"ftrace_call"},
	GraphSlot:  "ftrace_graph_call",
	GraphHook:  "ftrace_graph_func",
	GraphEnter: []string{"function_graph_enter", "function_graph_enter_regs", "function_graph_enter_ops"},
	Regions: []Region{
		{Start: "ftrace_regs_caller", End: "ftrace_regs_caller_end"},
		{Start: "ftrace_caller", End: "ftrace_caller_end"},
		{"ftrace_common", "ftrace_common_end", []Slot{
			{"ftrace_call", CallSlot}, {"ftrace_graph_call", GraphSlot}, {"function_trace_op_ptr", OpLoad},
		}},
	},
	Tables: []Table{
		// struct alt_instr
		{"an alternative", "is not applied to the copy", "__alt_instructions", "__alt_instructions_end", []int{12}, 2, ".altinstructions"},
		// struct jump_entry
		{"a jump label", "never switches in the copy", "__start___jump_table", "__stop___jump_table", []int{16}, 0, "__jump_table"},
		// struct exception_table_entry: 12 bytes since "arm64: extable: add `type` and `data` fields"
		{"an exception-table entry", "does not cover the copy, where a fault is fatal", "__start___ex_table", "__stop___ex_table", []int{12, 8}, 0, ""},
	},
	Pads: Pads{
		Feature: "BTI", Insn: "BTI c", Accepts: accepts(a64.BranchCall),
		Exception:  "in a guarded page that is a Branch Target exception",
		Late:       "a BLR to the function lands on a NOP",
		BehindSite: "ftrace's NOPs",
		LateFix:    "Build with a compiler that puts the landing pad first (GCC bug 92424)",
		Veneer: func(symbol string) bool {
			return strings.HasPrefix(symbol, "__") && (strings.HasSuffix(symbol, "_veneer") || strings.Contains(symbol, "Thunk_"))
		},
	},
	Type: TypeCode{a64.Size, func(typ uint32) []byte { return binary.LittleEndian.AppendUint32(nil, typ) }},
	// map_kernel() and mark_rodata_ro() in arch/arm64/mm/mmu.c, later
	// arch/arm64/kernel/pi/map_kernel.c
	Boundaries: []string{
		"_stext", "_etext", "__start_rodata", "__inittext_begin", "__inittext_end",
		"__initdata_begin", "__initdata_end", "_sdata", "_end",
	},
	// those that map_kernel() is inlined into, itself, and what it calls, of which the
	// compiler can make a copy for each part ("map_kernel_segment.constprop.0")
	Mappers: []string{"paging_init", "map_kernel", "map_kernel_segment", "early_map_kernel", "__pi_early_map_kernel", "__pi_map_kernel"},

	// Live leaves out X9-X17, which may be clobbered at a callsite: see the
	// comment in arch/arm64/kernel/ftrace.c. Saved is from AAPCS64, 6.1.1.
	Live:  []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30},
	Saved: []int{19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29},

	Patching: Patching{
		Read:          []string{"aarch64_insn_read"},
		Write:         []string{"aarch64_insn_patch_text_nosync", "aarch64_insn_write"},
		Interface:     "aarch64_insn_patch_text_nosync",
		Copy:          "aarch64_insn_copy",
		Synced:        "aarch64_insn_patch_text_nosync",
		Sleeps:        true,
		WriteLiteral:  []string{"aarch64_insn_write_literal_u64"},
		Branch:        "aarch64_insn_gen_branch_imm",
		Makers:        []string{"aarch64_insn_gen_branch_imm", "aarch64_insn_gen_nop", "aarch64_insn_gen_move_reg"},
		MakerPrefixes: []string{"aarch64_insn_gen_", "aarch64_set_branch_offset", "aarch64_insn_adrp_set_offset", "aarch64_insn_encode_"},
	},
	Modules: Modules{
		Tables:   []string{"__patchable_function_entries", "__mcount_loc"},
		PLT:      ".text.ftrace_trampoline",
		InitPLT:  ".init.text.ftrace_trampoline",
		PLTEntry: 3 * a64.Size, // ADRP, ADD, BR
	},
	Options: Options{callOps, callOps, "CONFIG_LIVEPATCH, which arm64 has where stack traces are reliable (CONFIG_HAVE_RELIABLE_STACKTRACE)"},
	Returns: Returns{
		Prepare:       []string{"arch_prepare_kretprobe", "arch_rethook_prepare"},
		Trampolines:   []string{"__kretprobe_trampoline", "kretprobe_trampoline", "arch_rethook_trampoline"},
		Handlers:      []string{"trampoline_probe_handler", "arch_rethook_trampoline_callback"},
		BreakHandlers: []string{"kretprobe_brk_handler", "kretprobe_breakpoint_handler"},
		Break:         7, // KRETPROBES_BRK_IMM
		Dispatch:      "do_el1_brk64",
		Core:          []string{"__kretprobe_trampoline_handler", "rethook_trampoline_handler"},
		Busy:          [2]string{"kprobe_busy_begin", "kprobe_busy_end"},
		Fixup:         []string{"arch_kretprobe_fixup_return", "arch_rethook_fixup_return"},
		Recover:       "kretprobe_find_ret_addr",
		// struct kretprobe_instance: from 5.11 on rcu, llist, rph, ret_addr, fp, and
		// struct rethook_node alike; before, hlist, rp, ret_addr, task, fp.
		Hashed:    "kretprobe_inst_table",
		Saved:     Saved{Return: 32, Frame: 40},
		HashSaved: Saved{Return: 24, Frame: 40},
	},
}

func armCode(w uint32, err error) ([]byte, bool) {
	return binary.LittleEndian.AppendUint32(nil, w), err == nil
}

// accepts is Indirect.Accepts for a branch.
func accepts(b a64.BranchType) func([]byte) bool {
	return func(code []byte) bool { return len(code) >= a64.Size && b.Accepts(binary.LittleEndian.Uint32(code)) }
}

func armInsn(code []byte, pc uint64) (in Insn, ok bool) {
	if len(code) < a64.Size {
		return in, false
	}
	w := binary.LittleEndian.Uint32(code)
	in.Size = a64.Size
	in.Target, _ = a64.Target(w, pc)
	switch kind := a64.Classify(w); kind {
	case a64.Nop:
		in.Flow = DoesNought
	case a64.Call:
		in.Flow = Calls
	case a64.Branch:
		in.Flow = Jumps
	case a64.BCond, a64.CBZ, a64.TBZ:
		in.Flow = JumpsIf
	case a64.BLR:
		in.Flow = CallsAway
	case a64.BR:
		in.Flow = JumpsAway
	case a64.Ret:
		in.Flow = Leaves
	case a64.ERet:
		in.Flow = Leaves
	case a64.Break:
		in.Flow = Traps
	}
	return in, true
}

// armOpLoad is the address that the pair ADRP Xn; LDR Xt, [Xn, #imm] loads from.
func armOpLoad(code []byte, pc uint64) (from uint64, ok bool) {
	if len(code) < 2*a64.Size {
		return 0, false
	}
	adrp, ldr := binary.LittleEndian.Uint32(code), binary.LittleEndian.Uint32(code[a64.Size:])
	if a64.Classify(adrp) != a64.ADRP || ldr&0xffc00000 != 0xf9400000 || a64.Rn(ldr) != a64.Rd(adrp) {
		return 0, false
	}
	page, _ := a64.Target(adrp, pc)
	return page + uint64(ldr>>10&0xfff)*8, true
}
