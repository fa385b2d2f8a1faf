package console

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// payload is what an attacker would store: it would leave text, attributes, scripts, addresses and templates.
const payload = `'"></title></textarea></script><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>" onmouseover="window.hacked=1" x="{{.}}${1}` + "`"

// poison adds the payload to every string below v, but to fields of a name in keep.
func poison(v reflect.Value, keep ...string) {
	switch v.Kind() { //nolint:exhaustive // only these kinds hold strings
	case reflect.String:
		v.SetString(v.String() + payload)
	case reflect.Pointer:
		if !v.IsNil() {
			fresh := reflect.New(v.Type().Elem()) // pointers of the estate may be shared
			fresh.Elem().Set(v.Elem())
			poison(fresh.Elem(), keep...)
			v.Set(fresh)
		}
	case reflect.Slice:
		fresh := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(fresh, v)
		for i := range fresh.Len() {
			poison(fresh.Index(i), keep...)
		}
		v.Set(fresh)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if !slices.Contains(keep, v.Type().Field(i).Name) {
				poison(v.Field(i), keep...)
			}
		}
	case reflect.Map:
		fresh := reflect.MakeMap(v.Type())
		for it := v.MapRange(); it.Next(); {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			key.Set(it.Key())
			value.Set(it.Value())
			poison(key, keep...)
			poison(value, keep...)
			fresh.SetMapIndex(key, value)
		}
		v.Set(fresh)
	}
}

// poisoned is an estate in which every stored string carries the payload.
func poisoned(keep ...string) *twin {
	tw := estate(time.Now())
	for _, part := range []any{&tw.domain, &tw.runs, &tw.nets, &tw.nodes, &tw.tokens, &tw.people, &tw.records, &tw.plan, &tw.leases, &tw.checked, &tw.doors} {
		poison(reflect.ValueOf(part).Elem(), keep...)
	}
	for _, id := range []string{bigRun, "01k2v7q4m9-000418"} {
		facts := tw.facts[id]
		poison(reflect.ValueOf(&facts).Elem(), keep...)
		tw.facts[id+payload] = facts
	}
	key := logKey(bigRun, "check-east-stock", 1)
	pieces := tw.logs[key]
	poison(reflect.ValueOf(&pieces).Elem(), keep...)
	tw.logs[logKey(bigRun+payload, "check-east-stock"+payload, 1)] = pieces
	return tw
}

func hostilePaths() []string {
	return []string{
		"/", "/nets", netPath("estate/harvest" + payload), "/runs", runPath(bigRun + payload), jobPath(bigRun+payload, "check-east-stock"+payload),
		runPath("01k2v7q4m9-000418" + payload), "/nodes", nodePath("east1" + payload), nodePath("dmz1" + payload), "/ports", "/audit", "/users", "/directory",
		"/runs?state=running&net=" + url.QueryEscape(payload) + "&folder=" + url.QueryEscape(payload), "/nets?folder=" + url.QueryEscape(payload),
		runPath(payload), netPath(payload), nodePath(payload), "/runs?state=" + url.QueryEscape(payload), "/?did=" + url.QueryEscape(payload),
	}
}

func TestStoredMarkupStaysText(t *testing.T) {
	t.Parallel()
	// Once with states that pages know, so that every part is shown, and once with even those poisoned.
	for name, keep := range map[string][]string{"known states": {"State", "Role", "Kind", "Stream"}, "everything": nil} {
		s := open(t, poisoned(keep...), admin())
		shown := 0
		for _, path := range hostilePaths() {
			resp, body := s.ask(t, "mara", http.MethodGet, path, nil)
			if resp.StatusCode == http.StatusInternalServerError {
				t.Errorf("%s, %s: status %d", name, path, resp.StatusCode)
			}
			for _, bad := range []string{"<img src=x", "<script>", `" onmouseover="`, `'"></`, "</textarea>", "{{", "ZgotmplZ"} {
				if i := strings.Index(strings.ReplaceAll(body, "{{.}}", ""), bad); i >= 0 {
					t.Errorf("%s, %s: holds %s: …%s…", name, path, bad, body[max(0, i-120):min(len(body), i+60)])
				}
			}
			shown += strings.Count(body, "&lt;img src=x")
		}
		if shown < 200 {
			t.Errorf("%s: the payload is shown %d times only: the pages do not show what is stored", name, shown)
		}
	}
}

func TestBrowserRunsNothingThatIsStored(t *testing.T) {
	t.Parallel()
	s := open(t, poisoned("State", "Role", "Kind", "Stream"), admin())
	b := newBrowser(t)
	b.login(s, "/")
	for _, path := range hostilePaths() {
		b.do(navigate(s.URL + path))
		if eval[bool](b, "window.hacked !== undefined") {
			t.Errorf("%s ran what was stored", path)
		}
		if n := eval[int](b, `document.querySelectorAll("img:not([src^='/ports/documents/']), script:not([src]), [onmouseover], [onerror]").length`); n > 0 {
			t.Errorf("%s has %d elements that were stored", path, n)
		}
		if got := eval[int64](b, "document.documentElement.scrollWidth - innerWidth"); got > 0 {
			t.Errorf("%s: long words push the page %d pixels wide: %s", path, got, eval[string](b, outside))
		}
	}
	b.mu.Lock()
	b.said = without(without(b.said, "404"), "422")
	b.mu.Unlock()
	b.quiet()
}
