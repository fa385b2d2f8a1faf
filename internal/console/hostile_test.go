package console

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
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
	tw := estate(morning())
	foresee(tw, morning())
	for _, part := range []any{
		&tw.domain, &tw.runs, &tw.nets, &tw.nodes, &tw.tokens, &tw.people, &tw.records, &tw.plan, &tw.leases, &tw.checked, &tw.doors,
		&tw.time.schedules, &tw.time.occurrences, &tw.time.missed, &tw.time.overrides, &tw.time.risks, &tw.time.balances, &tw.time.whys, &tw.time.calendars, &tw.time.forecast,
	} {
		poison(reflect.ValueOf(part).Elem(), keep...)
	}
	month := tw.time.month
	tw.time.month = func(net, schedule string, first time.Time) []api.MonthDay {
		days := month(net, schedule, first)
		poison(reflect.ValueOf(&days).Elem(), keep...)
		return days
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
	evil := url.QueryEscape(payload)
	return []string{
		"/forecast", "/forecast?what=" + evil + "&net=" + evil + "&folder=" + evil, "/forecast?days=" + evil,
		"/agenda", "/agenda?day=2026-11-03", "/agenda?zone=" + evil, "/agenda?net=" + evil + "&folder=" + evil, "/agenda?after=" + evil, "/agenda?day=" + evil, "/agenda?hour=" + evil, "/schedules", "/schedules?net=" + evil,
		schedulePath("estate/harvest"+payload, "nightly"+payload), schedulePath("estate/ledger"+payload, "close"+payload), schedulePath(payload, payload), "/missed", "/missed?net=" + evil, "/calendars", "/calendars/" + url.PathEscape("germany"+payload), "/calendars/" + url.PathEscape(payload), "/why", "/why?net=" + evil + "&zone=UTC",
		"/why?net=" + evil + "&at=" + evil, whyPath("estate/ledger"+payload, "close"+payload, morning().Add(-50*time.Minute)), whyPath(payload, payload, morning()),
		"/", "/nets", netPath("estate/harvest" + payload), "/runs", runPath(bigRun + payload), jobPath(bigRun+payload, "check-east-stock"+payload),
		runPath("01k2v7q4m9-000418" + payload), "/nodes", nodePath("east1" + payload), nodePath("dmz1" + payload), "/ports", "/audit", "/users", "/directory",
		"/runs?state=running&net=" + url.QueryEscape(payload) + "&folder=" + url.QueryEscape(payload), "/nets?folder=" + url.QueryEscape(payload),
		runPath(payload), netPath(payload), nodePath(payload), "/runs?state=" + url.QueryEscape(payload), "/?did=" + url.QueryEscape(payload),
	}
}

// knownStates are the fields that pages look at: with their own values every part of a page is shown.
func knownStates() []string {
	return []string{"State", "Role", "Kind", "Stream", "Decision", "Day", "LastWas", "RunState"}
}

func TestStoredMarkupStaysText(t *testing.T) {
	t.Parallel()
	// Once with states that pages know, so that every part is shown, and once with even those poisoned.
	const own = ` spellcheck="false"></textarea>` // the page's
	for name, keep := range map[string][]string{"known states": knownStates(), "everything": nil} {
		s := openAt(t, poisoned(keep...), admin())
		shown := 0
		for _, path := range hostilePaths() {
			resp, body := s.ask(t, "mara", http.MethodGet, path, nil)
			if resp.StatusCode == http.StatusInternalServerError {
				t.Errorf("%s, %s: status %d", name, path, resp.StatusCode)
			}
			body = strings.ReplaceAll(body, own, "")
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
	s := openAt(t, poisoned(knownStates()...), admin())
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
