package bpf

import (
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// A bench is an emulator in which the code of a Kernel is executed. It is for one
// goroutine.
type bench struct {
	*Kernel
	w         *world.World
	mem       *world.Memory
	objs      uint64 // address of the next of the kernel's objects that are never freed
	heap      []block
	fail      Failure
	fell      int                // calls of the function in fail
	run       *runner            // that executes a trampoline; nil: nobody does
	bad       []string           // what the code does to the heap that it must not
	emit      map[uint64]Emitter // see record; nil: they are not noted
	unrecord  func()             // ends record
	symbols   []symbolRange      // code that the kernel knows as BPF's: what is patched
	random    uint32             // the next random number
	changed   []world.Word       // of the image: see mutation tests
	allocCall uint64             // see noteAlloc
	stacks    []symbolRange      // private stacks of programs
}

// A block is memory of the kernel's heap. The page behind it is not mapped.
type block struct {
	addr, size uint64
	freed      bool
	by         string // the function that allocated it
}

// Addresses of memory that has no place relative to the image, beside those of
// package world.
const (
	heapBase  = 0xffff_0000_6000_0000 // the linear map: what kmalloc() and kvmalloc() give
	heapStep  = 1 << 20               // from one block to the next
	maxBlocks = 64
	objsSize  = 1 << 20

	// A struct bpf_tramp_image in a kernel with KASAN's tags, and in one with addresses of
	// 52 bits. To load such an address takes four instructions.
	taggedImage = 0xf4ff_8123_3112_3440
	wideImage   = 0xfff0_8123_3112_3440
)

// Calls that can fail, as a Failure names them.
const (
	allocation = "the allocation"
	insnCopy   = "aarch64_insn_copy"
)

// maxSteps bounds the instructions of one call of the generator. The most that
// real kernels' need are 150,000, for 38 programs.
const maxSteps = 1 << 19

func newBench(k *Kernel) *bench {
	w := world.New(k.Image)
	b := &bench{Kernel: k, w: w, mem: world.NewMemory(w)}
	w.M.MaxSteps = maxSteps
	x := w.Arg
	alloc := func(arg int) func(string) error {
		return func(name string) error { return b.alloc(name, x(arg)) }
	}
	w.Hook(alloc(0), "__kvmalloc_node_noprof", "__kvmalloc_node", "kvmalloc_node_noprof", "kvmalloc_node", "kvmalloc_noprof",
		"__kmalloc", "__kmalloc_noprof", "__kmalloc_node", "__kmalloc_node_noprof")
	w.Hook(alloc(2), "kmalloc_trace", "kmalloc_trace_noprof", "__kmalloc_cache_noprof", "kmem_cache_alloc_trace")
	w.Hook(b.free, "kfree", "kvfree", "vfree")
	w.Hook(b.copyCode, insnCopy)
	b.hookPrograms()
	b.hookLookup()
	b.hookCompiler()
	b.hookJIT()
	return b
}

// reset makes a fresh world.
func (b *bench) reset() {
	b.w.Reset()
	for _, w := range b.changed {
		b.must(b.w.M.Write32(w.Addr, w.Insn))
	}
	b.mem.Reset(b.near())
	b.w.M.Guarded = b.Guarded
	b.objs = b.objects()
	b.w.M.Map(b.objs, objsSize, emu.Read|emu.Write)
	b.heap, b.bad, b.fail, b.fell, b.run = b.heap[:0], nil, Failure{}, 0, nil
	b.w.Fail, b.symbols, b.stacks = nil, b.symbols[:0], b.stacks[:0]
	if b.emit != nil {
		b.unrecord()
		b.emit = nil
	}
}

// near is the address of memory for code in reach of the whole image; if the image
// is too large for that, of its end. It is below the image, as modules are, unless
// that is not in reach.
func (k *Kernel) near() uint64 {
	const gap = 8 << 20
	if below := k.text[0] - gap; k.text[1]-below < 127<<20 {
		return below
	}
	return k.text[1] + 1<<20
}

// objects is the address of memory from vmalloc(): programs live there, in all
// kernels at addresses of 48 bits.
func (k *Kernel) objects() uint64 { return k.text[1] + 1<<30 }

// far is how far beyond the image's first or last address things are in places
// that are far away.
const far = 192 << 20

// put places an object and gives its address, a multiple of 64.
func (b *bench) put(o object) uint64 {
	addr := b.objs
	b.objs += (uint64(len(o.data)) + 63) &^ 63
	b.must(b.w.M.Write(addr, o.data))
	return addr
}

// must panics: the bench itself accesses memory that it has mapped.
func (b *bench) must(err error) {
	if err != nil {
		panic(err)
	}
}

// fails reports whether this call of a function is the one that fails.
func (b *bench) fails(name string) bool {
	if b.fail.Func != name {
		return false
	}
	b.fell++
	return b.fell == b.fail.N
}

// alloc stands for an allocation on the heap.
func (b *bench) alloc(name string, size uint64) error {
	b.w.SetResult(0)
	if b.fails(allocation) {
		return nil
	}
	if size == 0 || size > heapStep/2 || len(b.heap) == maxBlocks {
		return fmt.Errorf("%s() of %#x bytes, up to %#x are executed, and %d blocks", name, size, heapStep/2, maxBlocks)
	}
	room := (size + 7) &^ 7
	end := heapBase + heapStep*uint64(len(b.heap)) + (room+emu.PageSize-1)&^(emu.PageSize-1)
	b.w.M.Map(end-room, room, emu.Read|emu.Write)
	if b.emit != nil {
		b.must(b.w.M.Watch(end-room, room))
	}
	b.heap = append(b.heap, block{addr: end - room, size: size, by: name})
	b.w.SetResult(end - room)
	return nil
}

// free stands for kfree() and its kin.
func (b *bench) free(name string) error {
	addr := b.w.Arg(0)
	i := slices.IndexFunc(b.heap, func(x block) bool { return x.addr == addr })
	switch {
	case addr == 0:
	case i < 0:
		b.bad = append(b.bad, fmt.Sprintf("calls %s of %#x, which was not allocated", name, addr))
	case b.heap[i].freed:
		b.bad = append(b.bad, fmt.Sprintf("calls %s of %#x, which is free already", name, addr))
	default:
		b.heap[i].freed = true
		b.w.M.Unmap(addr, b.heap[i].size)
	}
	b.w.SetResult(0)
	return nil
}

// leaks are the blocks that nobody has freed.
func (b *bench) leaks() (out []block) {
	for _, x := range b.heap {
		if !x.freed {
			out = append(out, x)
		}
	}
	return out
}

// copyCode stands for aarch64_insn_copy(dst, src, bytes), which copies through a
// writable alias, and maintains the instruction cache. It returns dst, or NULL.
func (b *bench) copyCode(name string) error {
	m, dst, src, n := b.w.M, b.w.Arg(0), b.w.Arg(1), b.w.Arg(2)
	e := world.Event{Kind: world.Copy, PC: m.X[30] - a64.Size, Addr: dst, From: src, Size: n, Func: name}
	if b.fails(name) || dst%a64.Size != 0 {
		e.Err = true
		b.w.Events = append(b.w.Events, e)
		b.w.SetResult(0)
		return nil
	}
	buf := make([]byte, min(n, heapStep))
	if err := m.Read(src, buf); err != nil {
		return err
	}
	if b.emit != nil {
		b.copied(dst, src, n)
	}
	b.w.Events = append(b.w.Events, e)
	_ = m.Write(dst, buf) // what is not mapped is outside of the buffer: the event shows it
	return nil
}

// An Emitter says where a word of generated code comes from: PC is the instruction
// that stored it, Callers are the calls that were active, the innermost first.
type Emitter struct {
	PC      uint64
	Callers []uint64
}

// copied takes the emitters of words along with the words.
func (b *bench) copied(dst, src, n uint64) {
	for off := uint64(0); off < n; off += a64.Size {
		if e, ok := b.emit[src+off]; ok {
			b.emit[dst+off] = e
		}
	}
}

// record has the emitters of all words noted from now on.
func (b *bench) record() {
	b.emit = map[uint64]Emitter{}
	before := b.w.M.OnWrite
	b.unrecord = func() { b.w.M.OnWrite = before }
	b.w.M.OnWrite = func(pc, addr uint64, size int, value uint64) {
		for off := uint64(0); off < uint64(size); off += a64.Size {
			b.emit[(addr+off)&^3] = Emitter{pc, b.callers()}
		}
		before(pc, addr, size, value)
	}
}

// signature are the bits of a return address that its signature is in, where LR is
// signed. They are set in the kernel's addresses.
const signature = 0x7fff_0000_0000_0000 | 1<<63

// callers are the return addresses of the frame records on the stack.
func (b *bench) callers() (out []uint64) {
	m := b.w.M
	for fp := m.X[29]; len(out) < 8 && fp >= world.Stack && fp < world.StackTop && fp%8 == 0; {
		ret, err := m.Read64(fp + 8)
		next, err2 := m.Read64(fp)
		if ret |= signature; err != nil || err2 != nil || ret == emu.ReturnAddress || next <= fp {
			break
		}
		out = append(out, ret-a64.Size)
		fp = next
	}
	return out
}
