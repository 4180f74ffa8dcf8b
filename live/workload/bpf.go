//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"strings"
	"syscall"
	"unsafe"
)

// Commands, types of programs and of attachments of bpf(2) (include/uapi/linux/bpf.h).
const (
	mapCreate         = 0
	mapLookupElem     = 1
	progLoad          = 5
	infoByFD          = 15
	btfFDByID         = 19
	btfNextID         = 23
	rawTracepointOpen = 17
	progTestRun       = 10
	btfLoad           = 18
	linkCreate        = 28
	socketFilter      = 1
	mapArray          = 2
	progTracing       = 26
	progLSM           = 29
	traceFentry       = 24
	traceFexit        = 25
	modifyReturn      = 26
	lsmHook           = 27
)

// An insn is an instruction of BPF.
type insn struct {
	op, regs uint8
	off      int16
	imm      int32
}

// nothing is the program that returns 0.
var nothing = []insn{{0xb7, 0, 0, 0}, {0x95, 0, 0, 0}} // r0 = 0; exit

// moduleBTF is a descriptor of the types of a module that is loaded, or -1 if the kernel
// has no types of that module.
func moduleBTF(module string) int {
	for id := uint32(0); ; {
		attr := make([]byte, 16)
		le := binary.LittleEndian
		le.PutUint32(attr, id)
		if _, err := bpf(btfNextID, attr); err != nil {
			return -1
		}
		id = le.Uint32(attr[4:])
		attr = make([]byte, 16)
		le.PutUint32(attr, id)
		fd, err := bpf(btfFDByID, attr)
		if err != nil {
			continue
		}
		name := make([]byte, 64)
		info := make([]byte, 32) // struct bpf_btf_info
		le.PutUint64(info[16:], uint64(uintptr(unsafe.Pointer(&name[0]))))
		le.PutUint32(info[24:], uint32(len(name)))
		attr = make([]byte, 16)
		le.PutUint32(attr, uint32(fd))
		le.PutUint32(attr[4:], uint32(len(info)))
		le.PutUint64(attr[8:], uint64(uintptr(unsafe.Pointer(&info[0]))))
		_, err = bpf(infoByFD, attr)
		if end := bytes.IndexByte(name, 0); err == nil && string(name[:end]) == module {
			return fd
		}
		syscall.Close(fd)
	}
}

// loadTracing loads a program that is to be attached to the kernel's function with that
// number in BTF. btf is the descriptor of the types of a module, or 0 for the kernel's.
// attach is traceFentry, traceFexit, modifyReturn or lsmHook. log is what the verifier
// says of a program that it refuses.
func loadTracing(prog []insn, attach, id uint32, btf int) (fd int, log string, err error) {
	kind := uint32(progTracing)
	if attach == lsmHook {
		kind = progLSM
	}
	return loadProgram(kind, prog, func(attr []byte) {
		binary.LittleEndian.PutUint32(attr[68:], attach)
		binary.LittleEndian.PutUint32(attr[108:], id)
		binary.LittleEndian.PutUint32(attr[112:], uint32(btf))
	})
}

// loadProgram loads a program. set sets the attributes that only some have.
func loadProgram(kind uint32, prog []insn, set func(attr []byte)) (fd int, log string, err error) {
	license := []byte("GPL\x00")
	said := make([]byte, 4096)
	attr := make([]byte, 120)
	le := binary.LittleEndian
	le.PutUint32(attr[0:], kind)
	le.PutUint32(attr[4:], uint32(len(prog)))
	le.PutUint64(attr[8:], uint64(uintptr(unsafe.Pointer(&prog[0]))))
	le.PutUint64(attr[16:], uint64(uintptr(unsafe.Pointer(&license[0]))))
	le.PutUint32(attr[24:], 1) // log_level
	le.PutUint32(attr[28:], uint32(len(said)))
	le.PutUint64(attr[32:], uint64(uintptr(unsafe.Pointer(&said[0]))))
	copy(attr[48:], "probe")
	set(attr)
	fd, err = bpf(progLoad, attr)
	text, _, _ := bytes.Cut(said, []byte{0})
	return fd, string(text), err
}

// attachTracing attaches a program that loadTracing has loaded. Closing link detaches
// it.
func attachTracing(prog int) (link int, err error) {
	attr := make([]byte, 16)
	binary.LittleEndian.PutUint32(attr[8:], uint32(prog))
	return bpf(rawTracepointOpen, attr)
}

func bpf(command uintptr, attr []byte) (fd int, err error) {
	r, _, errno := syscall.Syscall(sysBPF, command, uintptr(unsafe.Pointer(&attr[0])), uintptr(len(attr)))
	if errno != 0 {
		return -1, errno
	}
	return int(r), nil
}

