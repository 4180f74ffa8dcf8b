//go:build unix

package main

import (
	"os"
	"syscall"
)

// ignored are signals that writing tells by an error, too: of a pipe that is
// closed (see untilClosed), of a file that grows beyond a limit.
var ignored = []os.Signal{syscall.SIGPIPE, syscall.SIGXFSZ}
