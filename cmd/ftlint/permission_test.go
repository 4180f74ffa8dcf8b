//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ftlint/ftlint/internal/child"
)

// What may not be read is an error that says so: for a file, and for a folder
// with modules. Root may read all, so the program runs as somebody else.
func TestPermission(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "ftlint-permission")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	program := ftlint(t)
	sample, err := os.ReadFile("../../testdata/vmlinux-samples/regs-good.elf")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "vmlinux"), sample, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "modules"), 0o755); err != nil {
		t.Fatal(err)
	}
	chmod := func(name string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	chmod("", 0o755)
	lint := func(args ...string) (string, int) {
		cmd := child.Command(t, program, append([]string{"-q"}, args...)...)
		cmd.Dir = dir
		if os.Geteuid() == 0 {
			if cmd.SysProcAttr == nil {
				cmd.SysProcAttr = &syscall.SysProcAttr{}
			}
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
		}
		var b bytes.Buffer
		cmd.Stdout, cmd.Stderr = &b, &b
		_ = cmd.Run()
		return b.String(), cmd.ProcessState.ExitCode()
	}
	if out, status := lint("vmlinux"); status != 0 || out != "" {
		t.Fatalf("a file that may be read: status %d, %q", status, out)
	}
	chmod("vmlinux", 0)
	if out, status := lint("vmlinux"); status != 2 || out != "ftlint: vmlinux: permission denied\n" {
		t.Errorf("a file that may not be read: status %d, %q", status, out)
	}
	chmod("modules", 0)
	if out, status := lint("modules"); status != 2 || out != "ftlint: modules: permission denied\n" {
		t.Errorf("a folder that may not be read: status %d, %q", status, out)
	}
	if out, status := lint("-o", "json=out.json", "vmlinux"); status != 2 || out != "ftlint: vmlinux: permission denied\nftlint: -o json=out.json: permission denied\n" {
		t.Errorf("a report where none may be written: status %d, %q", status, out)
	}
}
