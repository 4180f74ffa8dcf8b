// Package plural writes numbers of things: "1 callsite", "44,011 callsites".
package plural

import (
	"strconv"
	"strings"
)

// Integer is a type of numbers that count things.
type Integer interface {
	~int | ~int32 | ~int64 | ~uint | ~uint8 | ~uint32 | ~uint64
}

// Of returns the number with the name of what is counted, in the plural if there
// is not just one: Of(2, "entry") is "2 entries". what is the singular.
func Of[N Integer](n N, what string) string {
	return Number(n) + " " + Noun(n, what)
}

// Noun returns the name of what is counted without the number.
func Noun[N Integer](n N, what string) string {
	if n == 1 {
		return what
	}
	switch {
	case strings.HasSuffix(what, "y") && !endsIn(strings.TrimSuffix(what, "y"), "a", "e", "o"):
		return strings.TrimSuffix(what, "y") + "ies"
	case endsIn(what, "ch", "sh", "s", "x"):
		return what + "es"
	}
	return what + "s"
}

func endsIn(s string, ends ...string) bool {
	for _, end := range ends {
		if strings.HasSuffix(s, end) {
			return true
		}
	}
	return false
}

// Number returns n with a comma between thousands.
func Number[N Integer](n N) string {
	sign, digits := "", ""
	if n < 0 {
		sign, digits = "-", strings.TrimPrefix(strconv.FormatInt(int64(n), 10), "-")
	} else {
		digits = strconv.FormatUint(uint64(n), 10)
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
