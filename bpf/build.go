package bpf

import (
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// A Built is the result of executing the generator for a Case.
type Built struct {
	Size   int32  // what arch_bpf_trampoline_size() returned; of older kernels the size of a page
	Ret    int32  // what arch_prepare_bpf_trampoline() returned: the size in bytes, or an error
	Addr   uint64 // of the trampoline
	Code   []byte // Size bytes
	Events []world.Event
	Err    error // not nil: the generator could not be executed to the end, and there is no verdict

	AfterCall, Epilogue uint64 // members of struct bpf_tramp_image; 0 if it has none
	Skips               []Skip

	im, model, lists uint64   // addresses of what the generator gets
	fn               uint64   // the address of the traced function that the generator is told
	progs            []uint64 // addresses of the programs, of struct bpf_prog
	codes            []uint64 // of their code
	insns            []uint64 // of their instructions for the interpreter
	refused          bool     // the generator does not support such functions
}

// A Skip is a NOP by which a program is taken off a trampoline: it becomes a branch
// to Target.
type Skip struct {
	Prog, NOP, Target uint64
}

// enotsupp is the error that the generator returns for functions that it does not support.
const enotsupp = -524

// insnsOff is where the instructions of a program lie in struct bpf_prog: at its end.
func (k *Kernel) insnsOff() uint64 { return k.prog.size }

// makeCase lays out what the generator gets.
func (b *bench) makeCase(c *Case) *Built {
	t := &Built{}
	im := b.image.object(0)
	switch {
	case c.Place == TaggedImage:
		t.im = taggedImage
	case c.Place == WideImage:
		t.im = wideImage
	case c.From != Indirect:
		t.im = b.w.Object(b.image.size)
	}
	if t.im>>48 != 0xffff && t.im != 0 {
		b.w.M.Map(t.im, b.image.size, emu.Read|emu.Write)
	}
	if b.image.has("skips") && t.im != 0 {
		b.must(b.w.M.Write(t.im, im.data))
		b.must(b.w.M.Write64(t.im+b.image.members["skips"].Offset, b.w.Object(24*uint64(len(c.Progs)+1))))
	}
	model := b.model.object(0)
	model.set("ret_size", uint64(c.Proto.Ret))
	model.set("nr_args", uint64(len(c.Proto.Args)))
	for i, a := range c.Proto.Args {
		model.setAt("arg_size", i, uint64(a.Size))
		if a.Struct {
			model.setAt("arg_flags", i, structArg)
		}
	}
	t.model = b.put(model)
	t.fn = b.traced(c)
	for i := range c.Progs {
		b.makeProg(t, c, i)
	}
	b.makeLists(t, c)
	return t
}

// makeProg makes the struct bpf_prog of a program.
func (b *bench) makeProg(t *Built, c *Case, i int) {
	p := &c.Progs[i]
	attach := [...]uint64{Fentry: b.fentry, ModifyReturn: b.modifyReturn, Fexit: b.fexit}[p.Kind]
	typ := b.tracing
	switch p.Type {
	case LSM:
		typ, attach = b.lsm, b.lsmMAC
	case LSMCgroup:
		typ, attach = b.lsm, b.lsmCgroup
	case StructOps:
		typ, attach = b.structOps, 0
	}
	if p.Session > 0 {
		attach = b.session
	}
	code := b.codeOf(c, i)
	addr := b.makeProgram(make([]uint64, 2), func(prog, aux object) {
		prog.set("type", typ)
		prog.set("expected_attach_type", attach)
		prog.set("call_session_cookie", b2u(p.Session > 0))
		prog.set("jited", b2u(!p.Interp))
		prog.set("sleepable", b2u(p.Sleepable))
		aux.set("sleepable", b2u(p.Sleepable))
		prog.set("bpf_func", code)
	})
	t.progs, t.codes, t.insns = append(t.progs, addr), append(t.codes, code), append(t.insns, addr+b.insnsOff())
}

// codeOf is the address of the code of program i.
func (b *bench) codeOf(c *Case, i int) uint64 {
	const step = 64
	at := b.near() + 2<<20
	switch c.Place {
	case ProgsFar:
		at = b.text[1] + 2*far
	case Apart:
		at = b.text[1] + far + 2<<20
	}
	return at + uint64(i)*step
}

// makeLists makes the three lists of programs.
func (b *bench) makeLists(t *Built, c *Case) {
	t.lists = b.objs
	b.objs += (3*b.list.size + 63) &^ 63
	for kind := Fentry; kind <= Fexit; kind++ {
		list := b.list.object(0)
		at := [...]uint64{Fentry: 0, ModifyReturn: 2, Fexit: 1}[kind] // enum bpf_tramp_prog_type
		members := c.list(kind)
		for n, i := range members {
			list.setAt(b.listOf(), n, b.makeLink(t, c, i))
		}
		list.set("nr_"+b.listOf(), uint64(len(members)))
		b.must(b.w.M.Write(t.lists+at*b.list.size, list.data))
	}
}

// makeLink makes the link of program i: what a list points to.
func (b *bench) makeLink(t *Built, c *Case, i int) uint64 {
	typ := b.linkTracing
	if c.Progs[i].Type == StructOps {
		typ = b.linkStructOps
	}
	item := b.item.object(0)
	item.set("cookie", c.Progs[i].Cookie)
	if !b.nodes {
		item.set("link.prog", t.progs[i])
		item.set("link.type", typ)
		return b.put(item)
	}
	link := b.link.object(0)
	link.set("prog", t.progs[i])
	link.set("type", typ)
	item.set("link", b.put(link))
	return b.put(item)
}

// imageAddr is the address for a trampoline of that size. Its last 64 bytes, or
// less, are followed by a page that is not mapped.
func (b *bench) imageAddr(c *Case, size uint64) uint64 {
	at := b.near()
	switch c.Place {
	case ImageAbove, TaggedImage, WideImage, Apart:
		at = b.text[1] + far
	case ImageBelow, FuncFar:
		at = b.text[0] - far
	}
	page := b.mem.Page
	const chunk = 64 // BPF_PROG_CHUNK_SIZE
	room := (size + page - 1) &^ (page - 1)
	return at + room - (size+chunk-1)&^(chunk-1)
}

// build executes the generator for a case in a fresh world.
func (b *bench) build(c *Case, record bool) *Built {
	b.reset()
	t := b.makeCase(c)
	if record {
		b.record()
		if t.im != 0 {
			b.must(b.w.M.Watch(t.im, b.image.size))
		}
	}
	t.Size = int32(b.mem.Page)
	if b.Size != 0 {
		ret, returned, err := b.w.Execute(world.Subject{Name: "arch_bpf_trampoline_size", Fn: b.Size, Args: []uint64{t.model, uint64(c.Flags), t.lists, t.fn}})
		t.Size = int32(ret)
		if err != nil || !returned || t.Size < 0 || len(b.bad)+len(b.w.Faults) > 0 {
			t.Err, t.refused, t.Ret = err, returned && t.Size == enotsupp, t.Size
			return t
		}
	}
	if t.Size > 256<<10 {
		t.Err = fmt.Errorf("arch_bpf_trampoline_size() returns %#x", t.Size)
		return t
	}
	if c.Short > 0 {
		room := *c
		room.Short = 0
		whole := b.build(&room, false)
		if whole.Ret <= int32(c.Short) || whole.Err != nil {
			return whole
		}
		b.reset()
		t = b.makeCase(c)
		t.Size = whole.Ret - int32(c.Short)
	}
	size := uint64(t.Size)
	t.Addr = b.imageAddr(c, size)
	perm := emu.Read | emu.Exec
	if !b.copies {
		perm = emu.Read | emu.Write
	}
	area, err := b.mem.Give(t.Addr&^(b.mem.Page-1), size+t.Addr&(b.mem.Page-1), perm, true)
	b.must(err)
	b.must(b.w.M.Write(area.Addr, filled(len(area.Perms)*emu.PageSize)))
	b.w.Events = b.w.Events[:0]
	b.fail, b.fell = c.Fail, 0
	ret, returned, err := b.w.Execute(world.Subject{Name: symbol, Fn: b.Prepare,
		Args: []uint64{t.im, t.Addr, t.Addr + size, t.model, uint64(c.Flags), t.lists, t.fn}})
	b.fail = Failure{}
	t.Err, t.Events = err, b.w.Events
	if !returned {
		return t
	}
	t.Ret = int32(ret)
	t.refused = t.Ret == enotsupp
	t.Code = make([]byte, size)
	b.must(b.w.M.Read(t.Addr, t.Code))
	b.readImage(t)
	return t
}

// takesStructs reports whether the generator supports structures as arguments.
func (b *bench) takesStructs() bool {
	c := Case{Proto: Proto{[]Arg{pair}, 4}, Progs: []Prog{{Kind: Fentry}}, From: b.from()}
	c.Flags = c.usualFlags()
	return b.build(&c, false).Ret > 0
}

// filled is memory for code before the generator writes to it: words that no
// generator makes, UDF #1.
func filled(n int) []byte {
	out := make([]byte, n)
	for i := 0; i < n; i += a64.Size {
		out[i] = 1
	}
	return out
}

// readImage reads what the generator has noted in struct bpf_tramp_image.
func (b *bench) readImage(t *Built) {
	if t.im == 0 {
		return
	}
	member := func(path string) uint64 {
		if !b.image.has(path) {
			return 0
		}
		v, err := b.w.M.Read64(t.im + b.image.members[path].Offset)
		b.must(err)
		return v
	}
	t.AfterCall, t.Epilogue = member("ip_after_call"), member("ip_epilogue")
	at := member("skips")
	for i := range min(member("nr_skips")&0xffff_ffff, uint64(len(t.progs))) {
		var s [3]uint64
		for j := range s {
			v, err := b.w.M.Read64(at + 24*i + 8*uint64(j))
			b.must(err)
			s[j] = v
		}
		t.Skips = append(t.Skips, Skip{s[0], s[1], s[2]})
	}
}
