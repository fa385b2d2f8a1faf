package calendar

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	_ "embed" // the database
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// zoneZip is the database of the Go distribution, byte for byte, and zoneVersion its version; scripts/zoneinfo renews both.
// It is embedded, so that two servers of one release never differ by what their machines have.
//
//go:embed zoneinfo/zoneinfo.zip
var zoneZip []byte

//go:embed zoneinfo/VERSION
var zoneVersion string

// versionEntry is the file of a database that says of which version it is.
const versionEntry = "+VERSION"

// Zones is a version of the time zone database. It is never changed.
type Zones struct {
	version string
	names   []string
	files   map[string]*zip.File
}

// Builtin returns the database that is embedded in this program.
func Builtin() *Zones {
	z, err := readZones(zoneZip)
	if err != nil { // a test opens every zone of it
		return &Zones{version: strings.TrimSpace(zoneVersion)}
	}
	z.version = strings.TrimSpace(zoneVersion)
	return z
}

// OpenZones reads a database from a zip of TZif files, as Go distributes it, with a file +VERSION: where it is kept, its version must be known.
func OpenZones(text []byte) (*Zones, error) {
	z, err := readZones(text)
	if err != nil {
		return nil, err
	}
	if z.version == "" {
		return nil, fault.New(fault.Invalid, "the time zone database does not say of which version it is",
			"add a file "+versionEntry+" to the zip, with the version in it, as 2025c")
	}
	return z, nil
}

// OpenUnversioned reads a database that need not say of which version it is, as the zip of a Go distribution: its version is then that of the
// embedded one where it is the same, else unknown, with its hash.
func OpenUnversioned(text []byte) (*Zones, error) {
	z, err := readZones(text)
	if err != nil || z.version != "" {
		return z, err
	}
	z.version = fmt.Sprintf("unknown version (sha256 %.6x)", sha256.Sum256(text))
	if bytes.Equal(text, zoneZip) {
		z.version = strings.TrimSpace(zoneVersion)
	}
	return z, nil
}

func readZones(text []byte) (*Zones, error) {
	r, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return nil, fault.New(fault.Invalid, "the time zone database is not a zip: "+err.Error(), "take zoneinfo.zip of a Go distribution")
	}
	z := &Zones{files: make(map[string]*zip.File, len(r.File))}
	for _, f := range r.File {
		switch {
		case f.Name == versionEntry:
			version, err := content(f)
			if err != nil {
				return nil, err
			}
			z.version = strings.TrimSpace(string(version))
		case strings.HasSuffix(f.Name, "/"):
		default:
			z.names = append(z.names, f.Name)
			z.files[f.Name] = f
		}
	}
	if len(z.names) == 0 {
		return nil, fault.New(fault.Invalid, "the time zone database has no zones", "take zoneinfo.zip of a Go distribution")
	}
	slices.Sort(z.names)
	return z, nil
}

// maxZone is more than any zone needs; a zip may claim anything.
const maxZone = 1 << 20

func content(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("reading zone %s: %w", f.Name, err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxZone))
	if err != nil {
		return nil, fmt.Errorf("reading zone %s: %w", f.Name, err)
	}
	return text, nil
}

// Version returns the database's version, as 2025c.
func (z *Zones) Version() string { return z.version }

// Names returns the names of all zones, sorted.
func (z *Zones) Names() []string { return slices.Clone(z.names) }

// Location reads a zone; false: there is none of this name. Compiler keeps what it has read.
func (z *Zones) Location(name string) (*time.Location, bool) {
	f, ok := z.files[name]
	if !ok {
		return nil, false
	}
	text, err := content(f)
	if err != nil {
		return nil, false
	}
	loc, err := time.LoadLocationFromTZData(name, text)
	return loc, err == nil
}

// Nearest returns up to three names of zones that are like a name that there is not.
func (z *Zones) Nearest(name string) []string {
	type likeness struct {
		name  string
		steps int
	}
	want := plain(name)
	var found []likeness
	for _, n := range z.names {
		have := plain(n)
		steps := distance(want, have)
		if i := strings.LastIndexByte(have, '/'); i >= 0 { // the city alone
			steps = min(steps, distance(want, have[i+1:]))
		}
		if steps <= 1+len(want)/4 {
			found = append(found, likeness{n, steps})
		}
	}
	slices.SortStableFunc(found, func(a, b likeness) int { return a.steps - b.steps })
	var names []string
	for _, f := range found[:min(3, len(found))] {
		names = append(names, f.name)
	}
	return names
}

// plain folds what people write in different ways: capitals, and spaces or hyphens for underscores.
func plain(name string) string {
	if len(name) > 64 {
		name = name[:64]
	}
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(name))
}

// distance is the number of letters to put in, take out or change to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
