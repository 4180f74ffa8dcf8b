package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/child"
	"github.com/ftlint/ftlint/internal/race"
)

// Bounds of one run on a damaged file. A run on the whole one takes some 60 ms
// and allocates some 10 MB; under the race detector ten times as long.
const (
	damageTime   = 20 * time.Second
	damageMemory = 512 << 20 // bytes allocated, in all
)

// A damageRow is what became of the runs of one kind.
type damageRow struct {
	kind   string
	runs   int
	status [3]int
	time   time.Duration // worst
	memory uint64        // worst, bytes allocated
}

// TestDamage cuts real kernels and modules and flips bits in them, at seeded
// random places of the parts that say where everything is, and holds ftlint to
// what it promises: an exit status, one line for 2 that names the file, no
// panic, bounded time and memory. It prints a table of what happened.
//
// FTLINT_DAMAGE=full takes all 16,000 places, some five minutes; without it every
// 25th is taken, under the race detector every 100th.
func TestDamage(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	every := 25
	if race.Enabled {
		every = 100
	}
	if os.Getenv("FTLINT_DAMAGE") == "full" {
		every = 1
	}
	for _, suite := range []string{"trixie", "bookworm"} {
		dir := filepath.Join(kernels(), suite, "current")
		if _, err := os.Stat(dir); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skipf("SKIPPED: no kernel of %s: run scripts/fetch-kernels", suite)
		}
		t.Run(suite, func(t *testing.T) {
			work := t.TempDir()
			vmlinux := filepath.Join(work, "vmlinux")
			copyFile(t, vmlinux, filepath.Join(dir, "vmlinux"))
			module := findModule(t, dir, work)
			var rows []*damageRow
			if suite == "trixie" {
				rows = append(rows, cuts(t, vmlinux, 1000/every), cuts(t, module, 1000/every))
				copyFile(t, vmlinux, filepath.Join(dir, "vmlinux"))
				module = findModule(t, dir, work)
			}
			for kind, n := range map[string]int{"ELF header": 300, "section headers": 500, "symbol table": 500, "relocations": 500, "callsite table": 400, "callsites": 400} {
				rows = append(rows, flips(t, vmlinux, "vmlinux", kind, n/every))
			}
			for kind, n := range map[string]int{"ELF header": 300, "section headers": 700, "symbol table": 700, "relocations": 700, "callsites": 400} {
				rows = append(rows, flips(t, module, "module", kind, n/every))
			}
			rows = append(rows, holes(t, vmlinux, "vmlinux", 400/every), holes(t, module, "module", 400/every))
			if packed := module + ".xz"; exists(packed) {
				rows = append(rows, flips(t, packed, "packed module", "any byte", 1000/every), cuts(t, packed, 400/every))
			}
			slices.SortFunc(rows, func(a, b *damageRow) int { return strings.Compare(a.kind, b.kind) })
			var b strings.Builder
			fmt.Fprintf(&b, "%-32s %6s %8s %8s %8s %10s %10s\n", "", "runs", "status 0", "status 1", "status 2", "worst", "allocated")
			for _, r := range rows {
				fmt.Fprintf(&b, "%-32s %6d %8d %8d %8d %8.3f s %6d MiB\n", r.kind, r.runs, r.status[0], r.status[1], r.status[2], r.time.Seconds(), r.memory>>20)
			}
			t.Logf("\n%s", b.String())
		})
	}
}

func copyFile(t *testing.T, dst, src string) {
	t.Helper()
	in, err := os.Open(src)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(dst)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// findModule unpacks a module of some size: one with many callsites.
func findModule(t *testing.T, dir, work string) string {
	t.Helper()
	to := filepath.Join(work, "module.ko")
	for _, name := range []string{"nf_conntrack.ko", "nf_conntrack.ko.xz"} {
		from := filepath.Join(dir, "modules", name)
		if _, err := os.Stat(from); err != nil {
			continue
		}
		if strings.HasSuffix(name, ".xz") {
			copyFile(t, to+".xz", from)
			out, err := child.Command(t, "xz", "-dc", from).Output()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, out, 0o644); err != nil {
				t.Fatal(err)
			}
		} else {
			copyFile(t, to, from)
		}
		return to
	}
	t.Fatalf("no nf_conntrack.ko in %s/modules", dir)
	return ""
}

