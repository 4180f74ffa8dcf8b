package hook

// This file is about the mutex under which an architecture changes code. The core
// calls ftrace_arch_code_modify_prepare() before it changes callsites, which takes the
// mutex, and ftrace_arch_code_modify_post_process() after that, which gives it back. It is
// so since "x86/ftrace: Use text_poke()", which made the variable ftrace_poke_late.

const (
	prepare     = "ftrace_arch_code_modify_prepare"
	postProcess = "ftrace_arch_code_modify_post_process"
)

// A codeLock is that mutex, and what belongs to it.
type codeLock struct {
	mutex   uint64 // its address; 0: the architecture needs none
	late    uint64 // address of the variable arch.Patching.Late; 0: the image has none, and nothing is judged
	held    bool
	changes bool // the hook that runs is to take the mutex, or to give it back

	finished int    // calls of arch.Patching.Finish while the mutex was held
	atLock   uint32 // the variable when the mutex was taken or given back the last time
}

func (l *codeLock) reset(held bool) { l.held, l.changes, l.finished, l.atLock = held, false, 0, 0 }

func (l *codeLock) state() string {
	if l.held {
		return "taken"
	}
	return "free"
}

// hookLock makes the stand-ins for what takes the mutex, and what is called under it.
func (x *executor) hookLock() {
	l, p := &x.lock, x.arch.Patching
	l.mutex, _ = x.im.Addr(p.Lock)
	l.late, _ = x.im.Addr(p.Late)
	if l.mutex == 0 || l.late == 0 {
		l.late = 0
		return
	}
	x.w.Hook(func(name string) error {
		take := name != "mutex_unlock"
		x.w.SetResult(0)
		if x.w.Arg(0) != l.mutex {
			return nil
		}
		if take == l.held {
			x.diff("calls %s() for %s, which is %s", name, p.Lock, l.state())
		}
		l.held, l.atLock = take, x.isLate()
		return nil
	}, "mutex_lock", "mutex_lock_nested", "mutex_unlock")
	x.w.Hook(func(name string) error {
		if l.finished++; !l.held {
			x.diff("calls %s() without %s", name, p.Lock)
		}
		x.w.SetResult(0)
		return nil
	}, p.Finish...)
}

// isLate is the variable arch.Patching.Late.
func (x *executor) isLate() uint32 {
	v, err := x.w.Mem.Read32(x.lock.late)
	x.must(err)
	return v
}

// setLate sets that variable.
func (x *executor) setLate(v uint32) { x.must(x.w.Mem.Write32(x.lock.late, v)) }

// opens executes the hook that takes the mutex: from then on other processors may
// execute the callsites that are changed.
func (x *executor) opens() {
	x.in("", func() {
		x.open()
		if back, ok := x.im.Addr(postProcess); ok && len(x.diffs) == 0 {
			if _, ok := x.aside(back); ok && !x.lock.held && x.isLate() == 0 { // otherwise the other one breaks its contract
				x.open()
			}
		}
	})
}

// open calls that hook.
func (x *executor) open() {
	p := x.arch.Patching
	x.lock.reset(false)
	x.lock.changes = true
	x.setLate(0)
	if _, ok := x.call(); !ok {
		return
	}
	x.wroteNothing()
	switch {
	case !x.lock.held:
		x.diff("does not take %s", p.Lock)
	case x.lock.atLock != 0:
		x.diff("sets %s before it has %s", p.Late, p.Lock)
	case x.isLate() == 0:
		x.diff("does not set %s", p.Late)
	}
}

// closes executes the hook that gives the mutex back, after it has finished the queue.
func (x *executor) closes() {
	p := x.arch.Patching
	x.in("", func() {
		for range 2 {
			x.lock.reset(true)
			x.lock.changes = true
			x.setLate(1)
			if _, ok := x.call(); !ok {
				return
			}
			x.wroteNothing()
			switch {
			case len(x.labels(p.Finish...)) > 0 && x.lock.finished == 0:
				x.diff("does not finish the queue")
			case x.lock.held:
				x.diff("does not give %s back", p.Lock)
			case x.lock.atLock != 0:
				x.diff("gives %s back with %s set", p.Lock, p.Late)
			case x.isLate() != 0:
				x.diff("leaves %s set", p.Late)
			}
			if len(x.diffs) > 0 {
				return
			}
		}
	})
}
