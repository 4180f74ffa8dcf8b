package tracing

import "strings"

// A Use is a way to trace a function, or to replace it.
type Use uint8

// Uses.
const (
	Ftrace Use = iota
	Fentry
	Fexit
	FmodRet
	Kprobe
	Livepatch
)

// Uses are all uses.
var Uses = []Use{Ftrace, Fentry, Fexit, FmodRet, Kprobe, Livepatch}

func (u Use) String() string {
	return [...]string{"ftrace", "fentry", "fexit", "fmod_ret", "kprobe", "livepatch"}[u]
}

// Capability is the ID of the kernel's capability that the use needs.
func (u Use) Capability() string {
	return [...]string{"function", "fentry", "fentry", "fmod_ret", "kprobes", "livepatch"}[u]
}

// Answer is the answer about one use of the function.
func (f *Function) Answer(u Use) Answer {
	return [...]Answer{f.Ftrace, f.Fentry, f.Fexit, f.FmodRet, f.Kprobe, f.Livepatch}[u]
}

// reasons are the reasons as programs and people read them. A % stands for what the
// answer is about.
var reasons = [...]struct{ id, text string }{
	Unknown:     {"unknown", "not known: %"},
	Can:         {"yes", "yes"},
	NoTracer:    {"no-ftrace", "the kernel has no callsites"},
	NoBPF:       {"no-bpf", "the kernel has no BPF programs of type tracing"},
	NoDirect:    {"no-direct-calls", "the kernel has no direct calls"},
	NoBuilder:   {"no-trampolines", "the kernel builds no BPF trampolines"},
	NoBTF:       {"no-btf", "the kernel has no BTF"},
	NoKprobes:   {"no-kprobes", "the kernel has no kprobes"},
	NoLivepatch: {"no-livepatch", "the kernel has no livepatch"},
	Init:        {"init", "it lies in memory that the kernel frees after boot"},
	Range:       {"range", "it lies in %, which is kept from tracers"},
	Part:        {"part", "it is a part of %() and has no callsite of its own"},
	NoRecord:    {"no-record", "it begins with NOPs, as a callsite does, and has no entry in the callsite table"},
	NoTable:     {"no-table", "its module has no callsite table"},
	Notrace:     {"no-callsite", "it has no callsite"},
	NotInBTF:    {"not-in-btf", "BTF does not describe it"},
	Renamed:     {"renamed", "the compiler changed its arguments, so BTF does not describe it"},
	NoSymbol:    {"no-symbol", "the running kernel does not have its symbol (kallsyms)"},
	OtherFirst:  {"ambiguous", "its name is ambiguous: the kernel finds % first"},
	Denied:      {"denied", "the verifier has it on its list of functions that are not to be traced"},
	Noreturn:    {"noreturn", "it does not return, which the verifier refuses for fexit"},
	Prototype:   {"prototype", "the verifier refuses its prototype: %"},
	Arguments:   {"arguments", "the builder of BPF trampolines refuses it: %"},
	Unmodified:  {"not-modifiable", "its return value may not be changed: it is not a security_*() function, and is on no list for error injection"},
	NotText:     {"not-text", "it does not lie in the kernel's text"},
	Blacklisted: {"blacklisted", "it is in the blacklist of kprobes: %"},
	JumpLabel:   {"jump-label", "its first instruction is patched by a jump label"},
	StaticCall:  {"static-call", "its first instruction is a static call, which the kernel patches"},
	Trap:        {"trap", "its first instruction is in the table of traps (BUG, WARN)"},
	Fixup:       {"fixup", "its first instruction is in the table of exceptions"},
	Insn:        {"instruction", "its first instruction can be neither stepped nor simulated"},
	CFI:         {"cfi", "its name is that of data for control-flow integrity"},
	NoEvent:     {"no-callsite", "kprobe_events, perf and BPF want a callsite (register_kprobe() in a module does not)"},
}

// String is the reason as programs read it: "yes", or one word for the obstacle.
func (r Reason) String() string { return reasons[r].id }

// Text is the reason in words, about no function.
func (r Reason) Text() string {
	return strings.TrimSuffix(strings.ReplaceAll(reasons[r].text, "%", "..."), ": ...")
}

// Text is the answer in words.
func (a Answer) Text() string {
	if a.About == "" {
		return a.Why.Text()
	}
	return strings.Replace(reasons[a.Why].text, "%", a.About, 1)
}
