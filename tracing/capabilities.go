package tracing

import (
	"bytes"
	"sync"

	"github.com/ftlint/ftlint/bpf"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
)

// capabilities are the facts that the list is made of.
type capabilities struct {
	table *callsite.Table
	im    *elfscan.Image

	tracing, graph, graphValue, ops, direct   bool
	bpf, builder, btf, lsm, structOps, modify bool
	kprobes, kretprobes, livepatch            bool
	builderSays                               string
	onFtrace                                  bool        // kprobes at callsites use ftrace
	onNotrace                                 func() bool // kprobe_events takes functions without a callsite
}

// Capabilities are those of a kernel image.
func Capabilities(im *elfscan.Image) ([]finding.Capability, error) {
	table, err := callsite.Of(im)
	if err != nil {
		return nil, err
	}
	return capabilitiesOf(table).list(), nil
}

func capabilitiesOf(t *callsite.Table) *capabilities {
	im := t.Image
	has := func(name string) bool { _, ok := im.Lookup(name); return ok }
	c := &capabilities{table: t, im: im,
		tracing:    t.Entries != nil && len(t.Addrs) > 0,
		graph:      has("register_ftrace_graph"),
		ops:        t.Shape != nil && t.Shape.Literal > 0,
		direct:     has("register_ftrace_direct"),
		bpf:        has("bpf_check_attach_target"),
		structOps:  has("bpf_struct_ops_map_alloc") || has("bpf_struct_ops_find") || has("bpf_struct_ops_map_ops"),
		lsm:        has("bpf_lsm_verify_prog"),
		kprobes:    has("register_kprobe"),
		onFtrace:   has("kprobe_ftrace_handler"),
		kretprobes: has("register_kretprobe"),
		livepatch:  has("klp_enable_patch"),
		modify:     has("__start_error_injection_whitelist"),
	}
	c.graphValue = c.graph && hasOption(im, "funcgraph-retval")
	c.onNotrace = sync.OnceValue(func() bool { return !inRodata(im, "Could not probe notrace function") })
	for _, s := range im.Sections() {
		c.btf = c.btf || s.Name == ".BTF"
	}
	c.builder, c.builderSays = buildsTrampolines(im)
	return c
}

// hasOption reports whether the graph tracer has an option of that name. Its options are
// an array of struct tracer_opt: a pointer to the name, and 8 bytes more.
func hasOption(im *elfscan.Image, name string) bool {
	const graphOptions, optionSize, most = "trace_opts", 16, 64
	opts, ok := im.Lookup(graphOptions)
	seen := false // an option of the graph tracer: others may have options, too
	for at := opts.Addr; ok && at < opts.Addr+min(opts.Size, most*optionSize); at += optionSize {
		p, _ := im.Uint64(at)
		b, ok := im.Bytes(p, len(name)+1)
		if !ok {
			break
		}
		if string(b) == name+"\x00" {
			return true
		}
		seen = seen || bytes.HasPrefix(b, []byte("funcgraph-"))
	}
	return !seen && inRodata(im, name+"\x00")
}

// inRodata reports whether text stands in the image's read-only data.
func inRodata(im *elfscan.Image, text string) bool {
	for _, s := range im.Sections() {
		if s.Name == ".rodata" {
			return bytes.Contains(s.Data(), []byte(text))
		}
	}
	return false
}

const builderName = "arch_prepare_bpf_trampoline"

// buildsTrampolines reports whether the kernel has a builder of BPF trampolines, not the
// core's stub. says is in words what was found.
func buildsTrampolines(im *elfscan.Image) (ok bool, says string) {
	fn, found := im.Addr(builderName)
	if !found {
		return false, "the image has no " + builderName + "()"
	}
	if bpf.IsStub(im, fn) {
		return false, "the kernel builds no BPF trampolines: " + builderName + "() is a stub"
	}
	return true, builderName + "() builds"
}

