package bpf

// Words that are short for arguments.
var (
	long  = Arg{Size: 8}
	num   = Arg{Size: 4}
	pair  = Arg{Size: 16, Struct: true}
	dozen = Arg{Size: 12, Struct: true}
)

// protos are prototypes that differ in how arguments are passed. None has an
// argument that is aligned to 16 bytes: no kernel has a traced function with one,
// and what a generator makes of it is judged where an image has such a function.
var protos = []Proto{
	{},
	{[]Arg{long}, 4},
	{[]Arg{{Size: 1}, {Size: 2}, num, long}, 8},
	{[]Arg{long, num, long, num, long, num, long}, 1},
	{[]Arg{long, num, long, num, long, num, long, num}, 2},
	{[]Arg{pair, num}, 4},
	{[]Arg{num, dozen, long, {Size: 7, Struct: true}}, 8},
	{[]Arg{long, long, long, long, long, long, pair}, 4},
	// Arguments on the stack.
	{[]Arg{long, long, long, long, long, long, long, num, num}, 4},
	{[]Arg{long, long, long, long, long, long, long, long, {Size: 1}, {Size: 2}, num, long}, 8},
	{[]Arg{long, long, long, long, long, long, long, pair, num}, 8},
	{[]Arg{long, long, long, long, long, long, long, long, dozen, {Size: 3, Struct: true}}, 8},
}

// moreProtos are prototypes that add little to protos, for --exhaustive.
func moreProtos() (more []Proto) {
	for n := range 13 {
		var longs, nums, mixed []Arg
		for i := range n {
			longs, nums, mixed = append(longs, long), append(nums, num), append(mixed, Arg{Size: 1 << (i % 4)})
		}
		more = append(more, Proto{longs, 0}, Proto{nums, 4}, Proto{mixed, 8})
	}
	for size := 1; size <= 16; size++ {
		s := Arg{Size: size, Struct: true}
		for before := range 9 {
			var args []Arg
			for range before {
				args = append(args, long)
			}
			more = append(more, Proto{append(args, s), 8}, Proto{append(args[:before:before], s, num), 4})
		}
	}
	return more
}

// cookieValues take from one to four instructions to load. Without a cookie nothing is loaded.
var cookieValues = []uint64{0, 1, 0x12345, 0x1_2345_6789, 0xffff_0000_1234_5678, ^uint64(0), 0x1234_5678_9abc_def0}

// progSets are sets of programs.
func (k *Kernel) progSets() (sets [][]Prog) {
	many := func(kind Kind, n int) (out []Prog) {
		for i := range n {
			out = append(out, Prog{Kind: kind, Cookie: cookieValues[i%len(cookieValues)]})
		}
		return out
	}
	join := func(lists ...[]Prog) (out []Prog) {
		for _, l := range lists {
			out = append(out, l...)
		}
		return out
	}
	sets = [][]Prog{
		many(Fentry, 1),
		many(Fexit, 1),
		many(ModifyReturn, 1),
		join(many(Fentry, 2), many(ModifyReturn, 2), many(Fexit, 2)),
		many(Fentry, len(cookieValues)),
		{{Kind: Fentry, Sleepable: true}, {Kind: Fexit, Sleepable: true, Cookie: 5}},
		{{Kind: ModifyReturn, Type: LSM}, {Kind: ModifyReturn, Type: LSM, Sleepable: true}},
		{{Kind: Fentry, Interp: true}, {Kind: Fexit, Interp: true}},
	}
	if k.lsmCgroup != 0 {
		sets = append(sets, []Prog{{Kind: ModifyReturn, Type: LSMCgroup}})
	}
	if k.session != 0 {
		sets = append(sets, []Prog{
			{Kind: Fentry, Session: 1}, {Kind: Fentry}, {Kind: Fentry, Session: 2},
			{Kind: Fexit, Session: 1}, {Kind: Fexit}, {Kind: Fexit, Session: 2},
		})
	}
	return sets
}

// full are n programs, of all kinds.
func (k *Kernel) full(n int) (progs []Prog) {
	for kind := Fentry; kind <= Fexit; kind++ {
		for i := range n / 3 {
			progs = append(progs, Prog{Kind: kind, Cookie: cookieValues[i%len(cookieValues)]})
		}
	}
	for range n % 3 {
		progs = append(progs, Prog{Kind: Fexit})
	}
	return progs
}

