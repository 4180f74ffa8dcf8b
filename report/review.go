package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// Replies are mails that answer the patches with findings: the lines are quoted, and a
// finding stands below its line. Lines of mails have their own width; quoted lines are
// dimmed if there is colour.
func Replies(in *patchscan.Input, results []*finding.Result, color bool) (mails []string) {
	at := map[patchLine][]*finding.Finding{}
	for _, res := range results {
		for i := range res.Findings {
			f := &res.Findings[i]
			line := patchLine{f.Path, f.Line}
			for _, r := range f.Related {
				if r.Same {
					line = patchLine{r.Path, r.Line}
				}
			}
			at[line] = append(at[line], f)
		}
	}
	for _, p := range in.Patches {
		var mail strings.Builder
		r := reply{Terminal: Terminal{&mail, color, 0}, in: in, at: at}
		r.patch(p)
		if r.body.Len() > 0 {
			r.header(p)
			mails = append(mails, mail.String()+r.body.String())
		}
	}
	return mails
}

// WriteMails writes mails. Several mails are a mailbox.
func WriteMails(w io.Writer, mails []string) error {
	for _, mail := range mails {
		if len(mails) > 1 {
			mail = "From mboxrd@z Thu Jan  1 00:00:00 1970\n" + mail
		}
		if _, err := fmt.Fprintln(w, mail); err != nil {
			return err
		}
	}
	return nil
}

// A patchLine is a line of a file with patches.
type patchLine struct {
	path string
	line int
}

// A reply is a mail that answers a patch.
type reply struct {
	Terminal
	in   *patchscan.Input
	at   map[patchLine][]*finding.Finding
	body strings.Builder
}

// header writes the header of the mail, and who wrote what is quoted.
func (r *reply) header(p *patchscan.Patch) {
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(r, "%s: %s\n", name, OneLine(value))
		}
	}
	subject := p.Subject
	if subject != "" && !strings.HasPrefix(strings.ToLower(subject), "re:") {
		subject = "Re: " + subject
	}
	m := p.Mail
	field("To", m.From)
	var others []string
	for _, list := range []string{m.To, m.Cc} {
		if list != "" {
			others = append(others, list)
		}
	}
	field("Cc", strings.Join(others, ", "))
	field("Subject", subject)
	field("In-Reply-To", m.ID)
	field("References", strings.TrimSpace(m.References+" "+m.ID))
	if m.From+subject != "" {
		fmt.Fprintln(r)
	}
	switch {
	case m.Date != "" && m.From != "":
		fmt.Fprintf(r, "On %s, %s wrote:\n", OneLine(m.Date), OneLine(m.From))
	case m.From != "":
		fmt.Fprintf(r, "%s wrote:\n", OneLine(m.From))
	}
}

// linesAbove is the number of lines that are quoted above a finding.
const linesAbove = 6

// A quoted is a line of a patch that may be quoted.
type quoted struct {
	op   string // "+", "-" or " " in front of a line of a file
	text string
	at   []patchscan.InputLine // several if a mail program wrapped the line
}

// patch writes what is to be said about a patch, below the lines that it is about.
func (r *reply) patch(p *patchscan.Patch) {
	var message []quoted
	for _, rows := range [][]patchscan.TextRow{p.Message, p.Remarks} {
		for _, row := range rows {
			for _, l := range r.in.MessageLines(row) {
				message = append(message, quoted{"", l.Text, []patchscan.InputLine{l}})
			}
		}
	}
	r.lines(nil, message)
	for _, f := range p.Files {
		head := []string{"diff --git a/" + f.Path + " b/" + f.Path}
		for _, h := range f.Hunks {
			var lines []quoted
			for i := range h.Lines {
				l := &h.Lines[i]
				lines = append(lines, quoted{string(l.Op), l.Text, r.in.InputLines(l)})
			}
			if r.lines(append(slices.Clip(head), h.Header), lines) {
				head = nil
			}
		}
	}
}

// lines writes the lines that have findings, with some lines above each, and the
// findings. head is quoted before the first of them. lines reports whether there was
// a finding.
func (r *reply) lines(head []string, lines []quoted) (found bool) {
	next := 0 // the first line that is not quoted yet
	for i, l := range lines {
		var list []*finding.Finding
		for _, at := range l.at {
			for _, f := range r.at[patchLine{at.Path, at.Line}] {
				// A line of an encoded mail may hold several lines of the patch. The source
				// of a finding in a message has marks of quoting in front.
				if (f.Source == l.text || l.op == "" && l.text != "" && strings.HasSuffix(f.Source, l.text)) && !slices.Contains(list, f) {
					list = append(list, f)
				}
			}
		}
		if len(list) == 0 {
			continue
		}
		if !found {
			for _, h := range head {
				r.quote(h)
			}
		}
		found = true
		from := max(next, i-linesAbove)
		if from > next {
			fmt.Fprintln(&r.body, "> [...]")
		}
		for _, l := range lines[from : i+1] {
			r.quote(l.op + l.text)
		}
		fmt.Fprintln(&r.body)
		for _, f := range list {
			r.say(f)
		}
		next = i + 1
	}
	return found
}

func (r *reply) quote(text string) {
	fmt.Fprintln(&r.body, r.paint(dim, strings.TrimRight("> "+strings.Join(oneLines(strings.Split(text, "\t")), "\t"), " ")))
}

// say writes a finding as the words of a mail, in lines of at most 72 characters.
func (r *reply) say(f *finding.Finding) {
	text := Terminal{&r.body, false, 72}
	text.wrap("", "", fmt.Sprintf("%s. (%s %s)", OneLine(f.Headline), f.Rule.ID, f.Rule.Name))
	lines := oneLines(slices.Clone(f.Evidence))
	for _, rel := range f.Related {
		if !rel.Same {
			lines = append(lines, fmt.Sprintf("%s (%s:%d)", OneLine(rel.Message), printable(rel.Path), rel.Line))
		}
	}
	for _, l := range lines {
		text.wrap(" - ", "   ", l)
	}
	if f.Fix != "" {
		text.wrap("", "", OneLine(f.Fix)+".")
	}
	fmt.Fprintln(&r.body)
}
