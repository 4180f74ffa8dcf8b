package patching

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// Errors that the interface returns.
const (
	efault = -14
	einval = -22
)

// judge judges a call that has returned ret. before is what stood at the target,
// want what must stand there now.
func (p *patcher) judge(fn function, s situation, ret int32, before, want []byte) {
	p.judgeResult(s, ret)
	now := make([]byte, p.size)
	_ = p.w.M.Read(p.target, now) // it was read before the call
	if fn.kind == reads {
		p.judgeRead(s, before)
	} else {
		p.judgeStores(now, want)
	}
	for _, m := range p.mapped {
		p.diff("leaves the page of %s mapped writable, at fixmap slot %#x", p.name(m.page), m.index)
	}
	if fn.kind != reads && !s.refuse && p.maps == 0 && p.canMap && !p.direct {
		p.diff("maps no page at the fixmap")
	}
	p.judgeLock()
	if _ = p.w.M.Read(world.Task, p.after); !bytes.Equal(p.after, p.task) {
		at := 0
		for p.after[at] == p.task[at] {
			at++
		}
		p.diff("leaves the task changed, at +%#x (preemption, or whether faults are allowed)", at)
	}
	p.judgeCaches(fn, s, ret)
}

func (p *patcher) judgeResult(s situation, ret int32) {
	switch {
	case s.refuse && ret != einval:
		p.diff("returns %d, not %d (-EINVAL), for an address that is not that of an instruction", ret, einval)
	case s.fault && ret != efault:
		p.diff("returns %d, not %d (-EFAULT), where the copy fails with that", ret, efault)
	case !s.refuse && !s.fault && ret != 0:
		p.diff("returns %d, not 0", ret)
	}
}

// judgeRead judges what a function that reads has stored: the word, at the place
// that it was given, or nothing.
func (p *patcher) judgeRead(s situation, word []byte) {
	switch n := len(p.stores); {
	case s.fault && n > 0:
		p.diff("stores %#x although the copy failed", number(p.stores[0].bytes))
	case s.fault:
	case n != 1 || p.stores[0].addr != p.out || !bytes.Equal(p.stores[0].bytes, word):
		got := "nothing"
		if n > 0 {
			got = fmt.Sprintf("%#x (%s) to %#x", number(p.stores[0].bytes), plural.Of(len(p.stores[0].bytes), "byte"), p.stores[0].addr)
		}
		p.diff("stores %s, not the word %#x to %#x", got, number(word), p.out)
	}
}

func number(b []byte) uint64 {
	var all [8]byte
	copy(all[:], b)
	return binary.LittleEndian.Uint64(all[:])
}

// judgeStores judges what was written where: now stands at the target.
func (p *patcher) judgeStores(now, want []byte) {
	for _, st := range p.stores {
		off := st.addr - p.target
		if off >= p.size || off+uint64(len(st.bytes)) > p.size || p.now.refuse || p.now.fault {
			p.diff("writes %#x (%s) to %s", number(st.bytes), plural.Of(len(st.bytes), "byte"), p.name(st.addr))
		}
	}
	if n := len(p.stores); n > 1 && len(p.w.Faults) == 0 {
		p.diff("writes %s in %s: a processor that executes them meanwhile sees a part", plural.Of(p.size, "byte"), plural.Of(n, "store"))
	}
	if !bytes.Equal(now, want) {
		p.diff("leaves %#x at %s, not %#x", number(now), p.name(p.target), number(want))
	}
}

// judgeLock judges whether the lock and the state of interrupts are as before.
func (p *patcher) judgeLock() {
	m := p.w.M
	if p.now.owned && !p.waited {
		p.diff("does not wait for patch_lock, which another processor has")
	}
	v := uint32(0)
	if p.lock != 0 && p.inline {
		v, _ = m.Read32(p.lock)
	}
	switch {
	case p.lockHeld || v&0xff != 0:
		p.diff("does not give back patch_lock: the next call waits for ever")
	case p.waited && v != lockWaited&^0xff || !p.waited && v != 0:
		p.diff("leaves patch_lock %#x: those that wait for it are lost", v)
	}
	const masks = 0xf << 6
	if got := m.Sys[emu.DAIF] & masks; got != p.daif || m.Sys[emu.ICCPMREL1] != p.pmr {
		p.diff("leaves interrupts otherwise than they were: DAIF is %#x, and was %#x", got, p.daif)
	}
}

// judgeCaches judges the maintenance of caches: after a patch, the line of the
// word is cleaned from the data cache, then dropped from the instruction cache,
// each with a barrier behind it, and then what was fetched is dropped.
func (p *patcher) judgeCaches(fn function, s situation, ret int32) {
	if fn.kind != patches {
		return
	}
	const line = 64 // bytes: see CTR_EL0 in package emu
	of := p.target &^ (line - 1)
	var clean, cleaned, early, dropped, done, synced bool
	for _, m := range p.maint {
		late := m.stores == len(p.stores)
		switch m.kind {
		case emu.DCClean, emu.DCCleanPoU, emu.DCCleanInval, emu.ICInval:
			if m.addr&^(line-1) != of {
				p.diff("maintains caches at %#x, outside of the word", m.addr)
				return
			}
			if m.kind == emu.ICInval {
				dropped, early = cleaned, early || clean && !cleaned
			} else {
				clean = late
			}
		case emu.ICInvalAll:
			dropped, early = cleaned, early || clean && !cleaned
		case emu.DSB:
			cleaned, done = cleaned || clean, done || dropped
		case emu.ISB:
			synced = synced || done
		}
	}
	switch ok := ret == 0 && !s.refuse && !s.fault; {
	case ok && !synced:
		missing := "does not clean the data cache"
		switch {
		case done:
			missing = "does not drop what was fetched (ISB) behind its maintenance of caches"
		case dropped:
			missing = "does not wait (DSB) for its maintenance of the instruction cache"
		case early:
			missing = "does not wait (DSB) for its cleaning of the data cache"
		case cleaned:
			missing = "does not maintain the instruction cache"
		case clean:
			missing = "does not wait (DSB) for its cleaning of the data cache"
		}
		p.diff("%s for %s, after it was written", missing, p.name(p.target))
	case !ok && (clean || dropped):
		p.diff("maintains caches although it has written nothing")
	}
}