// cases are what trampolines are built for. With all they are every combination.
func (k *Kernel) cases(all bool) (out []Case) {
	add := func(c Case) {
		if c.From != Indirect && c.From != Program {
			c.From = k.from()
		}
		c.Flags ^= c.usualFlags()
		if len(c.Proto.Args) <= k.MaxArgs() {
			out = append(out, c)
		}
	}
	sets, set := k.progSets(), 0
	list := protos
	if all {
		list = append(list[:len(list):len(list)], moreProtos()...)
	}
	for _, p := range list {
		if !all { // each set with some prototype, and the other way round
			c := Case{Proto: p, Progs: sets[set%len(sets)]}
			if set%2 == 0 { // where all is far away there is no more than the size that was computed
				c.Place = TaggedImage
			}
			add(c)
			set++
			continue
		}
		for _, s := range sets {
			add(Case{Proto: p, Progs: s})
		}
	}
	plain := protos[3]
	for ; set < len(sets); set++ {
		add(Case{Proto: plain, Progs: sets[set]})
	}
	several := sets[3]
	if k.Size != 0 {
		add(Case{Proto: plain, Progs: k.full(k.maxProgs)})
	}
	add(Case{Proto: plain, Progs: k.full(k.maxProgs / 2)}) // a page has room for these
	for _, flags := range []uint32{flagIPArg, flagSkipFrame, flagOrigStack, flagTailCallCtx} {
		progs := several
		if flags == flagIPArg && !all {
			progs = sets[0]
		}
		add(Case{Proto: plain, Progs: progs, Flags: flags})
		if flags != flagIPArg {
			add(Case{Proto: plain, Progs: progs, Flags: flags, Place: TaggedImage})
		}
	}
	for _, place := range []Place{ImageAbove, ImageBelow, ProgsFar, TaggedImage, WideImage, Apart} {
		add(Case{Proto: plain, Progs: several, Flags: flagIPArg, Place: place})
	}
	if k.Size == 0 {
		add(Case{Proto: plain, Progs: several, Short: 4})
	}
	for _, progs := range [][]Prog{sets[0], sets[4], sets[7], sets[len(sets)-1]} {
		add(Case{Proto: plain, Progs: progs, Place: TaggedImage})
	}
	if k.copies {
		add(Case{Proto: plain, Progs: several, Fail: Failure{allocation, 1}})
		add(Case{Proto: plain, Progs: several, Fail: Failure{insnCopy, 1}})
	}
	add(Case{Proto: plain, Progs: several, From: Program})
	add(Case{Proto: plain, Progs: several, From: Program, Place: FuncFar})
	for _, p := range []Proto{plain, protos[0], protos[6], protos[10]} {
		for _, place := range []Place{Near, ImageBelow} {
			if place == Near || all || len(p.Args) == len(plain.Args) {
				add(Case{Proto: p, Progs: []Prog{{Kind: Fentry, Type: StructOps}}, From: Indirect, Place: place})
			}
		}
	}
	return out
}

// scenarios are what happens while the trampoline of a case runs.
func (c *Case) scenarios(all bool) (out []Scenario) {
	const ret, errno = 0x7e57_4321_8765_4321, ^uint64(0) - 11 // -ENOMEM
	const upper = 0x7e57 << 32                                // its lower half is 0
	returns := func() map[int]uint64 {
		m := map[int]uint64{}
		for i, p := range c.Progs {
			if p.Kind != ModifyReturn {
				m[i] = 0x0badc0de_00000000 + uint64(i) // is ignored, but for struct_ops
			}
		}
		return m
	}
	add := func(s Scenario) {
		s.FuncRet = ret
		out = append(out, s)
	}
	add(Scenario{Ret: returns()})
	everyone := map[int]bool{}
	for kind := Fentry; kind <= Fexit; kind++ {
		list := c.list(kind)
		for n, i := range list {
			ends := n == 0 || n == len(list)-1
			if kind == ModifyReturn && (all || ends) {
				r := returns()
				r[i] = errno
				add(Scenario{Ret: r})
				if c.Proto.Ret == 8 && n == 0 {
					r = returns()
					r[i] = upper
					add(Scenario{Ret: r})
				}
			}
			if c.skippable(i) {
				everyone[i] = true
				if all || n == len(list)/2 {
					add(Scenario{Ret: returns(), Skip: map[int]bool{i: true}})
				}
			}
		}
	}
	if len(everyone) > 1 {
		add(Scenario{Ret: returns(), Skip: everyone})
	}
	return out
}

// skippable reports whether the enter function of a program can return 0: it does
// where the program runs already. The others cannot run twice at a time, or may.
func (c *Case) skippable(i int) bool { return c.Progs[i].Type == Tracing }
