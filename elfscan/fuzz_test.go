package elfscan

import (
	"bytes"
	"testing"
)

// What a fuzz target may allocate: a constant for the tables of the readers,
// and a multiple of what it was given.
func bounded(t *testing.T, given int, f func()) {
	t.Helper()
	if taken := allocated(f); taken > 64<<20+1000*uint64(given) {
		t.Errorf("%d bytes of input take %d bytes of memory", given, taken)
	}
}

// Any file is refused with one clear line, or answers every question, twice
// the same.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{"regs-good", "regs-good-stripped", "callops-good", "mcount-good", "dyntramp-live", "rfc-trampoline-dwarf4", "rfc-trampoline-zstd"} {
		f.Add([]byte(load(f, name)))
	}
	f.Add([]byte(load(f, "args-good").headersFirst()))
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded(t, len(data), func() {
			one, err := sample(data).open()
			two, err2 := sample(data).open()
			if err != nil {
				clearError(t, err, "vmlinux", "")
				if err2 == nil || err2.Error() != err.Error() {
					t.Errorf("refused with %v, then with %v", err, err2)
				}
				return
			}
			if a, b := digest(one), digest(two); a != b {
				t.Errorf("two answers:\n%s\n%s", a, b)
			}
		})
	})
}

// Any debug sections give a line or none, and never keep the image from being
// judged.
func FuzzLines(f *testing.F) {
	for _, name := range []string{"rfc-trampoline-dwarf4", "rfc-trampoline-dwarf5", "callops-good"} {
		s := load(f, name)
		_, line := s.section(f, ".debug_line")
		_, info := s.section(f, ".debug_info")
		_, abbrev := s.section(f, ".debug_abbrev")
		_, aranges := s.section(f, ".debug_aranges")
		f.Add(line, info, abbrev, aranges)
		f.Add(line, info, abbrev, []byte{})
	}
	s := load(f, "rfc-trampoline-dwarf5")
	f.Fuzz(func(t *testing.T, line, info, abbrev, aranges []byte) {
		s := bytes.Clone(s)
		for name, b := range map[string][]byte{".debug_line": line, ".debug_info": info, ".debug_abbrev": abbrev, ".debug_aranges": aranges} {
			s = sample(s).replace(t, name, b)
		}
		bounded(t, len(s), func() {
			one, two := sample(s).mustOpen(t), sample(s).mustOpen(t)
			if a, b := digest(one), digest(two); a != b {
				t.Errorf("two answers:\n%s\n%s", a, b)
			}
		})
	})
}

// Anything that looks packed is unpacked to at most the limit, or refused.
func FuzzUnpack(f *testing.F) {
	const limit = 1 << 20
	small := load(f, "regs-good-stripped")
	for _, pack := range packers {
		f.Add(pack(f, small))
		f.Add(pack(f, make([]byte, 2*limit)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		unpack := unpacker(data)
		if unpack == nil {
			return
		}
		for range 2 {
			out, err := mapUnpacked(unpack, data, limit)
			if err == nil && (len(out) == 0 || len(out) > limit) {
				t.Errorf("%d bytes were unpacked, the limit is %d", len(out), limit)
			}
			if err == nil {
				unmap(out)
			}
		}
	})
}
