package report_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var screenshot = flag.String("screenshot", "", "write a picture of the page about the RFC's builder to this file")

// onDisk writes a page to a file, and gives its URL.
func onDisk(t *testing.T, html string) (url string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(html), 0o644); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

// visible tells in JavaScript whether there is something to see of an element.
const visible = `const visible = e => e !== null && e.checkVisibility({contentVisibilityAuto: false}) && e.getBoundingClientRect().height > 0;`

// TestBrowser looks at pages with a browser: with and without JavaScript.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	b := startBrowser(t)
	rfc := htmlOf(t, builders, filepath.Join(builders, "rfc-builder.elf"))
	url := onDisk(t, rfc)
	// A page may take its time to follow a link, on a busy machine.
	check := func(what, js string) {
		t.Helper()
		for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			var ok bool
			if b.script("(()=>{"+visible+"return "+js+"})()", &ok); ok {
				return
			}
			if time.Since(began) > 3*time.Second {
				t.Errorf("%s: not so: %s", what, js)
				return
			}
		}
	}
	quiet := func(what, url string) {
		t.Helper()
		for _, c := range b.complaints(url) {
			t.Errorf("%s: the browser complains: %s", what, c)
		}
	}

	t.Run("all pages", func(t *testing.T) {
		for name, html := range pages(t) {
			at := onDisk(t, html)
			b.look(1400, 900, false)
			b.open(at)
			for _, width := range []int{1400, 375} {
				b.look(width, 900, false)
				var over int
				if b.script("document.documentElement.scrollWidth - innerWidth", &over); over > 0 {
					t.Errorf("%s: the page is %d pixels wider than a window of %d", name, over, width)
				}
			}
			var pwned any
			if b.script("window.pwned ?? null", &pwned); pwned != nil {
				t.Errorf("%s: a name has run as a script: %v", name, pwned)
			}
			quiet(name, at)
		}
	})

	t.Run("many findings of a rule", func(t *testing.T) {
		const most = 4000 // pixels
		at := onDisk(t, page(t, many(300)))
		for _, width := range []int{1280, 400} {
			b.look(width, 900, false)
			b.open(at)
			check("the page is short", fmt.Sprintf(`document.documentElement.scrollHeight < %d`, most))
		}
		b.open(at + "#" + fragmentOf(t, page(t, many(300)), 299))
		check("a link to a finding that is folded shows it", `(l => visible(l) && l.textContent.includes("some_function_29"))(document.querySelector(":target"))`)
		b.click("details:has(> .spots) > summary")
	})

	t.Run("what scrolls fades at the edge", func(t *testing.T) {
		b.look(400, 900, false)
		b.open(url)
		check("the table of kernels goes on", `(s => s.scrollWidth > s.clientWidth && getComputedStyle(s).maskImage.includes("linear-gradient") && getComputedStyle(s).getPropertyValue("--right") == "48px")(document.querySelector(".scroll:has(.kernels)"))`)
		b.script(`document.querySelector(".scroll:has(.kernels)").scrollLeft = 10000`, nil)
		check("its end is its end", `getComputedStyle(document.querySelector(".scroll:has(.kernels)")).getPropertyValue("--right") == "0px"`)
		b.look(1280, 900, false)
		check("what fits does not fade", `(s => s.scrollWidth <= s.clientWidth && getComputedStyle(s).getPropertyValue("--right") == "0px")(document.querySelector(".scroll:has(.kernels)"))`)
	})

	for _, js := range []bool{true, false} {
		name := map[bool]string{true: "with JavaScript", false: "without JavaScript"}[js]
		t.Run(name, func(t *testing.T) {
			b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": !js}, nil)
			defer b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": false}, nil)
			b.look(1200, 800, false)
			b.open(url)
			check("there are findings", `document.querySelectorAll(".f").length == 11 && [...document.querySelectorAll(".f")].every(visible)`)
			// Filters: a rule, then a severity.
			b.click(".filter summary")
			check("the enhancements are there if they can work", map[bool]string{true: "", false: "!"}[js]+`visible(document.getElementById("words"))`)
			b.click(`label:has(#show-FT104)`)
			check("FT104 is not shown", `[...document.querySelectorAll(".f.r-FT104")].every(f => !visible(f)) && [...document.querySelectorAll(".f")].filter(visible).length == 10`)
			b.click(`label:has(#show-error)`)
			check("no error is shown", `[...document.querySelectorAll(".f")].filter(visible).every(f => !f.classList.contains("error")) && [...document.querySelectorAll(".f")].filter(visible).length == 6`)
			if js {
				check("it is counted", `document.getElementById("count").textContent == "6 of 13 shown"`)
			}

			// A link from a rule to a finding that is filtered away shows it.
			b.click(`#rule-FT203 summary`)
			b.click(`#rule-FT203 a[href^="#FT203-"]`)
			check("the finding is shown", `(f => visible(f) && f.getBoundingClientRect().top >= 0 && f.getBoundingClientRect().top < innerHeight)(document.querySelector(".f.r-FT203"))`)
			check("the link is that of the finding", `location.hash == "#" + document.querySelector(".f.r-FT203").id`)
			b.click(`label:has(#show-error)`)

			// From a finding to its listing line, the picture, and the rule.
			b.click(`.f.r-FT306 .at a[href^="#c1-"]`)
			check("the line is in view", `(l => visible(l) && l.matches(":target") && l.getBoundingClientRect().top < innerHeight && l.textContent.includes("set_memory_x"))(document.getElementById(location.hash.slice(1)))`)
			b.click(`.f.r-FT109 .at a[href^="#t1-"]`)
			check("the cell is in view", `(l => visible(l) && l.matches(":target.bad") && l.textContent.includes("ops literal"))(document.getElementById(location.hash.slice(1)))`)
			b.click(`.f.r-FT109 .of a[href="#rule-FT109"]`)
			check("the rule is in view", `(r => visible(r) && r.getBoundingClientRect().top < innerHeight)(document.getElementById("rule-FT109"))`)
			if !js { // the script opens it
				b.click(`#rule-FT109 summary`)
			}
			check("its page is open", `visible([...document.querySelectorAll("#rule-FT109 h5, #rule-FT109 h4")].find(h => h.textContent == "Fix"))`)
			quiet(name, url)
		})
	}

	t.Run("a link into a closed part opens it", func(t *testing.T) {
		var to string
		b.open(url)
		b.script(`document.querySelector("#t1-4 .beside tbody tr[id]").id`, &to)
		b.open(url + "#" + to)
		check("it is open", `document.getElementById("t1-4").open && visible(document.querySelector(":target"))`)
	})

	t.Run("words", func(t *testing.T) {
		b.open(url)
		b.script(`(()=>{const w = document.getElementById("words"); w.value = "module_alloc reach"; w.dispatchEvent(new Event("input"))})()`, nil)
		check("the one with the words is shown", `(l => l.length == 1 && l[0].classList.contains("r-FT202"))([...document.querySelectorAll(".f")].filter(visible))`)
		b.click(".filter summary")
		b.click("#all")
		check("all are shown again", `[...document.querySelectorAll(".f")].filter(visible).length == 11`)
	})

	t.Run("keyboard", func(t *testing.T) {
		b.open(url)
		key := func(k string, code int) {
			for _, typ := range []string{"keyDown", "keyUp"} {
				p := map[string]any{"type": typ, "key": k, "code": k, "windowsVirtualKeyCode": code}
				if k == " " && typ == "keyDown" {
					p["text"] = " "
				}
				b.call("Input.dispatchKeyEvent", p, nil)
			}
		}
		key("Tab", 9)
		check("the first stop leads to the findings", `document.activeElement.matches("a.skip[href='#findings']") && visible(document.activeElement) && document.activeElement.getBoundingClientRect().left >= 0`)
		to := func(selector string) {
			for range 60 {
				key("Tab", 9)
				var there bool
				if b.script("document.activeElement.matches('"+selector+"')", &there); there {
					key(" ", 32)
					return
				}
			}
		}
		to(".filter summary")
		to("#show-FT112")
		check("a box is reached and ticked off", `!document.getElementById("show-FT112").checked && !visible(document.querySelector(".f.r-FT112"))`)
	})

	t.Run("light and dark", func(t *testing.T) {
		colors := map[bool]string{}
		for _, dark := range []bool{false, true} {
			b.look(1200, 800, dark)
			b.open(url)
			var c string
			b.script("getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color", &c)
			colors[dark] = c
		}
		if colors[false] != "rgb(255, 255, 255)rgb(28, 33, 40)" || colors[true] != "rgb(15, 19, 24)rgb(227, 232, 238)" {
			t.Errorf("colours %v", colors)
		}
	})

	t.Run("print", func(t *testing.T) {
		b.look(1200, 800, true)
		b.open(url)
		b.call("Emulation.setEmulatedMedia", map[string]any{"media": "print"}, nil)
		defer b.call("Emulation.setEmulatedMedia", map[string]any{"media": ""}, nil)
		check("what is closed is printed, on white", `visible(document.querySelector("#t1-4 .moments")) && getComputedStyle(document.body).backgroundColor == "rgb(255, 255, 255)" && !visible(document.querySelector(".filter"))`)
		var pdf struct{ Data string }
		b.call("Page.printToPDF", map[string]any{"printBackground": false}, &pdf)
		if !strings.HasPrefix(pdf.Data, "JVBERi") || len(pdf.Data) < 50_000 {
			t.Errorf("%d bytes of PDF", len(pdf.Data))
		}
	})

	if *screenshot != "" {
		b.look(900, 1000, false)
		b.open(url)
		b.screenshot(*screenshot, false)
	}
}

