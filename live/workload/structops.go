//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

// A structure is one that the kernel's BTF describes.
type structure struct {
	id, size uint32
	members  map[string]member
}

type member struct {
	index, offset uint32 // in bytes
}

// readStructures reads the structures with the names out of the kernel's BTF
// (Documentation/bpf/btf.rst).
func readStructures(names ...string) (map[string]structure, error) {
	b, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	head := le.Uint32(b[4:])
	types := b[head+le.Uint32(b[8:]):][:le.Uint32(b[12:])]
	strs := b[head+le.Uint32(b[16:]):]
	str := func(off uint32) string {
		s, _, _ := strings.Cut(string(strs[off:min(int(off)+128, len(strs))]), "\x00")
		return s
	}
	// Bytes behind the three words of a type, by kind: of the type, and for each of its
	// members.
	behind := [...][2]int{1: {4, 0}, 3: {12, 0}, 4: {0, 12}, 5: {0, 12}, 6: {0, 8}, 13: {0, 8}, 14: {4, 0}, 15: {0, 12}, 17: {4, 0}, 19: {0, 12}}
	const kindStruct = 4
	out := map[string]structure{}
	for id := uint32(1); len(types) > 0; id++ {
		info, size := le.Uint32(types[4:]), le.Uint32(types[8:])
		n, kind := int(info&0xffff), info>>24&0x1f
		rest := 0
		if int(kind) < len(behind) {
			rest = behind[kind][0] + n*behind[kind][1]
		}
		if kind == kindStruct {
			for _, name := range names {
				if str(le.Uint32(types)) != name {
					continue
				}
				s := structure{id, size, map[string]member{}}
				for i := range n {
					m := types[12+12*i:]
					s.members[str(le.Uint32(m))] = member{uint32(i), le.Uint32(m[8:]) & 0xffffff / 8}
				}
				out[name] = s
			}
		}
		types = types[12+rest:]
	}
	for _, name := range names {
		if out[name].id == 0 {
			return nil, fmt.Errorf("BTF has no struct %s", name)
		}
	}
	return out, nil
}

// tcpName is the name of the congestion control that is registered.
const tcpName = "ftlint_live"

// useStructOps registers a congestion control of TCP whose functions are BPF programs, a
// struct_ops, and sends data by it. The kernel comes to the programs through a BPF
// trampoline each.
func useStructOps() error {
	const outer, inner = "bpf_struct_ops_tcp_congestion_ops", "tcp_congestion_ops"
	types, err := readStructures(outer, inner)
	if err != nil {
		return err
	}
	ops := types[inner]
	data := types[outer].members["data"].offset
	value := make([]byte, types[outer].size)
	copy(value[data+ops.members["name"].offset:], tcpName)
	progs := map[string]int{}
	for name, ret := range map[string]int32{"ssthresh": 2, "undo_cwnd": 10, "cong_avoid": 0} {
		const typeStructOps = 27
		fd, log, err := loadProgram(typeStructOps, []insn{{0xb7, 0, 0, ret}, {0x95, 0, 0, 0}}, func(attr []byte) {
			binary.LittleEndian.PutUint32(attr[68:], ops.members[name].index)
			binary.LittleEndian.PutUint32(attr[108:], ops.id)
		})
		if err != nil {
			return fmt.Errorf("load of %s: %w: %s", name, err, log)
		}
		defer syscall.Close(fd)
		progs[name] = fd
		binary.LittleEndian.PutUint64(value[data+ops.members[name].offset:], uint64(fd))
	}
	m, err := registerStructOps(types[outer], value)
	if err != nil {
		return err
	}
	defer syscall.Close(m)
	if list, _ := readFile("/proc/sys/net/ipv4/tcp_available_congestion_control", 256); !strings.Contains(list, tcpName) {
		return fmt.Errorf("the congestion controls are %q", list)
	}
	if err := os.WriteFile("/proc/sys/kernel/bpf_stats_enabled", []byte("1"), 0); err != nil {
		return err
	}
	if err := sendByTCP(); err != nil {
		return err
	}
	if n, err := runsOf(progs["cong_avoid"]); err != nil || n == 0 {
		return fmt.Errorf("cong_avoid has run %d times, %v", n, err)
	}
	return nil
}

