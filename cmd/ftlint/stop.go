package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// errInterrupted is the cause of a run that a signal ends.
var errInterrupted = errors.New("interrupted")

// stopping returns a context that SIGINT, SIGTERM or the timeout (0: none) ends. A
// second signal ends the program.
func stopping(timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			cancel(errInterrupted)
		case <-ctx.Done():
		}
		signal.Stop(signals)
	}()
	if timeout <= 0 {
		return ctx, func() { cancel(nil) }
	}
	limited, free := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("stopped by --timeout %v", timeout))
	return limited, func() { free(); cancel(nil) }
}

// untilInterrupt stops writing at an interrupt, but not at a timeout: then the
// report says which inputs were not judged.
type untilInterrupt struct {
	io.Writer
	ctx context.Context
}

func (w untilInterrupt) Write(b []byte) (int, error) {
	if err := interrupted(w.ctx); err != nil {
		return 0, err
	}
	return w.Writer.Write(b)
}

// interrupted returns errInterrupted if a signal ended ctx.
func interrupted(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), errInterrupted) {
		return errInterrupted
	}
	return nil
}