// fragmentOf returns the fragment of a page's nth finding of FT407.
func fragmentOf(t *testing.T, html string, n int) string {
	t.Helper()
	m := regexp.MustCompile(` id="(FT407-[^"]+)"`).FindAllStringSubmatch(html, -1)
	if n >= len(m) {
		t.Fatalf("%d findings, want more than %d", len(m), n)
	}
	return m[n][1]
}

// click clicks in the middle of an element, once it has been scrolled to and
// stays there: parts that come into view get their real height, and move it.
func (b *browser) click(selector string) {
	b.t.Helper()
	type point struct{ X, Y float64 }
	var at, before point
	for still, tries := 0, 0; still < 3; tries++ {
		if tries == 100 {
			b.t.Fatalf("%s does not come to rest", selector)
		}
		before = at
		b.script(`(()=>{const e = document.querySelector(`+"`"+selector+"`"+`); if (!e) throw new Error("nothing is `+strings.ReplaceAll(selector, `"`, `'`)+`");
			e.scrollIntoView({block: "center", behavior: "instant"}); const r = e.getClientRects()[0]; return {X: r.x + r.width/2, Y: r.y + r.height/2}})()`, &at)
		still++
		if at != before {
			still = 0
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, typ := range []string{"mousePressed", "mouseReleased"} {
		b.call("Input.dispatchMouseEvent", map[string]any{"type": typ, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}, nil)
	}
	time.Sleep(50 * time.Millisecond) // for the page to follow the link
}
