package arch

import (
	"debug/elf"

	"github.com/ftlint/ftlint/a64"
)

// ARM64 is the arm64 architecture.
var ARM64 = &Arch{
	Name:     "arm64",
	Machine:  elf.EM_AARCH64,
	Class:    elf.ELFCLASS64,
	Data:     elf.ELFDATA2LSB,
	InsnSize: a64.Size,
	Call:     a64.ReachOf(a64.Call),

	// Dyntramp stands before RegsEra because its images have RegsEra's symbols, too.
	Eras:   []*Era{Dyntramp, RegsEra, Mcount, Args, Callops},
	Shapes: []*Shape{BLMcount, NOPs, OpsAndNOPs},

	EntryPoints: []string{
		"ftrace_regs_caller", "ftrace_caller", "ftrace_common", "ftrace_graph_caller",
		"ftrace_caller_direct_late", "ftrace_caller_direct", "ftrace_stub_direct_tramp",
		"_mcount", "return_to_handler",
	},
	CallSlot:   "ftrace_call",
	GraphSlot:  "ftrace_graph_call",
	GraphHook:  "ftrace_graph_func",
	GraphEnter: []string{"function_graph_enter", "function_graph_enter_regs", "function_graph_enter_ops"},
	Regions: []Region{
		{"ftrace_regs_caller", "ftrace_regs_caller_end"},
		{"ftrace_caller", "ftrace_caller_end"},
		{"ftrace_common", "ftrace_common_end"},
	},
	OpLoad: "function_trace_op_ptr",

	// Live leaves out X9-X17, which may be clobbered at a callsite: see the
	// comment in arch/arm64/kernel/ftrace.c. Saved is from AAPCS64, 6.1.1.
	Live:  []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30},
	Saved: []int{19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29},

	Patching: Patching{
		Read:          []string{"aarch64_insn_read"},
		Write:         []string{"aarch64_insn_patch_text_nosync", "aarch64_insn_write"},
		Synced:        "aarch64_insn_patch_text_nosync",
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
