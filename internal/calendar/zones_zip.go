package calendar

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"time"
)

// BuiltinZip returns the embedded database as OpenZones reads it: the zip of the Go distribution, with its version inside.
func BuiltinZip() ([]byte, error) {
	from, err := zip.NewReader(bytes.NewReader(zoneZip), int64(len(zoneZip)))
	if err != nil {
		return nil, fmt.Errorf("reading the embedded time zone database: %w", err)
	}
	var out bytes.Buffer
	to := zip.NewWriter(&out)
	for _, f := range from.File {
		if f.Name == versionEntry {
			continue
		}
		if err := to.Copy(f); err != nil {
			return nil, fmt.Errorf("copying zone %s: %w", f.Name, err)
		}
	}
	w, err := to.Create(versionEntry)
	if err == nil {
		_, err = w.Write([]byte(strings.TrimSpace(zoneVersion) + "\n"))
	}
	if err == nil {
		err = to.Close()
	}
	return out.Bytes(), err
}

// SameOffsets reports whether a zone is the same in two databases from one instant to another. Offsets are looked at each quarter of
// an hour: no zone has ever changed its clocks at another minute since there is electricity.
func SameOffsets(a, b *Zones, zone string, from, until time.Time) bool {
	x, okX := a.Location(zone)
	y, okY := b.Location(zone)
	if !okX || !okY {
		return okX == okY
	}
	for at := from.Truncate(15 * time.Minute); at.Before(until); at = at.Add(15 * time.Minute) {
		_, p := at.In(x).Zone()
		if _, q := at.In(y).Zone(); p != q {
			return false
		}
	}
	return true
}
