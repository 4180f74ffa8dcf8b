package rules

import (
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/trampoline"
)

// onX86 is Rule.NotOn for a rule that says nothing of x86-64, with the reason.
func onX86(why string) Absence { return absent(arch.X86.Name, why) }

// catalogue holds every rule, in ID order. The hundreds are groups:
//
//	FT1xx the trampoline: template, copy and result
//	FT2xx reach
//	FT3xx W^X and caches
//	FT4xx callsites
//	FT5xx x86-isms
//	FT6xx the builder's source and the patch
//
// An ID or a name, once released, is never given to another idea.
var catalogue = []Rule{
	{
		ID: "FT101", Name: "label-missing", Severity: Error,
		Title: "the image has some labels of an era's set and lacks another that its builder or entry code needs",
		On:    Kernels,
		Sees:  Symbols,
	},
	{
		ID: "FT102", Name: "label-misplaced", Severity: Error,
		Title: "a label is outside text, misaligned, or out of order",
		On:    Kernels,
		Sees:  Symbols,
	},
	{
		ID: "FT103", Name: "copy-misses-ret", Severity: Error,
		Title:       "the copied bytes do not end in the return: execution runs off the copy into the literal",
		On:          Kernels,
		Sees:        Model | Execution,
		Picture:     BesideModel,
		Differences: differences(trampoline.MissesReturn),
	},
	{
		ID: "FT104", Name: "end-label-before-ret", Severity: Warning,
		Title: "an end label stands on the last instruction, not after it, so every use of it must add an instruction by hand",
		On:    Kernels | Patches,
		NotOn: onX86("x86 appends the return to the copy, so that the end label stands before the return on purpose"),
		Sees:  Symbols,
	},
	{
		ID: "FT105", Name: "copy-past-ret", Severity: Error,
		Title:       "the copy goes on past the final return",
		On:          Kernels,
		Sees:        Model | Execution,
		Picture:     BesideModel,
		Differences: differences(trampoline.PastReturn),
	},
	{
		ID: "FT106", Name: "pcrel-escapes-copy", Severity: Error,
		Title:       "a PC-relative instruction aims outside the copied region and is copied unrewritten, so the copy aims elsewhere",
		On:          Kernels | Patches,
		Sees:        Model | Execution,
		Picture:     BesideModel,
		Differences: differences(trampoline.Escapes),
	},
	{
		ID: "FT107", Name: "op-load-mislabelled", Severity: Error,
		Title: "the op-pointer label is not on the ADRP of the ADRP+LDR pair that loads function_trace_op",
		On:    Kernels,
		Sees:  Symbols,
	},
	{
		ID: "FT108", Name: "op-load-wrong", Severity: Error,
		Title:       "the built trampoline does not hand its own ftrace_ops to the callback in x2",
		On:          Kernels,
		Sees:        Execution,
		Picture:     BesideModel,
		Differences: differences(trampoline.OpsWrong),
	},
	{
		ID: "FT109", Name: "ops-literal-misaligned", Severity: Warning,
		Title:       "the 64-bit ops literal is not 8-byte aligned: its load and store are not single-copy atomic",
		On:          Kernels,
		Sees:        Model | Execution,
		Picture:     BesideModel,
		Differences: differences(trampoline.Misaligned),
	},
	{
		ID: "FT110", Name: "ops-literal-unreachable", Severity: Error,
		Title:       "the ops literal is outside LDR's +-1 MiB, or the offset is masked without a check",
		On:          Kernels,
		NotOn:       onX86("the load of the literal reaches 2 GiB, and both lie in one allocation"),
		Sees:        Model | Execution,
		Picture:     BesideModel,
		Differences: differences(trampoline.Unreachable),
		Twin:        "FT603",
	},
	{
		ID: "FT111", Name: "call-slot-mismatch", Severity: Error,
		Title:       "the slot that the builder patches for the callback or for fgraph is not the copied ftrace_call / ftrace_graph_call",
		On:          Kernels,
		Sees:        Model | Execution,
		Picture:     BesideModel,
		Differences: differences(trampoline.WrongSlot),
	},
	{
		ID: "FT112", Name: "template-executable", Severity: Note,
		Title: "the template is patched live kernel text; a template that is only copied belongs in read-only, non-executable memory",
		On:    Kernels | Patches,
		NotOn: onX86("the template is also the entry code of callsites with several tracers, and is executed"),
		Sees:  Symbols,
	},
	{
		ID: "FT113", Name: "context-not-preserved", Severity: Error,
		Title:       "entry code, trampoline or the return of a probed function, executed, does not give back registers, SP or PC, or hands the callback wrong arguments",
		On:          Kernels,
		NotOn:       onX86("it is not executed on x86 yet"),
		Sees:        Execution,
		Differences: differences(trampoline.Unexplained),
	},
	{
		ID: "FT114", Name: "landing-pad-missing", Severity: Error,
		Title: "code reached by BR/BLR in a BTI kernel does not begin with a landing pad",
		On:    Kernels | Modules,
		NotOn: onX86("landing pads are not judged on x86 yet"),
		Sees:  Symbols | Execution,
	},
	{
		ID: "FT115", Name: "metadata-not-copied", Severity: Warning,
		Title: "alternatives, jump labels or exception-table entries point into the copied region: the copy has no such entries",
		On:    Kernels,
		Sees:  Sections,
	},
	{
		ID: "FT116", Name: "builder-differs-from-model", Severity: Error,
		Title:       "what the image's builder built differs from the model, and no rule above explains it",
		On:          Kernels,
		Sees:        Execution,
		Picture:     BesideModel,
		Differences: differences(trampoline.Unexplained, trampoline.Misconduct),
	},
	{
		ID: "FT117", Name: "arch-hook-wrong", Severity: Error,
		Title: "a function that the core of ftrace calls, executed, does or returns other than its contract",
		On:    Kernels,
		NotOn: onX86("it is not executed on x86 yet"),
		Sees:  Execution,
	},
	{
		ID: "FT118", Name: "text-patching-wrong", Severity: Error,
		Title: "the patching interface, executed through the fixmap, writes elsewhere or another word, leaves the mapping, accepts a misaligned address, hides a fault, or does not maintain the instruction cache",
		On:    Kernels,
		NotOn: onX86("the patching interface of x86 (text_poke) is not executed: its effect on memory is taken for granted"),
		Sees:  Execution,
	},
	{
		ID: "FT119", Name: "encoder-wrong", Severity: Error,
		Title: "an instruction maker that ftrace or the BPF JIT uses gives another word than the Arm ARM",
		On:    Kernels,
		NotOn: onX86("x86 makes its instructions inline (text_gen_insn()): what is made is judged where it is written"),
		Sees:  Execution,
	},

	{
		ID: "FT201", Name: "callsite-out-of-reach", Severity: Error,
		Title:   "a callsite of vmlinux cannot reach its entry code with BL",
		On:      Kernels,
		Sees:    Callsites | Symbols,
		Picture: AddressMap,
	},
	{
		ID: "FT202", Name: "trampoline-out-of-reach", Severity: Warning,
		Title:   "the builder's memory can land out of BL reach of a callsite or of the callback, and the builder has no PLT",
		On:      Kernels,
		Sees:    Model | Execution,
		Picture: Situations,
		Twin:    "FT608",
	},
	{
		ID: "FT203", Name: "far-trampoline-breaks", Severity: Error,
		Title:   "executed with memory beyond +-128 MiB, the builder neither uses a PLT nor fails: it writes a BRK or a wrong branch",
		On:      Kernels,
		Sees:    Execution,
		Picture: Situations,
		Twin:    "FT608",
	},
	{
		ID: "FT204", Name: "module-ftrace-plt-missing", Severity: Error,
		Title: "a module with callsites has no .text.ftrace_trampoline while its kernel can place modules out of reach",
		On:    Modules,
		NotOn: onX86("CALL reaches 2 GiB, in which all modules lie: x86 has no PLTs"),
		Sees:  Sections,
	},
	{
		ID: "FT205", Name: "module-init-plt-missing", Severity: Warning,
		Title: "a module with callsites in init text has no .init.text.ftrace_trampoline, in a kernel that supports it",
		On:    Modules,
		NotOn: onX86("CALL reaches 2 GiB, in which all modules lie: x86 has no PLTs"),
		Sees:  Sections,
	},
	{
		ID: "FT206", Name: "range-check-wrong", Severity: Error,
		Title: "the kernel's own reachability check, executed at the borders, disagrees with what BL can encode",
		On:    Kernels,
		NotOn: onX86("CALL reaches 2 GiB, in which the image and all modules lie: the functions of x86 check no range"),
		Sees:  Execution,
	},
	{
		ID: "FT207", Name: "image-exceeds-direct-range", Severity: Warning,
		Title:   "_end - _text leaves no or little room for modules in direct range",
		On:      Kernels,
		NotOn:   onX86("CALL reaches 2 GiB, in which the image and all modules lie"),
		Sees:    Symbols,
		Picture: AddressMap,
	},
	{
		ID: "FT208", Name: "module-plt-too-small", Severity: Error,
		Title: "the loader's own sizing, executed, makes less room for PLT entries than the branches that may have to leave their section need",
		On:    Kernels | Modules,
		NotOn: onX86("CALL reaches 2 GiB, in which all modules lie: x86 has no PLTs"),
		Sees:  Sections | Execution,
	},
	{
		ID: "FT209", Name: "init-plt-unreachable", Severity: Error,
		Title: "a callsite in init text, out of reach of ftrace_caller and of the module's PLT, is enabled with a branch that does not arrive",
		On:    Kernels,
		NotOn: onX86("CALL reaches 2 GiB, in which all modules lie: x86 has no PLTs"),
		Sees:  Execution,
	},

	{
		ID: "FT301", Name: "trampoline-writable-executable", Severity: Error,
		Title:   "when the builder returns, the trampoline's pages are writable and executable",
		On:      Kernels | Patches,
		Sees:    Execution,
		Picture: Building,
	},
	{
		ID: "FT302", Name: "trampoline-transiently-wx", Severity: Error,
		Title:   "the trampoline's pages were writable and executable at some moment before the builder returned",
		On:      Kernels,
		Sees:    Execution,
		Picture: Building,
	},
	{
		ID: "FT303", Name: "boundary-not-page-aligned", Severity: Error,
		Title: "a symbol at which the kernel changes permissions is not on a page (segment) boundary",
		On:    Kernels,
		Sees:  Symbols,
	},
	{
		ID: "FT304", Name: "module-section-wx", Severity: Error,
		Title: "a module section is writable and executable and the loader will not rewrite it",
		On:    Modules,
		Sees:  Sections,
	},
	{
		ID: "FT305", Name: "store-to-protected-text", Severity: Error,
		Title:   "the builder stores straight into memory that is read-only or executable at that moment, not through the patching interface",
		On:      Kernels,
		Sees:    Execution,
		Picture: Building,
	},
	{
		ID: "FT306", Name: "icache-not-maintained", Severity: Error,
		Title:   "new code becomes executable with no instruction-cache maintenance after the last plain store",
		On:      Kernels | Patches,
		NotOn:   onX86("the instruction caches of x86 see stores (SDM, volume 3, self-modifying code)"),
		Sees:    Execution,
		Picture: Building,
	},
	{
		ID: "FT307", Name: "freed-while-executable", Severity: Warning,
		Title:   "executable memory is given back with no reset of permissions",
		On:      Kernels,
		Sees:    Execution,
		Picture: Situations,
	},
	{
		ID: "FT308", Name: "builder-leaks-on-failure", Severity: Error,
		Title:   "executed with a failing allocation or copy, the builder leaks, returns a pointer, or leaves ops flags set",
		On:      Kernels,
		Sees:    Execution,
		Picture: Situations,
	},

	{
		ID: "FT401", Name: "site-malformed", Severity: Error,
		Title: "the words at a callsite are not the era's",
		On:    Kernels | Modules,
		Sees:  Callsites,
	},
	{
		ID: "FT402", Name: "site-misaligned", Severity: Error,
		Title: "callops: the literal before a function is not 8-byte aligned",
		On:    Kernels | Modules,
		Sees:  Callsites,
	},
	{
		ID: "FT403", Name: "site-outside-text", Severity: Error,
		Title: "a callsite entry points at no executable section of this image",
		On:    Kernels | Modules,
		Sees:  Callsites,
	},
	{
		ID: "FT404", Name: "site-duplicated", Severity: Error,
		Title: "two callsite entries are the same, or overlap",
		On:    Kernels | Modules,
		Sees:  Callsites,
	},
	{
		ID: "FT405", Name: "site-in-noinstr", Severity: Error,
		Title: "a callsite lies in text that must not be instrumented",
		On:    Kernels | Modules,
		Sees:  Callsites | Symbols,
	},
	{
		ID: "FT406", Name: "entry-calls-traceable", Severity: Error,
		Title: "the entry code or the graph tracer's hook calls a function that is itself a callsite: tracing recurses",
		On:    Kernels | Modules,
		Sees:  Callsites | Symbols,
	},
	{
		ID: "FT407", Name: "site-not-at-entry", Severity: Warning,
		Title: "a callsite is not at the entry of a function symbol",
		On:    Kernels | Modules,
		Sees:  Callsites | Symbols,
	},
	{
		ID: "FT408", Name: "site-adjust-mismatch", Severity: Error,
		Title: "ftrace_call_adjust(), executed on a callsite, disagrees with the model",
		On:    Kernels | Modules,
		Sees:  Execution,
	},
	{
		ID: "FT409", Name: "site-lifecycle-mismatch", Severity: Error,
		Title: "init-nop, make-call or make-nop, executed on a callsite, refuses it or writes other words than the model",
		On:    Kernels | Modules,
		Sees:  Execution,
	},
	{
		ID: "FT410", Name: "sites-mixed", Severity: Error,
		Title: "callsites of two shapes in one image: objects built with other flags",
		On:    Kernels | Modules,
		Sees:  Callsites,
	},
	{
		ID: "FT411", Name: "site-register-mismatch", Severity: Error,
		Title: "the register that the callsite saves LR in is not the one that the entry code reads",
		On:    Kernels | Modules,
		NotOn: onX86("x86 saves no link register: CALL puts the return address on the stack"),
		Sees:  Callsites | Symbols,
	},
	{
		ID: "FT412", Name: "sites-unsorted", Severity: Error,
		Title: "the callsite table does not ascend, and the kernel does not sort it",
		On:    Kernels | Modules,
		Sees:  Callsites | Execution,
	},
	{
		ID: "FT413", Name: "site-record-missing", Severity: Warning,
		Title: "functions have a callsite's NOPs and no entry in the callsite table",
		On:    Kernels | Modules,
		Sees:  Callsites | Symbols,
	},

	{
		ID: "FT501", Name: "x86-mnemonic", Severity: Warning,
		Title: "an x86 instruction in arm64 code or its comments",
		On:    Patches,
	},
	{
		ID: "FT502", Name: "x86-register", Severity: Warning,
		Title: "an x86 register in arm64 code or its comments",
		On:    Patches,
	},
	{
		ID: "FT503", Name: "x86-opcode", Severity: Warning,
		Title: "x86 opcode bytes or sizes in an arm64 builder",
		On:    Patches,
	},
	{
		ID: "FT504", Name: "x86-symbol", Severity: Warning,
		Title: "a symbol or helper that only x86 has, in an arm64 image or patch",
		On:    Kernels | Patches,
		NotOn: onX86("the names of the table are those of x86"),
		Sees:  Symbols,
	},

	{
		ID: "FT601", Name: "open-coded-instruction", Severity: Warning,
		Title:   "a constant that is an A64 instruction is assembled and stored by hand",
		On:      Kernels | Patches,
		NotOn:   onX86("x86 has no library of instruction makers: ftrace writes opcodes by hand"),
		Sees:    Execution,
		Picture: Building,
	},
	{
		ID: "FT602", Name: "unverified-patch", Severity: Warning,
		Title:   "text is patched with no check of what was there",
		On:      Kernels | Patches,
		NotOn:   onX86("x86 patches the slot of a trampoline by its offset in the template, and compares nothing"),
		Sees:    Execution,
		Picture: Building,
	},
	{
		ID: "FT603", Name: "masked-offset", Severity: Warning,
		Title:   "an offset is masked into an instruction field without a range check",
		On:      Kernels | Patches,
		NotOn:   onX86("displacements of x86 are whole words, which nothing cuts"),
		Sees:    Execution,
		Picture: Building,
	},
	{
		ID: "FT604", Name: "near-duplicate", Severity: Note,
		Title: "two functions are the same but for names and constants",
		On:    Patches,
	},
	{
		ID: "FT605", Name: "diagram-unknown-label", Severity: Warning,
		Title: "a comment or diagram names a label that nothing defines, one edit away from one that is defined",
		On:    Patches,
	},
	{
		ID: "FT606", Name: "unresolved-todo", Severity: Note,
		Title: "the patch carries a TODO, FIXME or \"known issue\" of its own",
		On:    Patches,
	},
	{
		ID: "FT607", Name: "unmeasured-claim", Severity: Note,
		Title: "the commit message claims speed and gives no figure",
		On:    Patches,
	},
	{
		ID: "FT608", Name: "long-jump-missing", Severity: Warning,
		Title: "a patch that allocates code memory and branches to or from it has no PLT or range check",
		On:    Patches,
	},
}