// judge runs ftlint on the damaged file and holds it to its promises.
func (r *damageRow) judge(t *testing.T, path, how string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	status := run([]string{"-q", "--max-per-rule", "3", path}, &stdout, &stderr)
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	r.runs++
	r.time = max(r.time, took)
	r.memory = max(r.memory, after.TotalAlloc-before.TotalAlloc)
	said := stderr.String()
	switch {
	case status < 0 || status > 2:
		t.Errorf("%s, %s: status %d", r.kind, how, status)
		return
	case status != 2 && said != "":
		t.Errorf("%s, %s: status %d, and it says\n%s", r.kind, how, status, said)
	case status == 2 && (!strings.HasPrefix(said, "ftlint: "+path+": ") || strings.Count(said, "\n") != 1):
		t.Errorf("%s, %s: not one line with the path:\n%s", r.kind, how, said)
	}
	// What recovers a panic while a file is opened says what the panic did.
	if all := said + stdout.String(); strings.Contains(all, "internal error") || strings.Contains(all, "runtime error") || strings.Contains(all, "goroutine ") {
		t.Errorf("%s, %s: a panic:\n%s", r.kind, how, all)
	}
	if took > damageTime || after.TotalAlloc-before.TotalAlloc > damageMemory {
		t.Errorf("%s, %s: it took %v and %d MiB", r.kind, how, took, (after.TotalAlloc-before.TotalAlloc)>>20)
	}
	r.status[status]++
}

// cuts cuts the file at n places, the last first, half of them in its last and
// first 64 KiB, where the tables are.
func cuts(t *testing.T, path string, n int) *damageRow {
	row := &damageRow{kind: filepath.Base(path) + ", cut"}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(2026, 11))
	size := info.Size()
	places := make([]int64, n)
	for i := range places {
		switch i % 4 {
		case 0:
			places[i] = max(0, size-random.Int64N(64<<10))
		case 1:
			places[i] = random.Int64N(64 << 10)
		default:
			places[i] = random.Int64N(size)
		}
	}
	slices.Sort(places)
	slices.Reverse(places)
	for _, at := range places {
		if err := os.Truncate(path, at); err != nil {
			t.Fatal(err)
		}
		row.judge(t, path, fmt.Sprintf("cut at %#x", at))
	}
	return row
}

// A stretch is a part of a file, in bytes.
type stretch struct{ at, size int64 }

