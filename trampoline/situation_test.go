package trampoline

import (
	"slices"
	"testing"

	"github.com/ftlint/ftlint/world"
)

// runs are those of two good builders. The second changes permissions when it
// frees a trampoline.
func runs(t *testing.T) []Run {
	return append(Build(open(t, "builders/builder-good.elf")).Runs, Build(open(t, "builders/builder-good-free.elf")).Runs...)
}

// Every situation has a name of its own, and good builders are executed in it.
func TestSituations(t *testing.T) {
	const nameless = "a situation without a name"
	executed := map[Situation]int{}
	for _, r := range runs(t) {
		executed[r.Situation]++
		if r.Situation.String() == nameless {
			t.Errorf("%+v has no name", r.Situation)
		}
		if r.Err != nil {
			t.Errorf("%v: %v", r.Situation, r.Err)
		}
	}
	names := map[string]Situation{}
	for _, s := range Situations() {
		if other, ok := names[s.String()]; ok {
			t.Errorf("%+v and %+v are both %q", s, other, s)
		}
		names[s.String()] = s
		if executed[s] == 0 {
			t.Errorf("%v: no run", s)
		}
	}
	if got := (Situation{Place: CallbackAtEdge, Then: Release}).String(); got != nameless {
		t.Errorf("what is none is called %q", got)
	}
}

// The world of a run is as its situation says.
func TestSituationWorlds(t *testing.T) {
	for _, r := range runs(t) {
		failed := slices.ContainsFunc(r.Events, func(e world.Event) bool { return e.Err || e.Kind == world.Alloc && e.Addr == 0 })
		switch s := r.Situation; s.Fails {
		case Nothing:
			if failed {
				t.Errorf("%v: something fails", s)
			}
		case Allocation, Copying, Permissions, Patching:
			if !failed {
				t.Errorf("%v: nothing fails", s)
			}
		}
	}
}
