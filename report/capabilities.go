package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
)

// A jsonCapability is one thing that a kernel can do, or cannot.
type jsonCapability struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Has    bool   `json:"has"`
	Why    string `json:"why"`              // what in the image says so
	Change string `json:"change,omitempty"` // what would change it
}

func capabilitiesOf(list []finding.Capability) (out []jsonCapability) {
	for _, c := range list {
		out = append(out, jsonCapability(c))
	}
	return out
}

// canLine says in one line what a kernel can do and what it cannot, by the IDs of the
// capabilities; "" if nothing is known. The reason why programs of type fentry cannot
// be attached is what people look for: the line has it.
func canLine(list []finding.Capability) string {
	var can, cannot, fentry []string
	why := ""
	if i := slices.IndexFunc(list, func(c finding.Capability) bool { return c.ID == "fentry" }); i >= 0 {
		why = list[i].Why
	}
	for _, c := range list {
		switch {
		case c.Has:
			can = append(can, c.ID)
		case c.Why == why:
			fentry = append(fentry, c.ID)
		default:
			cannot = append(cannot, c.ID)
		}
	}
	if len(can) == 0 {
		return ""
	}
	s := "can: " + strings.Join(can, ", ")
	if len(fentry) > 0 {
		cannot = append(cannot, fmt.Sprintf("%s (%s)", strings.Join(fentry, " "), why))
	}
	if len(cannot) > 0 {
		s += "; cannot: " + strings.Join(cannot, ", ")
	}
	return s
}

// capabilityLines are the capabilities as a table, with what would change each that
// the kernel does not have.
func capabilityLines(list []finding.Capability) (lines []string) {
	width := 0
	for _, c := range list {
		width = max(width, len(c.Name))
	}
	for _, c := range list {
		lines = append(lines, fmt.Sprintf("%-*s  %-3s  %s", width, c.Name, yesNo(c.Has), OneLine(c.Why)))
		if c.Change != "" {
			lines = append(lines, fmt.Sprintf("%-*s       needs %s", width, "", c.Change))
		}
	}
	return lines
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
