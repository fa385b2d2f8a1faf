package jobfile

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads 5m, 1h30m, 250ms. A sign and a bare number are refused.
func parseDuration(s string) (duration, error) {
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return 0, fmt.Errorf("%q has no unit: write %ss, %sm or %sh", s, s, s, s)
	}
	d, err := time.ParseDuration(s)
	if err != nil || strings.ContainsAny(s, "+-") {
		return 0, fmt.Errorf("%q is not a duration: write 10s, 5m or 1h30m", s)
	}
	return duration(d), nil
}

// String writes d in its shortest form: 5m and not 5m0s.
func (d duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// unit is a multiple of bytes.
type unit struct {
	name  string
	bytes int64
}

// units lists the multiples, those in which a size is written first.
func units() []unit {
	return []unit{
		{"TiB", 1 << 40},
		{"GiB", 1 << 30},
		{"MiB", 1 << 20},
		{"KiB", 1 << 10},
		{"TB", 1e12},
		{"GB", 1e9},
		{"MB", 1e6},
		{"kB", 1e3},
		{"KB", 1e3},
		{"B", 1},
	}
}

// parseSize reads 64MiB, 1GB, or bytes without a unit.
func parseSize(s string) (size, error) {
	digits := strings.TrimRight(s, "BKMGTik ")
	name := strings.TrimSpace(s[len(digits):])
	factor := int64(0)
	for _, u := range units() {
		if u.name == name || name == "" && u.bytes == 1 {
			factor = u.bytes
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || factor == 0 {
		return 0, fmt.Errorf("%q is not a size: write 64MiB, 1GB, or bytes as a plain number", s)
	}
	if n > uint64(math.MaxInt64/factor) {
		return 0, fmt.Errorf("%q is too large for a size", s)
	}
	return size(int64(n) * factor), nil
}

// String writes s in the largest unit that has no remainder.
func (s size) String() string {
	for _, u := range units() {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}
