package probe

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// The settings of the kernel that matter here.
const (
	rangeSetting    = "ip_local_port_range"
	reservedSetting = "ip_local_reserved_ports"
	settingPrefix   = "net.ipv4."
)

// settings reads what the files of sysctl(8) say of the two settings, in the order in which they are applied at the
// start of the system: the last one of a setting wins (sysctl.d(5)).
func settings(root fs.FS) []Setting {
	files := map[string]string{} // of each file name, the folder that goes before the others
	for _, dir := range []string{"etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d", "lib/sysctl.d"} {
		entries, err := fs.ReadDir(root, dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if _, before := files[e.Name()]; !before && strings.HasSuffix(e.Name(), ".conf") {
				files[e.Name()] = path.Join(dir, e.Name())
			}
		}
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	order := make([]string, 0, len(names)+1)
	for _, name := range names {
		order = append(order, files[name])
	}
	var all []Setting
	for _, file := range append(order, "etc/sysctl.conf") {
		if text, err := fs.ReadFile(root, file); err == nil {
			all = append(all, ParseSettings("/"+file, string(text))...)
		}
	}
	return all
}

// ParseSettings reads a file of sysctl.d(5): NAME = VALUE, with comments after # and ;. Both spellings of a name are
// taken, and a leading - is not part of it.
func ParseSettings(file, text string) []Setting {
	var all []Setting
	line := 0
	for l := range strings.Lines(text) {
		line++
		name, value, ok := strings.Cut(strings.TrimSpace(l), "=")
		if !ok || strings.HasPrefix(name, "#") || strings.HasPrefix(name, ";") {
			continue
		}
		name = strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(name), "-"), "/", ".")
		s := Setting{File: file, Line: line, Name: strings.TrimPrefix(name, settingPrefix)}
		value = strings.TrimSpace(value)
		var err error
		switch name {
		case settingPrefix + rangeSetting:
			var r ports.Range
			if r, err = ParseInterval(value); err == nil {
				s.Ranges = []ports.Range{r}
			}
		case settingPrefix + reservedSetting:
			s.Ranges, err = ParseReserved(value)
		default:
			continue
		}
		if err != nil {
			s.Wrong = err.Error()
		}
		all = append(all, s)
	}
	return all
}

// lasting returns what a setting will be after the next start, as far as the files say; it is false if they say
// nothing.
func lasting(all []Setting, name string) (Setting, bool) {
	for _, s := range slices.Backward(all) {
		if s.Name == name && s.Wrong == "" {
			return s, true
		}
	}
	return Setting{}, false
}
