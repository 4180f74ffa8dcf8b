package emu

// Defaults for the limits of a Machine that are zero.
const (
	DefaultMaxSteps = 1 << 20 // instructions
	DefaultMaxDepth = 1 << 10 // calls
	DefaultMaxPages = 1 << 14 // pages of PageSize bytes: 64 MiB
)

// A Core is what processors of every kind have: a program counter, memory with
// permissions, limits, the way that execution took, and why it stopped. A Machine
// is a Core with A64's registers and instructions; package x64 in this folder has
// that of x86-64.
type Core struct {
	PC uint64 // address of the instruction that runs

	// Steps counts the instructions executed since Reset; a call of a hook is
	// one.
	Steps uint64

	// Limits; those that are zero have a default.
	MaxSteps uint64 // instructions that one Call or Run may execute, with what its hooks Call
	MaxDepth int    // calls that may be active at once
	MaxPages int    // pages that may be touched between one Reset and the next; one that is executed counts five times, as its decoded code takes four

	// WatchLoaded has the pages of Load watched, too, as if Watch had been called
	// for each. It is set before the first page is touched.
	WatchLoaded bool

	// Callbacks, which may be nil. They may read memory and registers, and change
	// neither.
	Load    func(addr uint64, page []byte) (Perm, bool)   // see Map
	OnWrite func(pc, addr uint64, size int, value uint64) // see Watch

	memory
	limit   uint64 // Steps at which to stop
	running int    // Runs active, one inside a hook of the other
	depth   int
	stop    Stop // why an instruction failed
	trail   [trailSize]Jump
	jumps   uint64 // how many there were; the last is at trail[(jumps-1)%trailSize]
	ended   uint64 // PC where the last Run ended
}

// A Jump is where execution did not just go on: a branch that was taken, a hook, or the
// begin of a Run, whose From is 0. To is the next instruction if a branch without a
// condition goes there: the last call of a function is a branch to the function behind.
type Jump struct{ From, To uint64 }

// trailSize is how many Jumps are remembered.
const trailSize = 64

func (m *Core) jumped(from, to uint64) {
	m.trail[m.jumps%trailSize] = Jump{from, to}
	m.jumps++
}

// Trail is the way to the current PC from where the host had it begin: the last
// Jumps, the oldest first. From each one's To, execution went straight on to the next one's From, and from the
// last one's To to PC.
func (m *Core) Trail() []Jump {
	n := min(m.jumps, trailSize)
	out := make([]Jump, 0, n)
	for i := m.jumps - n; i < m.jumps; i++ {
		out = append(out, m.trail[i%trailSize])
	}
	return out
}

// Begin begins a Run, and returns what End needs. The methods from here to Failed are
// for the machines that a Core is in.
func (m *Core) Begin() (depth int) {
	if m.running == 0 {
		m.limit = m.Steps + DefaultMaxSteps
		if m.MaxSteps != 0 {
			m.limit = m.Steps + m.MaxSteps
		}
	}
	m.running++
	if m.jumps == 0 || m.PC != m.ended {
		if m.running == 1 {
			m.jumps = 0
		}
		m.jumped(0, m.PC)
	}
	return m.depth
}

// End ends a Run.
func (m *Core) End(depth int) {
	m.ended = m.PC
	m.depth = depth
	m.running--
}

// Enter begins a call, Leave ends it. Enter reports whether one more may be active.
func (m *Core) Enter() bool {
	if m.depth >= m.maxDepth() {
		return false
	}
	m.depth++
	return true
}

func (m *Core) Leave() { m.depth-- }

// Step counts an instruction. It reports whether the limit allows one.
func (m *Core) Step() bool {
	if m.Steps >= m.limit {
		return false
	}
	m.Steps++
	return true
}

// Jumped notes a Jump.
func (m *Core) Jumped(from, to uint64) { m.jumped(from, to) }

// Fail makes a Stop at PC the reason of a failure.
func (m *Core) Fail(reason Reason, addr uint64, access Perm) { m.fault(reason, addr, access) }

// Failed is the reason why the last access of an instruction failed.
func (m *Core) Failed() *Stop {
	s := m.stop
	return &s
}

// Reset is Machine.Reset for the Core alone.
func (m *Core) Reset() {
	m.PC, m.Steps, m.depth, m.jumps = 0, 0, 0, 0
	m.resetMemory()
}

func (m *Core) maxDepth() int {
	if m.MaxDepth != 0 {
		return m.MaxDepth
	}
	return DefaultMaxDepth
}
