package child

import "syscall"

// diesWithParent has the kernel kill the child when the thread that started it
// ends. Go ends no thread before the process, but one that a goroutine keeps
// locked.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
