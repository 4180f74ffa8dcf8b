package arch

import (
	"bytes"
	"debug/elf"
	"encoding/binary"

	"golang.org/x/arch/x86/x86asm"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/x64"
)

// X86 is the x86-64 architecture. The kernel's 32-bit x86 has no dynamic
// trampolines, and is not judged.
var X86 = &Arch{
	Name:     "x86",
	Machine:  elf.EM_X86_64,
	Class:    elf.ELFCLASS64,
	Data:     elf.ELFDATA2LSB,
	InsnSize: 1,
	CallSize: x64.CallSize,
	CallInsn: "CALL",
	// A displacement counts from the instruction behind the CALL.
	Call:     a64.Reach{Min: x64.MinReach + x64.CallSize, Max: x64.MaxReach + x64.CallSize, Step: 1},
	PageSize: 4096,
	Objects:  0xffff_8881_0000_0000, // in the linear map: the address of an ops is shown to people
	Syscall:  "__x64_sys_",
	Relocs: Relocs{
		Relative: uint32(elf.R_X86_64_RELATIVE),
		Absolute: []uint32{uint32(elf.R_X86_64_64), uint32(elf.R_X86_64_GLOB_DAT)},
		Delta:    []uint32{uint32(elf.R_X86_64_PC64)},
		None:     []uint32{uint32(elf.R_X86_64_NONE)},
	},
	Text: func(code []byte, pc uint64, name func(uint64) string) (string, int) {
		return x64.Text(code, pc, name), x64.Size(code)
	},

	Insn:   x86Insn,
	OpLoad: x86OpLoad,
	Thunk:  "__x86_indirect_",

	ReturnThunk: "__x86_return_thunk",

	TakesLock: x86Locks,
	OpInsn:    "MOV into RDX",
	Args:      []string{"rdi", "rsi", "rdx", "rcx", "r8", "r9"},
	OpsArg:    "RDX",
	MaxInsn:   x64.MaxSize,

	EncodeCall: func(pc, target uint64) ([]byte, bool) { code, ok := x64.EncodeCall(pc, target); return code[:], ok },
	EncodeJump: func(pc, target uint64) ([]byte, bool) { code, ok := x64.EncodeJump(pc, target); return code[:], ok },
	Nop:        x64.Nop5[:],

	Eras:   []*Era{Fentry},
	Shapes: []*Shape{CallFentry},

	EntryPoints: []string{"ftrace_regs_caller", "ftrace_caller", "ftrace_stub_direct_tramp", "__fentry__", "return_to_handler"},
	CallSlot:    "ftrace_call",
	CallSlots:   []string{"ftrace_call", "ftrace_regs_call"},
	GraphSlot:   "ftrace_graph_call", // up to 5.15
	GraphOff:    "ftrace_stub",
	GraphHook:   "ftrace_graph_func",
	GraphEnter:  []string{"function_graph_enter", "function_graph_enter_regs", "function_graph_enter_ops"},
	Regions: []Region{
		{"ftrace_regs_caller", "ftrace_regs_caller_end", []Slot{
			{"ftrace_regs_call", CallSlot}, {"ftrace_regs_caller_jmp", DirectSlot}, {"ftrace_regs_caller_op_ptr", OpLoad},
		}},
		{"ftrace_caller", "ftrace_caller_end", []Slot{{"ftrace_call", CallSlot}, {"ftrace_caller_op_ptr", OpLoad}}},
	},
	AppendsReturn: true,
	// Alternatives are applied to the entry code, which is live, before the first
	// trampoline is built.
	Tables: []Table{
		{"a jump label", "never switches in the copy", "__start___jump_table", "__stop___jump_table", []int{16}, 0, "__jump_table"},
		{"an exception-table entry", "does not cover the copy, where a fault is fatal", "__start___ex_table", "__stop___ex_table", []int{12}, 0, ""},
	},
	Pads: Pads{
		Feature: "IBT", Insn: "ENDBR64", Accepts: isEndbr,
		Exception:  "that is a Control Protection exception, of which the kernel dies",
		Late:       "an indirect call of the function lands on the callsite",
		BehindSite: "its callsite",
		LateFix:    "Build with a compiler that puts the landing pad first",
		Pointers: []Pointer{
			// struct ftrace_ops begins with the callback
			{"ftrace_list_end", "an indirect call, as the callback of ftrace_list_end"},
			{"global_ops", "an indirect call, as the callback of global_ops"},
			{"graph_ops", "an indirect call, as the callback of graph_ops"},
			{"direct_ops", "an indirect call, as the callback of direct_ops"},
			{"kprobe_ftrace_ops", "an indirect call, as the callback of kprobe_ftrace_ops"},
			{"kprobe_ipmodify_ops", "an indirect call, as the callback of kprobe_ipmodify_ops"},
			{"ftrace_trace_function", "an indirect call, through ftrace_trace_function"},
			{"ftrace_graph_entry", "an indirect call, through ftrace_graph_entry"},
			{"ftrace_graph_return", "an indirect call, through ftrace_graph_return"},
		},
		Removed: [2]string{"__ibt_endbr_seal", "__ibt_endbr_seal_end"},
	},
	Type: TypeCode{16, func(typ uint32) []byte { return binary.LittleEndian.AppendUint32([]byte{x64.OpMovEAX}, typ) }},
	// mark_rodata_ro() in arch/x86/mm/init_64.c rounds _etext up.
	Boundaries: []string{"_text", "__start_rodata", "__end_rodata", "_sdata", "__init_begin", "__init_end", "_end"},

	// pcpu_hot is struct pcpu_hot of 6.2 to 6.14, with both; fixed_percpu_data is that of
	// arch/x86/include/asm/processor.h, up to 6.14.
	Current: []PerCPU{{"current_task", 0}, {"pcpu_hot", 0}},
	Preempt: []PerCPU{{"__preempt_count", 0}, {"pcpu_hot", 8}},
	Canary:  []PerCPU{{"__stack_chk_guard", 0}, {"fixed_percpu_data", 40}},

	Patching: Patching{
		Interface: "text_poke_bp",
		Copy:      "text_poke_copy",
		WriteBytes: []string{
			"text_poke_bp", "smp_text_poke_single", "text_poke_queue", "smp_text_poke_batch_add", "text_poke_early", "text_poke",
			"text_poke_copy", "text_poke_copy_locked",
		},
		// text_poke_copy() takes the mutex, text_poke_early() is called before others run.
		Locked:    []string{"text_poke_bp", "smp_text_poke_single", "text_poke_queue", "smp_text_poke_batch_add", "text_poke", "text_poke_copy_locked"},
		Emulating: []string{"text_poke_bp", "smp_text_poke_single", "text_poke_queue", "smp_text_poke_batch_add"},
		Early:     []string{"text_poke_early", "text_poke", "text_poke_copy", "text_poke_copy_locked"},
		Lock:      "text_mutex",
		Late:      "ftrace_poke_late",
		Finish:    []string{"text_poke_finish", "smp_text_poke_batch_finish"},
	},
	Modules: Modules{
		Base:   0xffff_ffff_c000_0000, // MODULES_VADDR with KASLR
		End:    0xffff_ffff_ff00_0000, // MODULES_END
		Tables: []string{"__mcount_loc"},
		Called: []string{"init_module", "cleanup_module"},
	},
	Options: Options{Direct: "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS (Linux 5.5 on)", Livepatch: "CONFIG_LIVEPATCH"},
}

