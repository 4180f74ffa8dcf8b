package x64

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ftlint/ftlint/internal/hostile"
)

// Any bytes are an instruction that lies in them, whatever follows it, or none. Its
// text is one line. An instruction that is aimed elsewhere refers to that place, and
// has changed by nothing else.
func FuzzDecode(f *testing.F) {
	for _, code := range [][]byte{
		Endbr[:],
		{0xe8, 1, 2, 3, 4},                       // call rel32
		{0xe9, 0xff, 0xff, 0xff, 0x7f},           // jmp rel32
		{0xeb, 0xfe},                             // jmp rel8
		{0x0f, 0x84, 0, 0, 0, 0x80},              // je rel32
		{0x48, 0x8b, 0x15, 0xfc, 0xff, 0xff, 0},  // mov 0xfffffc(%rip),%rdx
		{0xc7, 0x05, 4, 0, 0, 0, 1, 2, 3, 4},     // movl $0x4030201,4(%rip)
		{0x66, 0xe8, 1, 2},                       // call rel16
		{0x67, 0x8b, 0x05, 1, 2, 3, 4},           // mov (%eip),%eax
		{0xff, 0x25, 0, 0, 0, 0x80},              // jmp *(%rip)
		{0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0},        // nopl
		{0x65, 0x48, 0x8b, 4, 0x25, 40, 0, 0, 0}, // mov %gs:40,%rax
		{0xe3, 0x80},                             // jrcxz rel8
	} {
		f.Add(code, uint64(0xffff_ffff_8100_0000), uint64(0xffff_ffff_8100_0040))
		f.Add(code, uint64(0), ^uint64(0))
	}
	f.Fuzz(func(t *testing.T, code []byte, pc, target uint64) {
		if text := Text(code, pc, nil); text == "" {
			t.Error("no text")
		} else {
			hostile.OneLine(t, errors.New(text), "")
		}
		in, ok := Decode(code)
		if size := Size(code); ok && size != in.Len || !ok && size != 1 {
			t.Errorf("size %d of %+v", size, in)
		}
		aimed := bytes.Clone(code)
		done := Retarget(aimed, pc, target)
		if !done && !bytes.Equal(aimed, code) {
			t.Errorf("% x was changed to % x", code, aimed)
		}
		if !ok {
			if done {
				t.Errorf("% x, which is no instruction, refers to %#x", code, target)
			}
			return
		}
		if in.Len < 1 || in.Len > min(MaxSize, len(code)) {
			t.Fatalf("%d bytes of % x", in.Len, code)
		}
		if alone, ok := Decode(code[:in.Len]); !ok || alone != in {
			t.Errorf("%+v, with what follows it %+v", alone, in)
		}
		if !done {
			return
		}
		out, ok := Decode(aimed)
		if !ok || out.Op != in.Op || out.Len != in.Len || out.Kind != in.Kind {
			t.Fatalf("%+v became %+v", in, out)
		}
		if got, ok := out.Target(pc); ok && got != target {
			t.Errorf("%s refers to %#x, not to %#x", Text(aimed, pc, nil), got, target)
		}
		copy(aimed[in.PCRelOff:], code[in.PCRelOff:in.PCRelOff+in.PCRel])
		if !bytes.Equal(aimed, code) {
			t.Errorf("% x became % x beside the displacement", code, aimed)
		}
	})
}
