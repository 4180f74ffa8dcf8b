package trampoline

import (
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// states are the states of cells in letters.
func states(list []CellState) string {
	var b strings.Builder
	for _, s := range list {
		b.WriteByte(map[CellState]byte{Unwritten: '-', Stale: 's', Maintained: 'm'}[s])
	}
	return b.String()
}

// A cell that was written is stale until the instruction cache is maintained for
// it. The patching interface does that itself.
func TestMoments(t *testing.T) {
	const base, pc = 0xffff_8000_9000_0000, 0xffff_8000_8000_0100
	event := func(kind world.EventKind, at, size uint64) world.Event {
		return world.Event{Kind: kind, PC: pc, Addr: at, Size: size}
	}
	failed, patched, protected, set := event(world.Copy, base, 4), event(world.Patch, base, 4), event(world.Protect, base, emu.PageSize), event(world.Store, base+0x84, 4)
	failed.Err, patched.PC, set.Func = true, pc+4, "aarch64_insn_set"
	protected.Perm = emu.Read | emu.Exec
	allocated := event(world.Alloc, base, 0x90)
	allocated.Perm = emu.Read | emu.Write
	type step struct {
		event  world.Event
		states string // of the cells after it
		hits   string // the cells that it touches
		moment int    // that it belongs to
	}
	steps := []step{
		{allocated, "----", "", 0},
		{event(world.Store, base, 4), "s---", "0", 1},
		{event(world.Store, base+4, 4), "ss--", "01", 1}, // the store goes on
		{failed, "ss--", "", 2},
		{event(world.ICache, base+8, 4), "mm--", "01", 3}, // the line of 64 bytes
		{event(world.Store, base, 4), "sm--", "0", 4},
		{event(world.Copy, base+0x80, 4), "sms-", "2", 5},
		{event(world.ICache, base+0x40, 8), "sms-", "", 6}, // another line
		{event(world.ICache, 0, ^uint64(0)), "mmm-", "0123", 7},
		{patched, "mmm-", "0", 8},
		{set, "mmmm", "3", 9},
		{event(world.Store, base+emu.PageSize, 4), "mmmm", "", 10}, // another's memory
		{protected, "mmmm", "0123", 11},
		{event(world.Free, base, 0), "mmmm", "", 12},
	}
	r := &Run{}
	r.Trampoline, r.Size = base, 0x90
	r.Areas = []world.Area{{Addr: base, Size: 0x90, Perms: make([]emu.Perm, 1)}}
	for _, s := range steps {
		r.Events = append(r.Events, s.event)
	}
	cells := []Cell{{At: base, Size: 4}, {At: base + 4, Size: 4}, {At: base + 0x80, Size: 4}, {At: base + 0x84, Size: 4}}
	moments := r.Moments(open(t, "builders/builder-good.elf").Image, cells)
	if len(moments) != steps[len(steps)-1].moment+1 {
		t.Fatalf("%d moments", len(moments))
	}
	for i, s := range steps {
		if i+1 < len(steps) && steps[i+1].moment == s.moment {
			continue
		}
		m := moments[s.moment]
		hits := ""
		for k, hit := range m.Hits {
			if hit {
				hits += string(rune('0' + k))
			}
		}
		if states(m.State) != s.states || hits != s.hits {
			t.Errorf("moment %d (%v of %d): cells are %s, and it touches %q; want %s and %q", s.moment, m.Kind, m.Count, states(m.State), hits, s.states, s.hits)
		}
		if alive := s.moment < 12; m.Alive != alive {
			t.Errorf("moment %d: alive %v", s.moment, m.Alive)
		}
		if perm := map[bool]emu.Perm{false: emu.Read | emu.Write, true: emu.Read | emu.Exec}[s.moment >= 11]; m.Perm != perm {
			t.Errorf("moment %d: %v", s.moment, m.Perm)
		}
	}
	if m := moments[1]; m.Count != 2 || m.Size != 8 {
		t.Errorf("two stores behind each other are %d, of %d bytes", m.Count, m.Size)
	}
	var writers []int
	for _, c := range cells {
		writers = append(writers, c.Writer)
	}
	if want := []int{8, 1, 5, 9}; !slices.Equal(writers, want) {
		t.Errorf("the cells were last written in %v, want %v", writers, want)
	}
}

// What a good builder writes is maintained before the trampoline is used, and
// not before it is written.
func TestMomentsOfBuilder(t *testing.T) {
	table := open(t, "builders/builder-good.elf")
	all := Build(table)
	r := find(t, all, Near, false, true)
	cells, whole := all.Cells(table.Image, r)
	moments := r.Moments(table.Image, cells)
	flush := slices.IndexFunc(moments, func(m Moment) bool { return m.Kind == world.ICache })
	if flush < 1 || len(whole) > 0 || !moments[0].Alive {
		t.Fatalf("no maintenance, or differences %v", whole)
	}
	before, after, end := states(moments[flush-1].State), states(moments[flush].State), states(moments[len(moments)-1].State)
	if strings.Contains(before, "m") || after != strings.ReplaceAll(before, "s", "m") || end != after || !strings.Contains(after, "m") {
		t.Errorf("before the maintenance %s, behind it %s, at the end %s", before, after, end)
	}
	for _, c := range cells {
		switch {
		case c.Label == "ftrace_call" && (moments[c.Writer].Kind != world.Patch || a64.Classify(uint32(c.Word)) != a64.Call):
			t.Errorf("the call is %s, written by %v", c.Text, moments[c.Writer].Kind)
		case c.Literal && (c.Word != r.Ops || moments[c.Writer].Kind != world.Store):
			t.Errorf("the literal is %#x, written by %v", c.Word, moments[c.Writer].Kind)
		}
	}
}
