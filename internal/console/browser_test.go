package console

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// browser is a real one, with a profile of its own. The test fails if it shows anything on its console: an error of
// a script, a refused load, a violation of the content security policy.
type browser struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // it is how chromedp names a tab
	mu   sync.Mutex
	said []string
}

func browserPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-headless-shell", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no chromium here: the console's pages are tested in a real browser; run `make setup`, which installs it")
	return ""
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	profile, err := os.MkdirTemp("", "reeve-browser-") //nolint:usetesting // the browser may still write there when the test has ended
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	opts := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(browserPath(t)), chromedp.UserDataDir(profile), chromedp.Flag("headless", true), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("lang", "en-GB"), chromedp.Env("TZ=Europe/Stockholm"),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	b.do(chromedp.Navigate("about:blank"))
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.said = append(b.said, fmt.Sprintf("%s: %s", m.Type, m.Text))
			b.mu.Unlock()
		}
	}()
	return b
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func navigate(address string) chromedp.Action[chromedp.Void] { return chromedp.Navigate(address) }

// eval evaluates an expression in the page.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// until waits for an expression to be true, also across pages: a navigation ends a poll, which then begins again.
func (b *browser) until(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression))
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			b.t.Fatalf("waiting for %s: %v\npage: %s", expression, err, eval[string](b, `document.body.innerText.slice(0, 3000)`))
		}
	}
}

// quiet fails if the browser complained of anything.
func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.said {
		b.t.Errorf("the browser's console says: %s", line)
	}
}

func (b *browser) login(s *site, next string) {
	b.t.Helper()
	b.do(
		chromedp.Navigate(s.URL+next),
		chromedp.SendKeys(chromedp.CSS(`input[name="name"]`), "mara"),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), testPassword),
		chromedp.Click(chromedp.CSS(`.login button`)),
	)
	b.until(`!!document.querySelector(".nav")`)
}

func TestBrowserLoginLeadsBack(t *testing.T) {
	t.Parallel()
	s := open(t, estate(time.Now()), admin())
	b := newBrowser(t)
	b.login(s, "/nets?folder=estate")
	if got, want := eval[string](b, "location.pathname + location.search"), "/nets?folder=estate"; got != want {
		t.Errorf("after the login at %s, want %s", got, want)
	}
	b.do(chromedp.Click(chromedp.CSS(`form[action="/logout"] button`)))
	b.until(`location.pathname === "/login"`)
	b.do(chromedp.Navigate(s.URL + "/"))
	if got := eval[string](b, "location.pathname"); got != "/login" {
		t.Errorf("after the log-out the first page is shown at %s", got)
	}
	b.quiet()
}

func TestBrowserFollowsARun(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	s := open(t, tw, admin())
	b := newBrowser(t)
	b.login(s, runPath(bigRun)+"?job=check-west-orders")
	b.until(`document.querySelector("#pulse")?.dataset.state === "on"`)

	b.do(chromedp.Func(func(context.Context, *chromedp.Target) error { // what a live page must not disturb
		tw.write(bigRun, "check-west-orders", 1, "stdout", "first line\nsecond \x1b[31mred\x1b[0m li")
		return nil
	}))
	b.until(`document.querySelectorAll("#lines .ln").length === 1 && document.querySelector("#begun").innerText.includes("red li")`)
	tw.write(bigRun, "check-west-orders", 1, "stdout", "ne\n")
	tw.write(bigRun, "check-west-orders", 1, "stderr", "<img src=x onerror=alert(1)>\n")
	b.until(`document.querySelectorAll("#lines .ln").length === 3`)
	if got, want := eval[string](b, `[...document.querySelectorAll("#lines .tx")].map(e => e.textContent).join("|")`), "first line|second red line|<img src=x onerror=alert(1)>"; got != want {
		t.Errorf("output is %q, want %q", got, want)
	}

	eval[bool](b, `document.querySelector(".pop").open = true`)
	node := `document.querySelector('a.node[href*="job=check-north-stock"]').classList`
	b.until(node + `.contains("state-running")`)
	tw.job(bigRun, "check-north-stock", func(j *api.Job) { j.State = "succeeded" })
	b.until(node + `.contains("state-succeeded")`)
	b.until(`document.querySelector("#j-check-north-stock .state-word").textContent === "succeeded"`)
	if !eval[bool](b, `document.querySelector(".pop").open`) {
		t.Error("the live update closed what the person had opened")
	}
	if got := eval[int](b, `document.querySelectorAll("#lines .ln").length`); got != 3 {
		t.Errorf("the live update left %d lines of output, want 3", got)
	}
	b.quiet()
}

