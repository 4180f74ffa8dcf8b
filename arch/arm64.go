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
	CallSlot:  "ftrace_call",
	GraphSlot: "ftrace_graph_call",
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
}