// linkTracing attaches a program that loadTracing has loaded, with a cookie. Closing link
// detaches it.
func linkTracing(prog int, attach uint32, cookie uint64) (link int, err error) {
	attr := make([]byte, 48)
	binary.LittleEndian.PutUint32(attr[0:], uint32(prog))
	binary.LittleEndian.PutUint32(attr[8:], attach)
	binary.LittleEndian.PutUint64(attr[24:], cookie)
	return bpf(linkCreate, attr)
}

// newArray makes a map of one value.
func newArray(size int) (fd int, err error) {
	attr := make([]byte, 32)
	binary.LittleEndian.PutUint32(attr[0:], mapArray)
	binary.LittleEndian.PutUint32(attr[4:], 4)
	binary.LittleEndian.PutUint32(attr[8:], uint32(size))
	binary.LittleEndian.PutUint32(attr[12:], 1)
	return bpf(mapCreate, attr)
}

// lookUp reads the value of such a map.
func lookUp(fd int, value []byte) error {
	attr, key := make([]byte, 32), make([]byte, 4)
	binary.LittleEndian.PutUint32(attr[0:], uint32(fd))
	binary.LittleEndian.PutUint64(attr[8:], uint64(uintptr(unsafe.Pointer(&key[0]))))
	binary.LittleEndian.PutUint64(attr[16:], uint64(uintptr(unsafe.Pointer(&value[0]))))
	_, err := bpf(mapLookupElem, attr)
	return err
}

// A target is a BPF program that others are attached to.
type target struct{ prog, btf int }

// targetID is the number of a target's function in its BTF, targetRet what it returns.
const (
	targetID  = 5
	targetRet = 42
)

// newTarget loads a program of which BTF says that it is int target(struct __sk_buff *ctx).
func newTarget() (t target, err error) {
	names := "\x00int\x00__sk_buff\x00ctx\x00target\x00"
	at := func(name string) uint32 { return uint32(strings.Index(names, "\x00"+name+"\x00") + 1) }
	const kindInt, kindPtr, kindStruct, kindFunc, kindProto, signed = 1 << 24, 2 << 24, 4 << 24, 12 << 24, 13 << 24, 1 << 24
	types := []uint32{
		at("int"), kindInt, 4, signed | 32, // 1
		at("__sk_buff"), kindStruct, 0, // 2
		0, kindPtr, 2, // 3: a pointer to it
		0, kindProto | 1, 1, at("ctx"), 3, // 4
		at("target"), kindFunc, 4, // 5
	}
	le := binary.LittleEndian
	blob := le.AppendUint16(nil, 0xeb9f)
	blob = append(blob, 1, 0)
	for _, v := range []int{24, 0, 4 * len(types), 4 * len(types), len(names)} {
		blob = le.AppendUint32(blob, uint32(v))
	}
	for _, v := range types {
		blob = le.AppendUint32(blob, v)
	}
	blob = append(blob, names...)
	attr := make([]byte, 32)
	le.PutUint64(attr[0:], uint64(uintptr(unsafe.Pointer(&blob[0]))))
	le.PutUint32(attr[16:], uint32(len(blob)))
	if t.btf, err = bpf(btfLoad, attr); err != nil {
		return t, err
	}
	info := make([]byte, 8)
	le.PutUint32(info[4:], targetID)
	t.prog, _, err = loadProgram(socketFilter, []insn{{0xb7, 0, 0, targetRet}, {0x95, 0, 0, 0}}, func(attr []byte) {
		le.PutUint32(attr[72:], uint32(t.btf))
		le.PutUint32(attr[76:], uint32(len(info)))
		le.PutUint64(attr[80:], uint64(uintptr(unsafe.Pointer(&info[0]))))
		le.PutUint32(attr[88:], 1)
	})
	return t, err
}

func (t target) close() {
	syscall.Close(t.prog)
	syscall.Close(t.btf)
}

// loadTracing loads a program that is to be attached to the target.
func (t target) loadTracing(prog []insn, attach uint32) (fd int, log string, err error) {
	return loadProgram(progTracing, prog, func(attr []byte) {
		binary.LittleEndian.PutUint32(attr[68:], attach)
		binary.LittleEndian.PutUint32(attr[108:], targetID)
		binary.LittleEndian.PutUint32(attr[112:], uint32(t.prog))
	})
}

// run runs the target.
func (t target) run() int64 {
	var packet [64]byte
	attr := make([]byte, 64)
	binary.LittleEndian.PutUint32(attr[0:], uint32(t.prog))
	binary.LittleEndian.PutUint32(attr[8:], uint32(len(packet)))
	binary.LittleEndian.PutUint64(attr[16:], uint64(uintptr(unsafe.Pointer(&packet[0]))))
	if _, err := bpf(progTestRun, attr); err != nil {
		wrong("BPF_PROG_TEST_RUN: %v", err)
	}
	return int64(binary.LittleEndian.Uint32(attr[4:]))
}
