// Package bpf is about the code that arm64 kernels generate for BPF. It executes
// the image's generator of BPF trampolines for many combinations of traced
// functions and programs, executes what was generated, and judges it by a model.
//
// The model is behaviour: which calls happen in which order with which
// arguments, what programs find in their context, and what the traced function
// and its caller get back. No instruction of a trampoline is prescribed.
package bpf

import (
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/ktypes"
	"github.com/ftlint/ftlint/world"
)

// A Kernel is an image with its generator of BPF trampolines: its functions, the
// layouts of its structures, and how it differs from other kernels. It does not
// change, and serves any number of benches.
type Kernel struct {
	Image   *elfscan.Image
	Table   *callsite.Table
	Types   *ktypes.Types
	Guarded bool // the kernel is built with landing pads

	Prepare uint64 // address of arch_prepare_bpf_trampoline()
	Size    uint64 // of arch_bpf_trampoline_size(), 0 before 6.8
	Poke    uint64 // of bpf_arch_text_poke(), 0 if the kernel has no such function

	site      callsite.Site // that is traced; see HasSite
	HasSite   bool          // functions are traced by direct calls of ftrace, from 6.4 on
	direct    uint64        // offset of direct_call in struct ftrace_ops
	pokesBoth bool          // bpf_arch_text_poke() takes the type of the old branch and of the new one
	verifies  bool          // bpf_int_jit_compile() takes a struct bpf_verifier_env first
	copies    bool          // a trampoline is made in a buffer, and copied by aarch64_insn_copy()
	nodes     bool          // trampolines take struct bpf_tramp_nodes, with pointers to links
	maxProgs  int           // in one list
	text      [2]uint64     // the image's first address and the one behind its last

	image, model, list, item, link, prog, aux, ctx, array layout
	session                                               uint64 // value of BPF_TRACE_FSESSION; 0 if the kernel has no sessions
	structOps, tracing, lsm, ext                          uint64 // values of enumerators; see readEnums
	linkStructOps, linkTracing                            uint64
	fentry, fexit, modifyReturn, lsmMAC, lsmCgroup        uint64
	call, jump, nop                                       uint64 // of enum bpf_text_poke_type
}

// symbol is the generator.
const symbol = "arch_prepare_bpf_trampoline"

// Flags of struct bpf_trampoline: BPF_TRAMP_F_* of include/linux/bpf.h, which BTF
// does not have.
const (
	flagRestoreRegs  = 1 << 0 // the arguments' registers are restored at the end
	flagCallOrig     = 1 << 1 // the traced function is called
	flagSkipFrame    = 1 << 2 // the end returns to the caller of the traced function
	flagIPArg        = 1 << 3 // the context has the address of the traced function
	flagRetFentryRet = 1 << 4 // what the fentry program returns is returned (struct_ops)
	flagOrigStack    = 1 << 5 // the address of the traced function is taken from the stack
	flagTailCallCtx  = 1 << 7 // the traced program makes tail calls
	flagIndirect     = 1 << 8 // it is called through a pointer (struct_ops)
)

// structArg is BTF_FMODEL_STRUCT_ARG of include/linux/bpf.h, a bit of btf_func_model.arg_flags.
const structArg = 1 << 0

// Open finds what the execution of the image's generator needs. The error is a
// *world.Lack if the kernel has no BPF trampolines, or none that can be executed.
func Open(table *callsite.Table, types *callsite.Types, guarded bool) (*Kernel, error) {
	im := table.Image
	lack := func(format string, args ...any) (*Kernel, error) {
		return nil, &world.Lack{What: fmt.Sprintf(format, args...)}
	}
	if table.Arch != arch.ARM64 {
		return lack("BPF trampolines of %s are not executed yet", table.Arch.Name)
	}
	fn, ok := im.Lookup(symbol)
	switch _, jit := im.Addr("bpf_int_jit_compile"); {
	case !jit:
		return lack("no BPF JIT")
	case !ok || !im.IsText(fn.Addr):
		return lack("the kernel has no BPF trampolines (%s)", symbol)
	case IsStub(im, fn.Addr):
		return lack("the kernel has no BPF trampolines: its %s is the core's stub", symbol)
	}
	btf, err := ktypes.FromBTF(im)
	if err != nil {
		return nil, err
	}
	if btf == nil {
		return lack("no BTF, which has the layouts of BPF's structures")
	}
	k := &Kernel{Image: im, Table: table, Types: btf, Guarded: guarded, Prepare: fn.Addr}
	k.Size, _ = im.Addr("arch_bpf_trampoline_size")
	k.Poke, _ = im.Addr("bpf_arch_text_poke")
	if err := k.readLayouts(); err != nil {
		return nil, err
	}
	if err := k.readEnums(); err != nil {
		return nil, err
	}
	k.direct, k.HasSite = entry.DirectCall(im, types)
	k.findSite()
	sections := im.Sections()
	k.text = [2]uint64{sections[0].Addr &^ 0xffff, (sections[len(sections)-1].End() + 0xffff) &^ 0xffff}
	k.copies, err = k.copiesCode()
	return k, err
}

// IsStub reports whether the function at an address is a stub of the core of BPF, which
// kernels without a function of their own have: executed, it refuses at once.
func IsStub(im *elfscan.Image, fn uint64) bool {
	const most = 16 // instructions; a generator needs thousands
	w := world.New(im)
	w.Mem.MaxSteps = most
	ret, err := w.Call(fn, 0, 0, 0, 0, 0, 0)
	return err == nil && int32(ret) == enotsupp
}

