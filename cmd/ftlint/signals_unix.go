//go:build unix

package main

import (
	"os"
	"syscall"
)

// ignored are signals for which the write returns an error as well: a closed pipe
// (see untilClosed), and a file that grows beyond its limit.
var ignored = []os.Signal{syscall.SIGPIPE, syscall.SIGXFSZ}
