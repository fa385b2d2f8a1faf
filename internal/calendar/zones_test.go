package calendar

import (
	"archive/zip"
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestBuiltin opens every zone of the embedded database.
func TestBuiltin(t *testing.T) {
	t.Parallel()
	z := Builtin()
	names := z.Names()
	if len(names) < 590 || !slices.IsSorted(names) {
		t.Fatalf("got %d zones", len(names))
	}
	for _, name := range names {
		loc, ok := z.Location(name)
		if !ok || loc.String() != name {
			t.Errorf("%s: got %v %t", name, loc, ok)
			continue
		}
		if made := newZone(loc); len(made.segments) == 0 || len(made.segments) > 700 {
			t.Errorf("%s has %d segments", name, len(made.segments))
		}
	}
	for _, name := range []string{"", "Local", "Europe/Atlantis", "../UTC", "europe/berlin"} {
		if _, ok := z.Location(name); ok {
			t.Errorf("%q is a zone", name)
		}
	}
}

// TestEmbeddedZones compares the embedded copy with its source. It is skipped with another release of Go, which has another version.
func TestEmbeddedZones(t *testing.T) {
	t.Parallel()
	goroot, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("there is no go command")
	}
	text, err := exec.CommandContext(t.Context(), "sed", "-n", "s/^DATA=//p", filepath.Join(strings.TrimSpace(string(goroot)), "lib/time/update.bash")).Output()
	if err != nil || strings.TrimSpace(string(text)) != Builtin().Version() {
		t.Skipf("this release of Go has tzdata %s", text)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "../../scripts/zoneinfo", "--check")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestZoneSegments compares the segments of every zone with package time, at any instant and at the ends of segments.
func TestZoneSegments(t *testing.T) {
	t.Parallel()
	zones := Builtin()
	names := zones.Names()
	made := map[string]*zone{}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "zone")
		z := made[name]
		if z == nil {
			loc, _ := zones.Location(name)
			z = newZone(loc)
			made[name] = z
		}
		n := rapid.Int64Range(-4e9, latest).Draw(t, "instant")
		if i := rapid.IntRange(0, len(z.segments)-1).Draw(t, "segment"); i > 0 && rapid.Bool().Draw(t, "at its end") {
			n = z.segments[i].start - rapid.Int64Range(0, 1).Draw(t, "before")
		}
		_, want := instant(n).In(z.loc).Zone()
		if got := z.wall(n) - n; got != int64(want) {
			t.Fatalf("%s at %s: offset %d, want %d", name, instant(n), got, want)
		}
	})
}

// TestZonesApart holds what `near` says: the offsets of one zone do not differ by more.
func TestZonesApart(t *testing.T) {
	t.Parallel()
	zones := Builtin()
	for _, name := range zones.Names() {
		loc, _ := zones.Location(name)
		lowest, highest := int64(0), int64(0)
		for i, s := range newZone(loc).segments {
			if i == 0 {
				lowest, highest = s.offset, s.offset
			}
			lowest, highest = min(lowest, s.offset), max(highest, s.offset)
		}
		if highest-lowest > near/2 || lowest < -near/2 || highest > near/2 {
			t.Errorf("%s: offsets from %d to %d", name, lowest, highest)
		}
	}
}

// TestNearest is for those who mistype.
func TestNearest(t *testing.T) {
	t.Parallel()
	z := Builtin()
	for name, want := range map[string]string{
		"Europe/Belrin": "Europe/Berlin", "europe/berlin": "Europe/Berlin", "Berlin": "Europe/Berlin", "New York": "America/New_York",
		"Asia/Tokio": "Asia/Tokyo", "utc": "UTC", "America/Sao Paolo": "America/Sao_Paulo",
	} {
		if got := z.Nearest(name); !slices.Contains(got, want) {
			t.Errorf("%s: got %v, want %s", name, got, want)
		}
	}
	for _, name := range []string{"", "xyzzyxyzzy", strings.Repeat("Berlin", 10000)} {
		if got := z.Nearest(name); len(got) > 3 {
			t.Errorf("%.20s: got %v", name, got)
		}
	}
}

func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, text := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestOpenZones reads databases of others, and says what is wrong with them.
func TestOpenZones(t *testing.T) {
	t.Parallel()
	utc, err := content(Builtin().files["UTC"])
	if err != nil {
		t.Fatal(err)
	}
	z, err := OpenZones(zipped(t, map[string]string{"+VERSION": "2027a\n", "Etc/UTC": string(utc), "Etc/Broken": "no zone"}))
	if err != nil || z.Version() != "2027a" || !slices.Equal(z.Names(), []string{"Etc/Broken", "Etc/UTC"}) {
		t.Fatalf("got %v, %v", z, err)
	}
	if _, ok := z.Location("Etc/UTC"); !ok {
		t.Error("Etc/UTC cannot be read")
	}
	s := DefaultSchedule()
	s.Name, s.Cron, s.Zone = "s", "@daily", "Etc/Broken"
	if _, problems := NewCompiler(z, nil).Compile("n", s); len(problems) != 1 || problems[0].Field != "zone" {
		t.Errorf("a broken zone: got %v", problems)
	}
	for name, text := range map[string][]byte{
		"no zip": []byte("hello"), "no version": zipped(t, map[string]string{"Etc/UTC": string(utc)}), "no zones": zipped(t, map[string]string{"+VERSION": "2027a"}), "empty": nil,
	} {
		if _, err := OpenZones(text); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

// TestOpenUnversioned: a zip that does not say of which version it is, as that of Go, is told by what is in it.
func TestOpenUnversioned(t *testing.T) {
	t.Parallel()
	if z, err := OpenUnversioned(zoneZip); err != nil || z.Version() != Builtin().Version() {
		t.Errorf("the embedded one: got %v, %v, want %s", z, err, Builtin().Version())
	}
	utc, err := content(Builtin().files["UTC"])
	if err != nil {
		t.Fatal(err)
	}
	told, err := OpenUnversioned(zipped(t, map[string]string{"+VERSION": "2027a\n", "Etc/UTC": string(utc)}))
	if err != nil || told.Version() != "2027a" {
		t.Errorf("one that says it: got %v, %v", told, err)
	}
	one := zipped(t, map[string]string{"Etc/UTC": string(utc)})
	z, err := OpenUnversioned(one)
	if err != nil || !regexp.MustCompile(`^unknown version \(sha256 [0-9a-f]{12}\)$`).MatchString(z.Version()) {
		t.Fatalf("one that does not: got %v, %v", z, err)
	}
	if other, err := OpenUnversioned(zipped(t, map[string]string{"Etc/Zulu": string(utc)})); err != nil || other.Version() == z.Version() {
		t.Errorf("another one: got %v, %v, want it to differ from %s", other, err, z.Version())
	}
	if _, err := OpenUnversioned([]byte("hello")); err == nil {
		t.Error("what is no zip is taken")
	}
}