// parts finds the stretches of a file of one kind.
func parts(t *testing.T, path, kind string) (out []stretch) {
	t.Helper()
	if kind == "any byte" {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return []stretch{{0, info.Size()}}
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var header [64]byte
	if _, err := file.ReadAt(header[:], 0); err != nil {
		t.Fatal(err)
	}
	offset := func(addr uint64) int64 {
		for _, s := range f.Sections {
			if s.Type == elf.SHT_PROGBITS && s.Flags&elf.SHF_ALLOC != 0 && s.Addr <= addr && addr < s.Addr+s.Size {
				return int64(s.Offset + addr - s.Addr)
			}
		}
		t.Fatalf("%s: %#x is in no section", path, addr)
		return 0
	}
	switch kind {
	case "ELF header":
		out = append(out, stretch{0, 64})
	case "section headers":
		out = append(out, stretch{int64(f.ByteOrder.Uint64(header[40:])), int64(len(f.Sections)) * 64})
	case "symbol table":
		for _, s := range f.Sections {
			if s.Type == elf.SHT_SYMTAB {
				out = append(out, stretch{int64(s.Offset), int64(s.FileSize)})
			}
		}
	case "relocations":
		for _, s := range f.Sections {
			if (s.Type == elf.SHT_RELA || s.Type == 19) && !strings.Contains(s.Name, ".debug") { // 19: SHT_RELR
				out = append(out, stretch{int64(s.Offset), int64(s.FileSize)})
			}
		}
	case "callsite table", "callsites":
		if f.Type == elf.ET_REL {
			out = moduleSites(t, f)
			break
		}
		im, err := elfscan.Open(path, "")
		if err != nil {
			t.Fatal(err)
		}
		defer im.Close()
		if kind == "callsite table" {
			start, _ := im.Addr("__start_mcount_loc")
			stop, _ := im.Addr("__stop_mcount_loc")
			return append(out, stretch{offset(start), int64(stop - start)})
		}
		sites, err := callsite.Of(im)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(sites.Addrs); i += 97 {
			out = append(out, stretch{offset(sites.Addrs[i]), 16})
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s: no %s", path, kind)
	}
	return out
}

// moduleSites finds the callsites of a module by the relocations of its table.
func moduleSites(t *testing.T, f *elf.File) (out []stretch) {
	t.Helper()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	relocations := f.Section(".rela__patchable_function_entries")
	if relocations == nil {
		t.Fatal("a module without callsites")
	}
	table, err := relocations.Data()
	if err != nil {
		t.Fatal(err)
	}
	for ; len(table) >= 24; table = table[24:] {
		symbol := symbols[f.ByteOrder.Uint32(table[12:])-1]
		out = append(out, stretch{int64(f.Sections[symbol.Section].Offset + symbol.Value + f.ByteOrder.Uint64(table[16:])), 16})
	}
	return out
}

// holes zeroes up to 64 KiB anywhere, n times, and puts them back: a download
// that was torn, a disk that lost blocks.
func holes(t *testing.T, path, what string, n int) *damageRow {
	row := &damageRow{kind: what + ", holes"}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(2026, 12))
	for range n {
		at := random.Int64N(info.Size())
		old := make([]byte, min(1+random.Int64N(64<<10), info.Size()-at))
		if _, err := f.ReadAt(old, at); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, len(old)), at); err != nil {
			t.Fatal(err)
		}
		row.judge(t, path, fmt.Sprintf("%d bytes zeroed at %#x", len(old), at))
		if _, err := f.WriteAt(old, at); err != nil {
			t.Fatal(err)
		}
	}
	return row
}

// flips flips one to three bits at a time, n times, in the parts of the file,
// and puts them back.
func flips(t *testing.T, path, what, kind string, n int) *damageRow {
	row := &damageRow{kind: what + ", " + kind}
	where := parts(t, path, kind)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	random := rand.New(rand.NewPCG(2026, uint64(len(what+kind))))
	total := int64(0)
	for _, p := range where {
		total += p.size
	}
	for range n {
		type flip struct {
			at       int64
			old, new byte
		}
		var done []flip
		for range 1 + random.IntN(3) {
			k := random.Int64N(total)
			var at int64
			for _, p := range where {
				if k < p.size {
					at = p.at + k
					break
				}
				k -= p.size
			}
			var b [1]byte
			if _, err := f.ReadAt(b[:], at); err != nil {
				t.Fatal(err)
			}
			x := flip{at, b[0], b[0] ^ 1<<random.IntN(8)}
			if random.IntN(4) == 0 {
				x.new = [...]byte{0, 0xff, 0x7f, 0x80}[random.IntN(4)]
			}
			if _, err := f.WriteAt([]byte{x.new}, at); err != nil {
				t.Fatal(err)
			}
			done = append(done, x)
		}
		row.judge(t, path, fmt.Sprintf("changed %#x", done))
		for _, x := range slices.Backward(done) {
			if _, err := f.WriteAt([]byte{x.old}, x.at); err != nil {
				t.Fatal(err)
			}
		}
	}
	return row
}
