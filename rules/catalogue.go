package rules

// catalogue holds every rule, in ID order. The hundreds are groups:
//
//	FT1xx the trampoline: template, copy and result
//	FT2xx reach
//	FT3xx W^X and caches
//	FT4xx callsites
//	FT5xx x86-isms
//	FT6xx the builder's source and the patch
//
// An ID or a name, once released, is never given to another idea. SeenBy says
// what is looked at in an image: its symbols, callsites ("sites") or sections,
// the model of what a builder makes, or the image's own code executed; "patch"
// stands for patches and source files.
var catalogue = []Rule{
	{"FT101", "label-missing", Error, "the image has some labels of an era's set and lacks another that its builder or entry code needs", "symbols"},
	{"FT102", "label-misplaced", Error, "a label is outside text, misaligned, or out of order", "symbols"},
	{"FT103", "copy-misses-ret", Error, "the copied bytes do not end in the return: execution runs off the copy into the literal", "model, execution"},
	{"FT104", "end-label-before-ret", Warning, "an end label stands on the last instruction, not after it, so every use of it must add an instruction by hand", "symbols; patch"},
	{"FT105", "copy-past-ret", Error, "the copy goes on past the final return", "model, execution"},
	{"FT106", "pcrel-escapes-copy", Error, "a PC-relative instruction aims outside the copied region and is copied unrewritten, so the copy aims elsewhere", "model, execution; patch"},
	{"FT107", "op-load-mislabelled", Error, "the op-pointer label is not on the ADRP of the ADRP+LDR pair that loads function_trace_op", "symbols"},
	{"FT108", "op-load-wrong", Error, "the built trampoline does not hand its own ftrace_ops to the callback in x2", "execution"},
	{"FT109", "ops-literal-misaligned", Warning, "the 64-bit ops literal is not 8-byte aligned: its load and store are not single-copy atomic", "model, execution"},
	{"FT110", "ops-literal-unreachable", Error, "the ops literal is outside LDR's +-1 MiB, or the offset is masked without a check", "model, execution"},
	{"FT111", "call-slot-mismatch", Error, "the slot that the builder patches for the callback or for fgraph is not the copied ftrace_call / ftrace_graph_call", "model, execution"},
	{"FT112", "template-executable", Note, "the template is patched live kernel text; a template that is only copied belongs in read-only, non-executable memory", "symbols; patch"},
	{"FT113", "context-not-preserved", Error, "entry code or trampoline, executed, does not give back the callsite's registers, SP or PC, or hands the callback wrong arguments", "execution"},
	{"FT114", "landing-pad-missing", Error, "code reached by BR/BLR in a BTI kernel does not begin with a landing pad", "symbols, execution"},
	{"FT115", "metadata-not-copied", Warning, "alternatives, jump labels or exception-table entries point into the copied region: the copy has no such entries", "sections"},
	{"FT116", "builder-differs-from-model", Error, "what the image's builder built differs from the model, and no rule above explains it", "execution"},

	{"FT201", "callsite-out-of-reach", Error, "a callsite of vmlinux cannot reach its entry code with BL", "sites, symbols"},
	{"FT202", "trampoline-out-of-reach", Warning, "the builder's memory can land out of BL reach of a callsite or of the callback, and the builder has no PLT", "model, execution"},
	{"FT203", "far-trampoline-breaks", Error, "executed with memory beyond +-128 MiB, the builder neither uses a PLT nor fails: it writes a BRK or a wrong branch", "execution"},
	{"FT204", "module-ftrace-plt-missing", Error, "a module with callsites has no .text.ftrace_trampoline while its kernel can place modules out of reach", "sections"},
	{"FT205", "module-init-plt-missing", Warning, "a module with callsites in init text has no .init.text.ftrace_trampoline, in a kernel that supports it", "sections"},
	{"FT206", "range-check-wrong", Error, "the kernel's own reachability check, executed at the borders, disagrees with what BL can encode", "execution"},
	{"FT207", "image-exceeds-direct-range", Warning, "_end - _text leaves no or little room for modules in direct range", "symbols"},

	{"FT301", "trampoline-writable-executable", Error, "when the builder returns, the trampoline's pages are writable and executable", "execution; patch"},
	{"FT302", "trampoline-transiently-wx", Error, "the trampoline's pages were writable and executable at some moment before the builder returned", "execution"},
	{"FT303", "boundary-not-page-aligned", Error, "a symbol at which the kernel changes permissions is not on a page (segment) boundary", "symbols"},
	{"FT304", "module-section-wx", Error, "a module section is writable and executable and the loader will not rewrite it", "sections"},
	{"FT305", "store-to-protected-text", Error, "the builder stores straight into memory that is read-only or executable at that moment, not through the patching interface", "execution"},
	{"FT306", "icache-not-maintained", Error, "new code becomes executable with no instruction-cache maintenance after the last plain store", "execution; patch"},
	{"FT307", "freed-while-executable", Warning, "executable memory is given back with no reset of permissions", "execution"},
	{"FT308", "builder-leaks-on-failure", Error, "executed with a failing allocation or copy, the builder leaks, returns a pointer, or leaves ops flags set", "execution"},

	{"FT401", "site-malformed", Error, "the words at a callsite are not the era's", "sites"},
	{"FT402", "site-misaligned", Error, "callops: the literal before a function is not 8-byte aligned", "sites"},
	{"FT403", "site-outside-text", Error, "a callsite entry points at no executable section of this image", "sites"},
	{"FT404", "site-duplicated", Error, "two callsite entries are the same, or overlap", "sites"},
	{"FT405", "site-in-noinstr", Error, "a callsite lies in text that must not be instrumented", "sites, symbols"},
	{"FT406", "entry-calls-traceable", Error, "the entry code directly calls a function that is itself a callsite: tracing recurses", "sites, symbols"},
	{"FT407", "site-not-at-entry", Warning, "a callsite is not at the entry of a function symbol", "sites, symbols"},
	{"FT408", "site-adjust-mismatch", Error, "ftrace_call_adjust(), executed on a callsite, disagrees with the model", "execution"},
	{"FT409", "site-lifecycle-mismatch", Error, "init-nop, make-call or make-nop, executed on a callsite, refuses it or writes other words than the model", "execution"},
	{"FT410", "sites-mixed", Error, "callsites of two shapes in one image: objects built with other flags", "sites"},
	{"FT411", "site-register-mismatch", Error, "the register that the callsite saves LR in is not the one that the entry code reads", "sites, symbols"},

	{"FT501", "x86-mnemonic", Warning, "an x86 instruction in arm64 code or its comments", "patch"},
	{"FT502", "x86-register", Warning, "an x86 register in arm64 code or its comments", "patch"},
	{"FT503", "x86-opcode", Warning, "x86 opcode bytes or sizes in an arm64 builder", "patch"},
	{"FT504", "x86-symbol", Warning, "a symbol or helper that only x86 has, in an arm64 image or patch", "symbols; patch"},

	{"FT601", "open-coded-instruction", Warning, "a constant that is an A64 instruction is assembled and stored by hand", "execution; patch"},
	{"FT602", "unverified-patch", Warning, "text is patched with no check of what was there", "execution; patch"},
	{"FT603", "masked-offset", Warning, "an offset is masked into an instruction field without a range check", "execution; patch"},
	{"FT604", "near-duplicate", Note, "two functions are the same but for names and constants", "patch"},
	{"FT605", "diagram-unknown-label", Warning, "a comment or diagram names a label that nothing defines, one edit away from one that is defined", "patch"},
	{"FT606", "unresolved-todo", Note, "the patch carries a TODO, FIXME or \"known issue\" of its own", "patch"},
	{"FT607", "unmeasured-claim", Note, "the commit message claims speed and gives no figure", "patch"},
	{"FT608", "long-jump-missing", Warning, "a patch that allocates code memory and branches to or from it has no PLT or range check", "patch"},
}
