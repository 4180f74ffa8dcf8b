//go:build unix

// Measure runs commands in turn, several times, and prints a table of their
// wall time, processor time and peak memory, with ratios to the first one.
//
//	measure [-markdown] NAME RUNS COMMAND [[--] NAME RUNS COMMAND]...
//
// Ratios are to the first command, or to the first after the nearest "--".
// With -markdown the table is one of markdown, with each ratio behind its figure.
//
// COMMAND is split at spaces and runs without a shell; what it prints is
// thrown away. Runs are interleaved, so that whatever else the machine does
// falls on all; times are medians, memory is the largest.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type measured struct {
	name      string
	against   *measured // what its ratios are to
	args      []string
	runs      int
	wall, cpu []time.Duration
	peak      int64 // bytes
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "measure: %v\n", err)
		os.Exit(2)
	}
}

func run(args []string) error {
	markdown := len(args) > 0 && args[0] == "-markdown"
	if markdown {
		args = args[1:]
	}
	var list []*measured
	var first *measured
	most := 0
	for len(args) > 0 {
		if args[0] == "--" {
			first, args = nil, args[1:]
		}
		if len(args) < 3 {
			return errors.New("want NAME RUNS COMMAND, once or more")
		}
		runs, err := strconv.Atoi(args[1])
		if err != nil || runs < 1 {
			return fmt.Errorf("%s: %q runs", args[0], args[1])
		}
		most = max(most, runs)
		m := &measured{name: args[0], runs: runs, args: strings.Fields(args[2])}
		if first == nil {
			first = m
		}
		m.against = first
		list, args = append(list, m), args[3:]
	}
	for i := range most {
		for _, m := range list {
			if i < m.runs {
				if err := m.run(); err != nil {
					return err
				}
			}
		}
	}
	if markdown {
		fmt.Print("| | time | processor time | memory |\n| --- | --- | --- | --- |\n")
	} else {
		fmt.Printf("%-34s %5s %10s %6s %10s %6s %10s %6s\n", "", "runs", "wall", "ratio", "processor", "ratio", "memory", "ratio")
	}
	for _, m := range list {
		wall, cpu, mib := median(m.wall).Seconds(), median(m.cpu).Seconds(), float64(m.peak)/(1<<20)
		ofWall, ofCPU := wall/median(m.against.wall).Seconds(), cpu/median(m.against.cpu).Seconds()
		ofMemory := float64(m.peak) / float64(m.against.peak)
		if markdown {
			fmt.Printf("| %s | %.2f s (%s) | %.2f s (%s) | %.0f MiB (%s) |\n", m.name, wall, ratio(ofWall), cpu, ratio(ofCPU), mib, ratio(ofMemory))
		} else {
			fmt.Printf("%-34s %5d %8.3f s %6.2f %8.3f s %6.2f %6.1f MiB %6.2f\n", m.name, m.runs, wall, ofWall, cpu, ofCPU, mib, ofMemory)
		}
	}
	return nil
}

func (m *measured) run() error {
	cmd := exec.Command(m.args[0], m.args[1:]...)
	began := time.Now()
	err := cmd.Run()
	wall := time.Since(began)
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) { // ftlint has findings
		return fmt.Errorf("%s: %w", strings.Join(m.args, " "), err)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("this system does not tell what a process used")
	}
	rss := int64(usage.Maxrss) // kilobytes, but for macOS
	if runtime.GOOS != "darwin" {
		rss <<= 10
	}
	m.wall = append(m.wall, wall)
	m.cpu = append(m.cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	m.peak = max(m.peak, rss)
	return nil
}

// ratio prints a small ratio with one more digit.
func ratio(r float64) string {
	if r < 0.1 {
		return fmt.Sprintf("%.3f", r)
	}
	return fmt.Sprintf("%.2f", r)
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}
