package report_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftlint/ftlint/internal/child"
)

// A browser is a Chromium without a window, spoken to in the DevTools protocol
// over a pair of pipes (--remote-debugging-pipe): messages of JSON that end in
// a zero byte.
type browser struct {
	t       *testing.T
	to      *os.File
	session string // of its page

	mu      sync.Mutex
	last    int
	waiting map[int]chan message
	events  []message
	gone    chan struct{}
}

type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// startBrowser starts one with an empty page. Without Chromium the test is
// skipped; in CI it fails.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("no chromium: install Debian's chromium")
		}
		t.Skip("SKIPPED: no chromium: install Debian's chromium")
	}
	theirIn, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + t.TempDir(), "--disable-gpu", "--disable-dev-shm-usage",
		"--hide-scrollbars", "--disable-background-networking", "--disable-component-update", "--no-first-run", "--force-color-profile=srgb", "about:blank"}
	if os.Getuid() == 0 {
		args = append([]string{"--no-sandbox"}, args...) // it refuses root otherwise
	}
	cmd := child.Command(t, path, args...)
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	b := &browser{t: t, to: to, waiting: map[int]chan message{}, gone: make(chan struct{})}
	cmd.Cancel = func() error { // at the test's end; killed, it would leave processes of its own
		go func() { _, _ = b.send("", "Browser.close", nil) }()
		return nil
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	go b.read(from)
	t.Cleanup(func() {
		_ = cmd.Wait()
		to.Close()
		from.Close()
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network", "Audits"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

func (b *browser) read(from *os.File) {
	defer close(b.gone)
	r := bufio.NewReader(from)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(line[:len(line)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		if m.ID != 0 {
			if c := b.waiting[m.ID]; c != nil {
				c <- m
			}
		} else {
			b.events = append(b.events, m)
		}
		b.mu.Unlock()
	}
}

func (b *browser) send(session, method string, params any) (json.RawMessage, error) {
	if params == nil {
		params = map[string]any{}
	}
	p, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	c := make(chan message, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.waiting[id] = c
	b.mu.Unlock()
	m, err := json.Marshal(message{ID: id, Session: session, Method: method, Params: p})
	if err != nil {
		return nil, err
	}
	if _, err := b.to.Write(append(m, 0)); err != nil {
		return nil, err
	}
	select {
	case m := <-c:
		if m.Error != nil {
			return nil, fmt.Errorf("%s: %s", method, m.Error)
		}
		return m.Result, nil
	case <-b.gone:
		return nil, errors.New("the browser is gone")
	case <-time.After(30 * time.Second):
		return nil, fmt.Errorf("%s: no answer in 30 s", method)
	}
}

// call calls a method and decodes its result into out, if that is not nil.
func (b *browser) call(method string, params, out any) {
	b.t.Helper()
	res, err := b.send(b.session, method, params)
	if err == nil && out != nil {
		err = json.Unmarshal(res, out)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// open loads a URL and waits for it.
func (b *browser) open(url string) {
	b.t.Helper()
	b.mu.Lock()
	b.events = nil
	b.mu.Unlock()
	b.call("Page.navigate", map[string]any{"url": "about:blank"}, nil)
	b.mu.Lock()
	b.events = nil
	b.mu.Unlock()
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var state string
		if b.script("document.readyState + ' ' + location.href", &state); state == "complete "+url {
			return
		}
	}
	b.t.Fatalf("%s is not loaded after 30 s", url)
}

// script runs JavaScript in the page, even where the page may not, and
// decodes what it gives into out.
func (b *browser) script(js string, out any) {
	b.t.Helper()
	var res struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": js, "returnByValue": true, "awaitPromise": true}, &res)
	if res.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", js, res.ExceptionDetails)
	}
	if out != nil {
		if err := json.Unmarshal(res.Result.Value, out); err != nil {
			b.t.Fatalf("%s: %v: %s", js, err, res.Result.Value)
		}
	}
}

// complaints are errors and warnings that the page has caused, and requests
// other than for the page itself.
func (b *browser) complaints(url string) (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	url, _, _ = strings.Cut(url, "#")
	for _, e := range b.events {
		switch e.Method {
		case "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Audits.issueAdded":
			out = append(out, e.Method+" "+string(e.Params))
		case "Network.requestWillBeSent":
			var p struct{ Request struct{ URL string } }
			_ = json.Unmarshal(e.Params, &p)
			if got, _, _ := strings.Cut(p.Request.URL, "#"); got != url && got != "about:blank" && got != "data:," {
				out = append(out, "request "+got)
			}
		}
	}
	return out
}

// look sets how the page is looked at.
func (b *browser) look(width, height int, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// screenshot writes what is seen: all of the page if whole.
func (b *browser) screenshot(path string, whole bool) {
	b.t.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": whole}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