// registerStructOps makes the map whose value is the struct_ops. Setting the value
// registers it, and deleting it would be its end.
func registerStructOps(of structure, value []byte) (fd int, err error) {
	const mapStructOps, mapUpdateElem = 26, 2
	t, err := newTarget() // a map of the kernel's types needs a descriptor of some
	if err != nil {
		return -1, err
	}
	defer t.close()
	le := binary.LittleEndian
	attr := make([]byte, 72)
	le.PutUint32(attr[0:], mapStructOps)
	le.PutUint32(attr[4:], 4)
	le.PutUint32(attr[8:], of.size)
	le.PutUint32(attr[12:], 1)
	le.PutUint32(attr[48:], uint32(t.btf))
	le.PutUint32(attr[60:], of.id)
	fd, err = bpf(mapCreate, attr)
	if err != nil {
		return -1, fmt.Errorf("creation of the map: %w", err)
	}
	key := make([]byte, 4)
	attr = make([]byte, 32)
	le.PutUint32(attr[0:], uint32(fd))
	le.PutUint64(attr[8:], uint64(uintptr(unsafe.Pointer(&key[0]))))
	le.PutUint64(attr[16:], uint64(uintptr(unsafe.Pointer(&value[0]))))
	if _, err := bpf(mapUpdateElem, attr); err != nil {
		syscall.Close(fd)
		return -1, fmt.Errorf("registration: %w", err)
	}
	return fd, nil
}

// runsOf is how often a program has run.
func runsOf(prog int) (uint64, error) {
	info := make([]byte, 208) // struct bpf_prog_info, to run_cnt
	attr := make([]byte, 16)
	le := binary.LittleEndian
	le.PutUint32(attr, uint32(prog))
	le.PutUint32(attr[4:], uint32(len(info)))
	le.PutUint64(attr[8:], uint64(uintptr(unsafe.Pointer(&info[0]))))
	_, err := bpf(infoByFD, attr)
	return le.Uint64(info[200:]), err
}

// sendByTCP sends data over the loopback interface by the congestion control.
func sendByTCP() error {
	const tcpCongestion, siocsifflags, up = 13, 0x8914, 1
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(s)
	var ifreq [40]byte
	copy(ifreq[:], "lo")
	ifreq[16] = up
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(s), siocsifflags, uintptr(unsafe.Pointer(&ifreq[0]))); errno != 0 {
		return fmt.Errorf("lo: %w", errno)
	}
	at := &syscall.SockaddrInet4{Port: 7070, Addr: [4]byte{127, 0, 0, 1}}
	if err := syscall.Bind(s, at); err != nil {
		return err
	}
	if err := syscall.Listen(s, 1); err != nil {
		return err
	}
	c, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(c)
	if err := syscall.SetsockoptString(c, syscall.IPPROTO_TCP, tcpCongestion, tcpName); err != nil {
		return fmt.Errorf("TCP_CONGESTION: %w", err)
	}
	if err := syscall.Connect(c, at); err != nil {
		return err
	}
	in, _, err := syscall.Accept(s)
	if err != nil {
		return err
	}
	defer syscall.Close(in)
	sent, got := make([]byte, 4096), make([]byte, 4096)
	for i := range 64 {
		for k := range sent {
			sent[k] = byte(i + k)
		}
		if _, err := syscall.Write(c, sent); err != nil {
			return err
		}
		for n := 0; n < len(got); {
			more, err := syscall.Read(in, got[n:])
			if err != nil || more == 0 {
				return fmt.Errorf("read: %d, %w", more, err)
			}
			n += more
		}
		if string(got) != string(sent) {
			return fmt.Errorf("other data arrives than was sent")
		}
	}
	return nil
}