func (c *capabilities) list() []finding.Capability {
	era := c.table.Era
	yes := func(ok bool, yes, no string) string {
		if ok {
			return yes
		}
		return no
	}
	options := c.table.Arch.Options
	fentry := c.direct && c.builder && c.bpf && c.btf && c.tracing
	var list []finding.Capability
	add := func(id, name string, has bool, why, change string) {
		if has {
			change = ""
		}
		list = append(list, finding.Capability{ID: id, Name: name, Has: has, Why: why, Change: change})
	}
	add("function", "function tracing", c.tracing,
		yes(c.tracing, "the callsite table has entries (era "+era.Name+")", "the image has no callsites"), "CONFIG_FUNCTION_TRACER")
	add("graph", "function graph", c.graph,
		yes(c.graph, "the image has register_ftrace_graph()", "the image has no register_ftrace_graph()"), "CONFIG_FUNCTION_GRAPH_TRACER")
	add("graph-retval", "function graph with return values", c.graphValue,
		yes(c.graphValue, "the graph tracer has option funcgraph-retval", "the graph tracer has no option funcgraph-retval"), "CONFIG_FUNCTION_GRAPH_RETVAL (Linux 6.5 on)")
	add("ops", "ops for each callsite", c.ops,
		yes(c.ops, "a pointer to the ops stands before each function (era "+era.Name+")", "no pointer to the ops stands before functions (era "+era.Name+")"), options.CallOps)
	add("direct", "direct calls", c.direct,
		yes(c.direct, "the image has register_ftrace_direct()", "the image has no register_ftrace_direct() (era "+era.Name+")"), yes(options.Direct == options.CallOps, "what ops for each callsite need", options.Direct))
	no := ""
	switch {
	case fentry:
		no = "the kernel has direct calls, BTF, and " + c.builderSays
	case !c.bpf:
		no = "the image has no bpf_check_attach_target(): no BPF programs of type tracing"
	case !c.builder:
		no = c.builderSays + "; attaching fails with -ENOTSUPP (-524)"
	case !c.direct:
		no = "the kernel has no direct calls (era " + era.Name + "); attaching fails with -ENOTSUPP (-524)"
	case !c.btf:
		no = "the image has no section .BTF"
	default:
		no = "the image has no callsites"
	}
	change := options.Direct
	switch {
	case !c.bpf:
		change = "CONFIG_BPF_SYSCALL, CONFIG_BPF_JIT and CONFIG_DEBUG_INFO_BTF, and " + options.Direct
	case !c.btf:
		change = "CONFIG_DEBUG_INFO_BTF, and " + options.Direct
	}
	add("fentry", "BPF fentry and fexit", fentry, no, change)
	const likeFentry = "what fentry needs"
	add("fmod_ret", "BPF fmod_ret", fentry, yes(fentry, yes(c.modify,
		"as fentry, for functions in the list of error injection, and security_*()",
		"as fentry, for security_*() alone: the kernel has no list of error injection"), no), likeFentry)
	lsm := c.lsm && fentry
	add("lsm", "BPF LSM", lsm, yes(lsm, "the image has bpf_lsm_verify_prog(), and fentry works", yes(c.lsm, no, "the image has no bpf_lsm_verify_prog()")),
		yes(c.lsm, likeFentry, "CONFIG_BPF_LSM, and bpf in CONFIG_LSM or on the command line (lsm=)"))
	ops := c.structOps && c.builder && c.btf
	add("struct_ops", "BPF struct_ops", ops, yes(ops, c.builderSays+"; a struct_ops needs no callsite",
		yes(!c.structOps, "the image has no maps of struct_ops", yes(!c.builder, c.builderSays, "the image has no section .BTF"))),
		"Linux 6.0 on, CONFIG_BPF_JIT and CONFIG_DEBUG_INFO_BTF")
	add("kprobes", "kprobes", c.kprobes, yes(c.kprobes, "the image has register_kprobe()", "the image has no register_kprobe()"), "CONFIG_KPROBES")
	add("kretprobes", "kretprobes", c.kretprobes, yes(c.kretprobes, "the image has register_kretprobe()", "the image has no register_kretprobe()"), "CONFIG_KPROBES and CONFIG_KRETPROBES")
	add("livepatch", "livepatch", c.livepatch, yes(c.livepatch, "the image has klp_enable_patch()", "the image has no klp_enable_patch()"), options.Livepatch)
	return list
}
