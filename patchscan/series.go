package patchscan

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// numbering is the part of a subject that says where a patch is in its series:
// [PATCH v2 03/12].
var numbering = regexp.MustCompile(`^(?i:re: *)*\[([^\]]*?)\b0*(\d{1,4})/0*(\d{1,4})\]`)

// SeriesOf is the place of a patch in its series, by its subject: the text before
// the number ("PATCH v2 "), the number, and the number of patches. ok is false if
// the subject has no number.
func SeriesOf(subject string) (kind string, number, of int, ok bool) {
	m := numbering.FindStringSubmatch(subject)
	if m == nil {
		return "", 0, 0, false
	}
	number, _ = strconv.Atoi(m[2])
	of, _ = strconv.Atoi(m[3])
	return strings.TrimSpace(m[1]), number, of, true
}

// Follows reports whether the input is a later patch of the series that another input
// has a patch of: each has one patch, and both are files of one folder.
func (in *Input) Follows(before *Input) bool {
	if len(in.Patches) != 1 || len(before.Patches) != 1 || filepath.Dir(in.Path) != filepath.Dir(before.Path) {
		return false
	}
	kind, n, of, ok := SeriesOf(before.Patches[0].Subject)
	kind2, n2, of2, ok2 := SeriesOf(in.Patches[0].Subject)
	return ok && ok2 && kind == kind2 && of == of2 && n < n2
}

// Series groups the patches of the input into those that are judged together: the
// numbered mails of one series, and the commits that git wrote in one go. Any other
// mail is alone.
func (in *Input) Series() [][]*Patch {
	var out [][]*Patch
	type key struct {
		kind string
		of   int
		root string // the mail that the thread begins with
	}
	last := map[key]int{}    // index into out of the newest series of that key
	highest := map[int]int{} // by index into out, the highest number of the series
	stream := -1             // index into out of the commits that are being read
	for _, p := range in.Patches {
		kind, number, of, numbered := SeriesOf(p.Subject)
		switch {
		case numbered:
			stream = -1
			k := key{kind, of, p.thread}
			if i, ok := last[k]; ok && (number > highest[i] || p.thread != "") {
				out[i] = append(out[i], p)
				highest[i] = max(number, highest[i])
				continue
			}
			last[k], highest[len(out)] = len(out), number
		case p.fromGit && stream >= 0:
			out[stream] = append(out[stream], p)
			continue
		case p.fromGit:
			stream = len(out)
		default:
			stream = -1
		}
		out = append(out, []*Patch{p})
	}
	return out
}