// CallFentry is the shape of x86's callsites: a CALL in front of the prologue (gcc's
// -mfentry), behind the landing pad if there is one.
var CallFentry = &Shape{Text: "`call __fentry__`, or a 5-byte NOP, at the function's entry", Tracer: "__fentry__", Size: x64.CallSize}

// X86Regs are the offsets of struct pt_regs of x86-64 (arch/x86/include/asm/ptrace.h).
var X86Regs = &Regs{FP: 32, PC: 128, SP: 152, Direct: 120, PState: 144, Stacked: true}

// Fentry is the era of x86-64 kernels with dynamic trampolines: 3.19 and later.
var Fentry = &Era{
	Name: "fentry", Shape: CallFentry, Regs: X86Regs, Slot: true, Template: true, Unknown: true,
	Paths: []Path{
		{Callback, "ftrace_caller"}, {Redirect, "ftrace_caller"}, {Graph, "ftrace_caller"},
		{Callback, "ftrace_regs_caller"}, {Redirect, "ftrace_regs_caller"}, {Graph, "ftrace_regs_caller"}, {LateDirect, "ftrace_regs_caller"},
		{StubDirect, "ftrace_stub_direct_tramp"}, {ReturnToHandler, "return_to_handler"},
	},
	Symbols:  []string{"__fentry__"},
	Indirect: x86Indirect,
	Labels: []Label{
		{Name: "__fentry__", Role: "what the compiler's CALL at each function calls",
			NeededBy: "every callsite, whose CALL goes here until ftrace has patched it"},
		{Name: "ftrace_caller", Role: "entry code: calls the callback, returns to the callsite", Needs: dynamic,
			NeededBy: "every enabled callsite, whose CALL goes here"},
		{Name: "ftrace_caller_op_ptr", Role: "the load of function_trace_op", Needs: dynamic,
			NeededBy: "the builder, which makes it a load of the trampoline's own ops"},
		{Name: "ftrace_call", Role: "the CALL to the callback, patched", Needs: dynamic,
			NeededBy: "ftrace_update_ftrace_func(), and the builder, which patch it"},
		{Name: "ftrace_caller_end", Role: "end of what is copied of ftrace_caller", Needs: dynamic,
			NeededBy: "the builder, which copies from ftrace_caller to here"},
		{Name: "ftrace_regs_caller", Role: "entry code that saves all registers", Needs: dynamic,
			NeededBy: "callsites whose ops ask for registers (FTRACE_OPS_FL_SAVE_REGS)"},
		{Name: "ftrace_regs_caller_op_ptr", Role: "the load of function_trace_op in ftrace_regs_caller", Needs: dynamic,
			NeededBy: "the builder, which makes it a load of the trampoline's own ops"},
		{Name: "ftrace_regs_call", Role: "the CALL to the callback in ftrace_regs_caller, patched", Needs: dynamic,
			NeededBy: "ftrace_update_ftrace_func(), and the builder, which patch it"},
		{Name: "ftrace_regs_caller_jmp", Role: "the JNE to the direct call", Needs: "ftrace_stub_direct_tramp",
			NeededBy: "the builder, which makes it a NOP"},
		{Name: "ftrace_regs_caller_end", Role: "end of what is copied of ftrace_regs_caller", Needs: dynamic,
			NeededBy: "the builder, which copies from ftrace_regs_caller to here"},
		{Name: "ftrace_stub", Role: "a RET: the callback while there is none",
			NeededBy: "ftrace_call, which calls it until a callback is set"},
		{Name: "return_to_handler", Role: "where a function that fgraph traces returns to", Needs: fgraph,
			NeededBy: "prepare_ftrace_return(), which writes its address over the return address"},
		{Name: "arch_ftrace_update_trampoline", Role: "the arch hook that builds or updates an ops' trampoline", Needs: dynamic,
			NeededBy: "the core, which calls it for each ops; its own weak stub builds nothing"},
	},
}

