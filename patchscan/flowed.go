package patchscan

import (
	"encoding/binary"
	"regexp"
	"strings"
	"unicode/utf16"
)

// unflow joins the lines that a mail program wrapped (RFC 3676): a line that ends in
// a blank goes on in the next. delSp has that blank dropped. Mail programs wrap the
// lines of patches too, and leave the blank of an empty context line at its end. So
// a line does not go on if what follows looks like a line of a patch. The rows and
// the pieces that it returns are as those of an Input that begins with the lines, at
// line 0.
func unflow(lines []string, delSp bool) (rows []row, pieces map[int32][]piece) {
	stuffed := true // a line that begins with a blank has one more in front
	for _, l := range lines {
		if len(l) > 1 && l[0] == ' ' && l[1] != ' ' && l[1] != '>' && !strings.HasPrefix(l, " From ") {
			stuffed = false
		}
	}
	pieces = map[int32][]piece{}
	var texts []string // what the last row is joined of
	size := int32(0)   // of them, in bytes
	depth := 0         // of the row's quoting
	open := false      // the row goes on
	flush := func() {
		if len(texts) > 1 {
			rows[len(rows)-1].text = strings.Join(texts, "")
		}
	}
	for i, l := range lines {
		s := row{text: l, at: int32(i)}
		quote := quotePrefix(l)
		if stuffed && quote == "" {
			s.text, s.stuffed = strings.CutPrefix(l, " ")
		}
		rest := s.text[len(quote):]
		if open && depth == strings.Count(quote, ">") && !likePatch(rest) {
			last := int32(len(rows) - 1)
			if len(texts) == 1 {
				pieces[last] = []piece{rows[last].piece()}
			}
			if n := len(texts) - 1; delSp {
				texts[n] = strings.TrimSuffix(texts[n], " ")
				size--
			}
			pieces[last] = append(pieces[last], piece{col: size, skip: int32(len(l) - len(rest)), at: s.at, text: l})
			texts = append(texts, rest)
			size += int32(len(rest))
		} else {
			flush()
			rows = append(rows, s)
			texts, size, depth = append(texts[:0], s.text), int32(len(s.text)), strings.Count(quote, ">")
		}
		open = strings.HasSuffix(l, " ") && strings.TrimSpace(rest) != "" && !isSignature(rest)
	}
	flush()
	return rows, pieces
}

// likePatch reports whether a line looks like one of a patch, or of its mail, that
// never goes on from the line before.
func likePatch(t string) bool {
	if t == "" || strings.IndexByte("+- @", t[0]) >= 0 || isMarker(t) {
		return true
	}
	for _, p := range []string{"diff --git ", "index ", "old mode ", "new mode ", "new file ", "deleted file ", "rename ", "similarity "} {
		if strings.HasPrefix(t, p) {
			return true
		}
	}
	return false
}

// fromUTF16 decodes a text in UTF-16, which Windows' shells write. It is known by
// its byte order mark, or by the zero byte beside each letter.
func fromUTF16(text string) (decoded string, ok bool) {
	var order binary.ByteOrder
	switch {
	case len(text) < 4:
		return text, false
	case strings.HasPrefix(text, "\xff\xfe"), text[0] != 0 && text[1] == 0 && text[2] != 0 && text[3] == 0:
		order = binary.LittleEndian
	case strings.HasPrefix(text, "\xfe\xff"), text[0] == 0 && text[1] != 0 && text[2] == 0 && text[3] != 0:
		order = binary.BigEndian
	default:
		return text, false
	}
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = order.Uint16([]byte(text[2*i : 2*i+2]))
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff"), true
}

var (
	rangeDiff     = regexp.MustCompile(`^(?i:range-diff|interdiff)(?: against [^:]*)?:?\s*$`)
	rangeDiffPair = regexp.MustCompile(`^ *\d+: +(?:[0-9a-f]{7,40}|-{7,40}) [=!<>] +(?:\d+|-): +(?:[0-9a-f]{7,40}|-{7,40})\b`)
)

// comparisons are the rows of a mail that compare its series with an older version:
// the output of git range-diff, and an interdiff. They are neither the message nor
// the patch.
func comparisons(rows []row, first int32) map[int32]bool {
	taken := map[int32]bool{}
	inside, inter := false, false
	for i := range rows {
		t := rows[i].text
		if t != "" && !inside && (t[0]|0x20 == 'r' || t[0]|0x20 == 'i' || t[0] == ' ' || isDigit(t[0])) && (rangeDiff.MatchString(t) || rangeDiffPair.MatchString(t)) {
			inside, inter = true, t[0]|0x20 == 'i'
			taken[first+int32(i)] = true
			continue
		}
		switch {
		case !inside:
			continue
		case isSignature(t):
			inside = false
			continue
		case inter: // a diff, and all up to the signature
		case t == "" || t[0] == ' ' || rangeDiffPair.MatchString(t):
		default:
			inside = false
			continue
		}
		taken[first+int32(i)] = true
	}
	return taken
}
