package jobfile

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0s": 0, "10s": 10 * time.Second, "5m": 5 * time.Minute, "1h": time.Hour, "1h30m": 90 * time.Minute, "1h0m5s": time.Hour + 5*time.Second,
		"250ms": 250 * time.Millisecond, "1.5s": 1500 * time.Millisecond,
	} {
		got, err := parseDuration(text)
		if err != nil || time.Duration(got) != want || got.String() != text {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "1.5", "-5s", "+5s", "5 m", "1d", "m", "5M", "1e3", "9999999999h", "0x5", "inf", "NaN"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]struct {
		bytes   size
		written string
	}{
		"64MiB": {64 << 20, "64MiB"}, "1GB": {1e9, "1GB"}, "1024": {1024, "1KiB"}, "1000": {1000, "1kB"}, "0": {0, "0B"}, "7B": {7, "7B"}, "3 KB": {3000, "3kB"},
		"1TiB": {1 << 40, "1TiB"}, "1025": {1025, "1025B"},
	} {
		got, err := parseSize(text)
		if err != nil || got != c.bytes || got.String() != c.written {
			t.Errorf("%s: got %d %v, %v, want %d %s", text, int64(got), got, err, c.bytes, c.written)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5GB", "64M", "64 megabytes", "1XB", "99999999TiB", "9223372036854775808", "1e3", "0x10"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}