func TestBrowserActs(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	s := open(t, tw, admin())
	b := newBrowser(t)
	b.login(s, "/nets/estate/harvest")
	b.do(
		chromedp.SetValue(chromedp.CSS(`input[name="p.top"]`), "7"),
		chromedp.Click(chromedp.CSS(`form[action="/runs"] button`)),
	)
	b.until(`location.pathname.startsWith("/runs/new-")`)
	b.do(chromedp.Click(chromedp.CSS(`form[action$="/hold"] button`)))
	b.until(`!!document.querySelector('form[action$="/release"]')`)
	b.do(chromedp.Click(chromedp.CSS(`form[action="/theme"] button`)))
	b.until(`document.documentElement.dataset.theme === "dark"`)
	tw.mu.Lock()
	defer tw.mu.Unlock()
	if got := strings.Join(tw.calls, "; "); !strings.HasPrefix(got, "start estate/harvest map[day:yesterday top:7]; hold new-") {
		t.Errorf("the service was asked: %s", got)
	}
	b.quiet()
}

// TestBrowserChangesTheAgenda moves an occurrence by its page, and sees a day follow what happens.
func TestBrowserChangesTheAgenda(t *testing.T) {
	t.Parallel()
	tw := estate(morning())
	s := openAt(t, tw, admin())
	b := newBrowser(t)
	b.login(s, whyPath("estate/ledger", "close", tw.time.held()))
	b.do(
		chromedp.Click(chromedp.CSS(`#pop-move > summary`)),
		chromedp.Func(func(context.Context, *chromedp.Target) error { // a date field cannot be typed into in every locale
			eval[string](b, `document.querySelector('#pop-move input[name="to"]').value = "2026-11-04T07:15:00"`)
			return nil
		}),
		chromedp.SendKeys(chromedp.CSS(`#pop-move input[name="reason"]`), "the auditor <b>left</b>"),
		chromedp.Click(chromedp.CSS(`#pop-move button`)),
	)
	b.until(`document.body.innerText.includes("Moved: it is due at the new time.")`)
	tw.mu.Lock()
	if got, want := strings.Join(tw.calls, "; "), "to=2026-11-04T06:15:00Z expires=- map[] the auditor <b>left</b>"; !strings.HasSuffix(got, want) {
		t.Errorf("the service was asked: %s, want …%s", got, want)
	}
	tw.mu.Unlock()

	b.do(chromedp.Navigate(s.URL + "/agenda?day=2026-11-03&zone=Europe/Berlin"))
	b.until(`document.querySelector("#pulse")?.dataset.state === "on"`)
	if got, want := eval[string](b, `document.querySelector("#list tbody time").textContent`), "00:00"; got != want {
		t.Errorf("the day begins at %s, want %s: its hours are those of its zone", got, want) // the browser's zone is Stockholm, the same; the next is not
	}
	b.do(chromedp.Navigate(s.URL + "/agenda?day=2026-11-03&zone=Asia/Kolkata"))
	b.until(`document.querySelector("#pulse")?.dataset.state === "on"`)
	if got, want := eval[string](b, `document.querySelector("#list tbody time").textContent`), "00:00"; got != want {
		t.Errorf("the day of Kolkata begins at %s, want %s: the script must leave its hours alone", got, want)
	}
	before := eval[string](b, `document.querySelector(".equation").innerText`)
	eval[bool](b, `document.querySelector("#pop-add").open = true`)
	tw.change(func() {
		for i := range tw.time.occurrences {
			if tw.time.occurrences[i].Decision == "pending" {
				tw.time.occurrences[i].Decision = "released"
			}
		}
	})
	b.until(fmt.Sprintf(`document.querySelector(".equation").innerText !== %q`, before))
	if !eval[bool](b, `document.querySelector("#pop-add").open`) {
		t.Error("the live update closed the form that the person had opened")
	}
	b.quiet()
}

