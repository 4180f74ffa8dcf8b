package elfscan

import "testing"

func TestInParentheses(t *testing.T) {
	for s, want := range map[string][2]string{
		"(a@b) (gcc (Debian 14) 14, ld) #1": {"a@b", " (gcc (Debian 14) 14, ld) #1"},
		" (gcc (Debian 14) 14, ld) #1":      {"gcc (Debian 14) 14, ld", " #1"},
		"none":                              {},
		"(open (":                           {},
		"":                                  {},
	} {
		if inside, rest := inParentheses(s); inside != want[0] || rest != want[1] {
			t.Errorf("%q: %q, %q", s, inside, rest)
		}
	}
}