// copiesCode reports whether a trampoline is made in a buffer, and copied: memory for
// trampolines is not writable. Until 6.8 it is, which the core allocates ("arm64, bpf:
// Use bpf_prog_pack for arm64 bpf trampoline").
func (k *Kernel) copiesCode() (bool, error) {
	b := newBench(k)
	b.reset()
	addr, err := b.allocate(64)
	return err == nil && addr != 0 && b.permAt(addr)&emu.Write == 0, err
}

// findSite takes the first callsite from which a trampoline can be executed.
func (k *Kernel) findSite() {
	if !k.HasSite || k.Table.Shape == nil || !k.Table.Shape.SavesLR {
		k.HasSite = false
		return
	}
	const some = 4096 // callsites that are looked at
	for _, addr := range k.Table.Addrs[:min(some, len(k.Table.Addrs))] {
		if s := k.Table.Site(addr); s.OK && s.Text && s.AtFunc && (s.BTI || !k.Guarded) {
			k.site = s
			return
		}
	}
	k.HasSite = false
}

// readLayouts reads the layouts of the structures that the generator looks at.
func (k *Kernel) readLayouts() (err error) {
	of := func(name string, paths ...string) layout {
		l, e := layoutOf(k.Types, name, paths...)
		if err == nil {
			err = e
		}
		return l
	}
	k.image = of("bpf_tramp_image", "ip_after_call?", "ip_epilogue?", "nr_skips?", "skips?")
	k.model = of("btf_func_model", "ret_size", "nr_args", "arg_size", "arg_flags")
	if l, e := layoutOf(k.Types, "bpf_tramp_nodes", "nodes", "nr_nodes"); e == nil {
		k.nodes, k.list = true, l
		k.item = of("bpf_tramp_node", "link", "cookie")
	} else {
		k.list = of("bpf_tramp_links", "links", "nr_links")
		k.item = of("bpf_tramp_link", "link.prog", "link.type", "cookie")
	}
	k.link = of("bpf_link", "prog", "type")
	k.prog = of("bpf_prog", "jited", "jited_len", "jit_requested", "type", "expected_attach_type", "len", "bpf_func", "aux", "sleepable?",
		"call_session_cookie?", "is_func")
	k.aux = of("bpf_prog_aux", "sleepable?", "prog", "jits_use_priv_stack?", "func_idx", "stack_depth",
		"func?", "func_cnt?", "real_func_cnt?", "exception_boundary?", "exception_cb?", "arena?", "num_exentries?", "priv_stack_ptr?")
	k.array, _ = layoutOf(k.Types, "bpf_array", "map.max_entries", "ptrs")
	k.ctx = of("bpf_tramp_run_ctx", "bpf_cookie")
	if err != nil {
		return err
	}
	k.maxProgs = int(k.list.members[k.listOf()].Type.Count)
	if k.maxProgs < 1 || k.maxProgs > 256 || k.model.members["arg_size"].Type.Count > 64 {
		return fmt.Errorf("struct %s has %d programs, and struct btf_func_model %d arguments: 1 to 256 and up to 64 are expected",
			k.list.name, k.maxProgs, k.model.members["arg_size"].Type.Count)
	}
	return nil
}

// listOf is the member of the list that points to programs.
func (k *Kernel) listOf() string {
	if k.nodes {
		return "nodes"
	}
	return "links"
}

// readEnums reads the values that the generator compares with.
func (k *Kernel) readEnums() error {
	for _, e := range []struct {
		to   *uint64
		name string
		must bool
	}{
		{&k.tracing, "BPF_PROG_TYPE_TRACING", true}, {&k.lsm, "BPF_PROG_TYPE_LSM", true}, {&k.structOps, "BPF_PROG_TYPE_STRUCT_OPS", true},
		{&k.ext, "BPF_PROG_TYPE_EXT", false},
		{&k.linkTracing, "BPF_LINK_TYPE_TRACING", true}, {&k.linkStructOps, "BPF_LINK_TYPE_STRUCT_OPS", true},
		{&k.fentry, "BPF_TRACE_FENTRY", true}, {&k.fexit, "BPF_TRACE_FEXIT", true}, {&k.modifyReturn, "BPF_MODIFY_RETURN", true},
		{&k.lsmMAC, "BPF_LSM_MAC", true}, {&k.lsmCgroup, "BPF_LSM_CGROUP", false}, {&k.session, "BPF_TRACE_FSESSION", false},
		{&k.call, "BPF_MOD_CALL", true}, {&k.jump, "BPF_MOD_JUMP", true}, {&k.nop, "BPF_MOD_NOP", false},
	} {
		v, err := k.Types.Enumerator(e.name)
		if err != nil && e.must {
			return err
		}
		*e.to = uint64(v)
	}
	if p, err := k.Types.Prototype("bpf_arch_text_poke"); err == nil {
		k.pokesBoth = slices.ContainsFunc(p.Params, func(p ktypes.Param) bool { return p.Name == "new_t" }) || len(p.Params) == 5
	}
	if p, err := k.Types.Prototype("bpf_int_jit_compile"); err == nil {
		k.verifies = len(p.Params) == 2
	}
	return nil
}

// MaxArgs is the number of arguments that a prototype can have.
func (k *Kernel) MaxArgs() int { return int(k.model.members["arg_size"].Type.Count) }