// TestBrowserEveryPageFits opens every page wide and narrow, light and dark: nothing may stick out sideways, and the
// browser may complain of nothing. With REEVE_PICTURES=DIR it leaves pictures there.
func TestBrowserEveryPageFits(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	tw.nets[1].Versions = []int{7, 6, 5, 4, 3, 2, 1}
	estateProofs(tw, time.Now())
	foresee(tw, time.Now())
	s := open(t, tw, admin())
	b := newBrowser(t)
	b.do(chromedp.Navigate(s.URL + "/login"))
	b.fits("login")
	b.login(s, "/")
	paths := map[string]string{
		"today": "/", "nets": "/nets", "net": "/nets/estate/harvest", "runs": "/runs", "run": runPath(bigRun), "run-small": "/runs/01k2v7q4m9-000414",
		"agenda": "/agenda?zone=Europe/Berlin", "agenda-long": "/agenda?zone=Europe/Berlin&day=2026-10-25", "schedules": "/schedules", "schedule": "/schedules/estate/harvest/nightly", "schedule-paused": "/schedules/estate/ledger/close",
		"missed": "/missed", "calendars": "/calendars", "calendar": "/calendars/germany?month=2026-12", "calendar-old": "/calendars/germany?version=2", "forecast": "/forecast?what=agent-down%3Ddmz1", "why": "/why", "why-one": whyPath("estate/ledger", "close", tw.time.held()), "why-at": "/why?net=census/packages", "nodes": "/nodes", "directory": "/directory", "node": "/nodes/east1", "node-away": "/nodes/dmz1", "ports": "/ports?check=host", "port": "/ports/why/callback", "proofs": "/ports/proofs", "audit": "/audit", "users": "/users", "trouble": "/runs/none",
	}
	for name, path := range paths {
		b.do(chromedp.Navigate(s.URL + path))
		b.fits(name)
	}
	for name, form := range map[string][2]string{"agenda-add": {"/agenda", "#pop-add"}, "why-move": {whyPath("estate/ledger", "close", tw.time.held()), "#pop-move"}, "missed-all": {"/missed", "#pop-all"}} {
		b.do(chromedp.Navigate(s.URL+form[0]), chromedp.EmulateViewport(390, 620))
		eval[bool](b, fmt.Sprintf("document.querySelector(%q).open = true", form[1]))
		if got := eval[string](b, fmt.Sprintf(`JSON.stringify(document.querySelector(%q).getBoundingClientRect())`, form[1]+" .pop-body")); eval[bool](b, fmt.Sprintf(`(r => r.top < 0 || r.left < 0 || r.right > innerWidth || r.bottom > innerHeight)(document.querySelector(%q).getBoundingClientRect())`, form[1]+" .pop-body")) {
			t.Errorf("%s: the form does not fit: %s", name, got)
		}
		if dir := os.Getenv("REEVE_PICTURES"); dir != "" {
			b.picture(filepath.Join(dir, name+".png"))
		}
	}
	b.mu.Lock()
	b.said = without(b.said, "404") // of /runs/none
	b.mu.Unlock()
	b.quiet()
}

func without(lines []string, word string) []string {
	var out []string
	for _, l := range lines {
		if !strings.Contains(l, word) {
			out = append(out, l)
		}
	}
	return out
}

func (b *browser) fits(name string) {
	b.t.Helper()
	for _, width := range []int64{1440, 390, 360} {
		b.do(chromedp.EmulateViewport(width, 900), chromedp.Reload())
		for _, scheme := range []string{"light", "dark"} {
			b.do(func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
				_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
				})
				return chromedp.Void{}, err
			})
			where := fmt.Sprintf("%s-%d-%s", name, width, scheme)
			if got := eval[int64](b, "document.documentElement.scrollWidth"); got > width {
				b.t.Errorf("%s: the page is %d pixels wide: %s", where, got, eval[string](b, outside))
			}
			if faint := eval[string](b, contrast); faint != "" {
				b.t.Errorf("%s: text that is hard to read: %s", where, faint)
			}
			if dir := os.Getenv("REEVE_PICTURES"); dir != "" && width != 360 {
				b.picture(filepath.Join(dir, where+".png"))
			}
		}
	}
}

// outside names what sticks out of the window.
const outside = `[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".graph, .scroll, pre, .nav"))
	.slice(0, 5).map(e => e.tagName + "." + e.getAttribute("class")).join(" ")`

// contrast lists text whose contrast with what lies behind it is below 4.5 (WCAG 2, AA), or 3 where it is large.
const contrast = `(() => {
	const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true }), seen = new Map();
	const rgba = (color) => {
		if (!seen.has(color)) { paint.clearRect(0, 0, 1, 1); paint.fillStyle = color; paint.fillRect(0, 0, 1, 1); seen.set(color, [...paint.getImageData(0, 0, 1, 1).data]); }
		return seen.get(color);
	};
	const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = (el) => {
		for (let e = el; e; e = e.parentElement) {
			const box = e.closest("a.node, g.node")?.querySelector("rect");
			const color = rgba(box ? getComputedStyle(box).fill : getComputedStyle(e).backgroundColor);
			if (color[3] > 250) return color;
		}
		return [255, 255, 255];
	};
	const faint = new Set(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const el = walk.currentNode.parentElement, style = getComputedStyle(el);
		if (!walk.currentNode.data.trim() || !el.checkVisibility() || el.closest(".sr, .skip, title, option")) continue;
		const a = light(rgba(el.namespaceURI.endsWith("svg") ? style.fill : style.color)), b = light(behind(el));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), large = parseFloat(style.fontSize) >= 24;
		if (ratio < (large ? 3 : 4.5)) faint.add(el.tagName + "." + el.getAttribute("class") + " " + JSON.stringify(walk.currentNode.data.trim().slice(0, 30)) + " " + ratio.toFixed(2));
	}
	return [...faint].slice(0, 8).join("; ");
})()`

func (b *browser) picture(path string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