// x86Indirect are the functions that indirect calls reach: what is there while nothing
// else is, and callbacks, which the core calls so where there are several. CALL goes to
// the entry code and to trampolines, and RET to return_to_handler: these need no pad.
var x86Indirect = []Indirect{
	{"ftrace_stub", "an indirect call, as the callback of an ops that is no longer registered", isEndbr},
	{"ftrace_stub_graph", "an indirect call, as the fgraph callback while there is none", isEndbr},
	{"ftrace_graph_func", "an indirect call, as the callback of the graph tracer", isEndbr},
	{"function_trace_call", "an indirect call, as the callback of the function tracer", isEndbr},
	{"function_stack_trace_call", "an indirect call, as the callback of the function tracer", isEndbr},
	{"ftrace_pid_func", "an indirect call, as the callback of an ops with process numbers", isEndbr},
	{"kprobe_ftrace_handler", "an indirect call, as the callback of kprobes", isEndbr},
	{"fprobe_handler", "an indirect call, as the callback of fprobes", isEndbr},
	{"klp_ftrace_handler", "an indirect call, as the callback of live patching", isEndbr},
	{"stack_trace_call", "an indirect call, as the callback of the stack tracer", isEndbr},
	{"perf_ftrace_function_call", "an indirect call, as the callback of perf", isEndbr},
	{"trace_graph_entry", "an indirect call, as an fgraph callback", isEndbr},
	{"trace_graph_return", "an indirect call, as an fgraph callback", isEndbr},
}

func isEndbr(code []byte) bool { return bytes.HasPrefix(code, x64.Endbr[:]) }

// All are the architectures whose kernels are judged.
var All = []*Arch{ARM64, X86}

// Named is the architecture of that name, or nil.
func Named(name string) *Arch {
	for _, a := range All {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// Of is the architecture of the ELF machine, or nil.
func Of(m elf.Machine) *Arch {
	for _, a := range All {
		if a.Machine == m {
			return a
		}
	}
	return nil
}

var x86Flows = [...]Flow{
	x64.Nop: DoesNought, x64.Call: Calls, x64.Jump: Jumps, x64.JumpIf: JumpsIf,
	x64.CallReg: CallsAway, x64.JumpReg: JumpsAway, x64.Ret: Leaves, x64.IRet: Leaves, x64.Trap: Traps,
}

func x86Insn(code []byte, pc uint64) (in Insn, ok bool) {
	i, ok := x64.Decode(code)
	if !ok {
		return in, false
	}
	in = Insn{Size: uint64(i.Len), Flow: x86Flows[i.Kind]}
	switch in.Flow {
	case Calls, Jumps, JumpsIf:
		in.Target, _ = i.Target(pc)
	}
	return in, true
}

// x86OpLoad is the address that MOV rel(%rip), %rdx loads from.
func x86OpLoad(code []byte, pc uint64) (from uint64, ok bool) {
	in, ok := x64.Decode(code)
	if !ok || in.Op != x86asm.MOV || in.Args[0] != x86asm.RDX {
		return 0, false
	}
	return in.Target(pc)
}

// x86Locks is X86.TakesLock. Every store that is not to the stack counts.
func x86Locks() func(code []byte) bool {
	return func(code []byte) bool {
		in, ok := x64.Decode(code)
		m, memory := in.Args[0].(x86asm.Mem)
		if !ok || !memory || m.Base == x86asm.RSP || m.Base == x86asm.RBP {
			return false
		}
		switch in.Op {
		case x86asm.CMP, x86asm.TEST, x86asm.BT, x86asm.NOP, x86asm.PUSH, x86asm.CALL, x86asm.JMP,
			x86asm.PREFETCHT0, x86asm.PREFETCHT1, x86asm.PREFETCHT2, x86asm.PREFETCHNTA, x86asm.PREFETCHW:
			return false
		}
		return true
	}
}
