package planfile

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	maxDuration     = 10 * 366 * 24 * time.Hour
	durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	ratePattern     = `^[0-9]+(\.[0-9]+)?/(s|m|h)$`
	maxRate         = 1e6 // a second: more than a host can grant
)

// duration is a time such as 120s, 10m or 1h30m.
func duration() kind[time.Duration] {
	return kind[time.Duration]{
		form: "duration", schema: schema{"type": "string", "pattern": durationPattern},
		read: func(r *reader, n *node, what string, to *time.Duration) {
			s, ok := r.numberOrText(n, what)
			if !ok {
				return
			}
			d, err := time.ParseDuration(s)
			switch {
			case decimal(s):
				r.add(n.at, "%s %s has no unit; write %ss, or with m or h", what, clip(s), clip(s))
			case err != nil || strings.ContainsAny(s, "+-") || s == "0":
				r.add(n.at, "%s %q must be a duration such as 120s, 10m or 1h30m", what, clip(s))
			case d > maxDuration:
				r.add(n.at, "%s %q is longer than ten years", what, clip(s))
			default:
				*to = d
			}
		},
		write: func(d time.Duration) *written {
			if d == 0 {
				return nil
			}
			return bare(shortDuration(d))
		},
	}
}

// shortDuration leaves out the zeros that time.Duration prints: 10m, not 10m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// rate is a number of events in a time: 20/s, 10/m. It is kept a second.
func rate() kind[float64] {
	return kind[float64]{
		form: "rate", schema: schema{"type": "string", "pattern": ratePattern},
		read: func(r *reader, n *node, what string, to *float64) {
			s, ok := scalar(n)
			amount, unit, _ := strings.Cut(s, "/")
			seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
			v, err := strconv.ParseFloat(amount, 64)
			if !ok || err != nil || seconds == 0 || strings.Trim(amount, "0123456789.") != "" || strings.HasPrefix(amount, ".") || strings.HasSuffix(amount, ".") {
				r.add(n.at, "%s must be a number of events in a time, such as 0.1667/s, 20/s, 10/m or 5/h", what)
				return
			}
			if v/seconds > maxRate {
				r.add(n.at, "%s %q is more than %d a second", what, clip(s), int(maxRate))
				return
			}
			*to = v / seconds
		},
		write: func(v float64) *written {
			if v == 0 {
				return nil
			}
			return bare(strconv.FormatFloat(v, 'f', -1, 64) + "/s")
		},
	}
}

// part is a part of a whole: more than 0 and less than 1.
func part() kind[float64] {
	return kind[float64]{
		form: "number", schema: schema{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
		read: func(r *reader, n *node, what string, to *float64) {
			var v float64
			if n.shape == floatShape {
				v, _ = strconv.ParseFloat(n.text, 64) // 0 is refused below
			}
			if !(v > 0 && v < 1) {
				r.add(n.at, "%s must be more than 0 and less than 1, such as 0.001", what)
				return
			}
			*to = v
		},
		write: func(v float64) *written {
			if v == 0 {
				return nil
			}
			return bare(strconv.FormatFloat(v, 'f', -1, 64))
		},
	}
}

// program is an ONC RPC program number, decimal or hexadecimal: RFC 5531 assigns them in hexadecimal blocks.
func program() kind[uint32] {
	k := number[uint32](1, math.MaxUint32)
	read := k.read
	k.read = func(r *reader, n *node, what string, to *uint32) {
		if n.shape != intShape || !strings.HasPrefix(n.text, "0x") {
			read(r, n, what, to)
			return
		}
		v, err := strconv.ParseUint(n.text[2:], 16, 32)
		if err != nil || v == 0 {
			r.add(n.at, "%s is %s, it must be 0x1 to 0xffffffff", what, clip(n.text))
			return
		}
		*to = uint32(v)
	}
	k.write = func(v uint32) *written {
		if v >= 0x20000000 { // from here on sites and vendors give their own
			return bare("0x" + strconv.FormatUint(uint64(v), 16))
		}
		if v == 0 {
			return nil
		}
		return bare(strconv.FormatUint(uint64(v), 10))
	}
	return k
}
