package render

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// TestDrawingsInBrowser lets a real browser measure the texts: with its fonts too, none meets another or leaves the
// drawing, in three languages, light and dark, and no box is too small for its text.
func TestDrawingsInBrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	for _, name := range []string{"systemwalker", "jobscheduler", "arcserve", "acs", "default"} {
		plan := builtinPlan(t, name)
		for _, lang := range []string{"en", "de", "ja"} {
			in := Input{Site: compiled(t, plan, twoZones(plan), 0), Locale: lang}
			for form, f := range map[string]func(Input) ([]byte, error){"sequence": renderSequence, "zones": renderZones} {
				text, err := f(in)
				if err != nil {
					t.Fatal(err)
				}
				for _, found := range look(t, ctx, name+"-"+form+"-"+lang+".svg", text, overlaps) {
					t.Errorf("%s %s %s: %s", name, form, lang, found)
				}
			}
		}
	}
}

// overlaps lists texts that meet another or leave the drawing.
const overlaps = `(() => {
  const svg = document.documentElement, found = [], all = [...svg.querySelectorAll('text')].map(e => [e.textContent, e.getBBox()]);
  const {width, height} = svg.viewBox.baseVal;
  all.forEach(([text, a], i) => {
    if (a.width > 0 && (a.x < 0 || a.y < 0 || a.x + a.width > width || a.y + a.height > height)) found.push(text + ' leaves the drawing');
    all.slice(0, i).forEach(([other, b]) => {
      const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x), down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
      if (across > 0 && down > 3) found.push(text + ' meets ' + other); // the boxes of two lines may touch; their letters do not
    });
  });
  if (all.length == 0) found.push('no text');
  return found;
})()`

// TestPageInBrowser looks at the page of the largest plan: nothing but its own content, no scrolling sideways on a narrow
// screen, all columns on a sheet of paper, and the same rows.
func TestPageInBrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	plan := builtinPlan(t, "arcserve")
	site := compiled(t, plan, ports.Inventory{}, 0)
	text, err := renderHTML(Input{Site: site})
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.EmulateViewport(360, 800, chromedp.EmulateMobile))
	for _, found := range look(t, ctx, "page.html", text, fmt.Sprintf(`(() => {
	  const found = [];
	  if (document.scrollingElement.scrollWidth > 360) found.push('the page is ' + document.scrollingElement.scrollWidth + ' wide');
	  const rows = document.querySelectorAll('section table tbody tr').length;
	  if (rows < %d) found.push(rows + ' rows');
	  if (document.scripts.length > 0) found.push('a script');
	  return found;
	})()`, len(site.Compiled.Rows()))) {
		t.Error(found)
	}
	do(t, ctx, chromedp.EmulateViewport(1032, 700), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error { // A4 landscape within its margins
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		return err
	}))
	for _, name := range builtin.Names() {
		text, err := renderHTML(Input{Site: compiled(t, builtinPlan(t, name), ports.Inventory{}, 0), Locale: "de"})
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range look(t, ctx, name+".html", text, `document.scrollingElement.scrollWidth > 1032 ? [document.scrollingElement.scrollWidth + ' wide on paper'] : []`) {
			t.Errorf("%s: %s", name, found)
		}
	}
}

// browser starts a real one.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-headless-shell", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Fatal("no chromium here: drawings are measured in a real browser; run `make setup`, which installs it")
	}
	profile, err := os.MkdirTemp("", "reeve-browser-") //nolint:usetesting // the browser may still write there when the test has ended
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.Flag("headless", true), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true))
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	do(t, ctx, chromedp.Navigate("about:blank"))
	return ctx
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) { //nolint:revive // the context is a tab
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// look opens a document and returns what a script finds in it.
func look(t *testing.T, ctx context.Context, name string, text []byte, script string) []string { //nolint:revive // the context is a tab
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate("file://"+path))
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](script))
	if err != nil {
		t.Fatal(strings.TrimSpace(err.Error()))
	}
	return found
}
