package ports

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// jsonTime is a span of time as JSON has it: "120s", "1.5s", "90ms" for what is shorter than a second. The zero is left out.
type jsonTime time.Duration

func (s jsonTime) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s jsonTime) String() string {
	d := time.Duration(s)
	if d%time.Second != 0 {
		return d.String()
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

func (s *jsonTime) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(strings.TrimSpace(string(text)))
	*s = jsonTime(d)
	return err
}

type holdJSON struct {
	Min     jsonTime `json:"min,omitempty"`
	Reasons []string `json:"reasons,omitempty"`
}

// MarshalJSON writes the hold with its time in seconds: {"min": "120s"}.
func (h Hold) MarshalJSON() ([]byte, error) {
	return json.Marshal(holdJSON{jsonTime(h.Min), h.Reasons})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (h *Hold) UnmarshalJSON(data []byte) error {
	var j holdJSON
	err := json.Unmarshal(data, &j)
	*h = Hold{time.Duration(j.Min), j.Reasons}
	return err
}

type leaseJSON struct {
	Owner    string   `json:"owner,omitempty"`
	TTL      jsonTime `json:"ttl,omitempty"`
	Renew    string   `json:"renew,omitempty"`
	Fence    bool     `json:"fence,omitempty"`
	Nonce    int      `json:"nonce,omitempty"`
	Liveness string   `json:"liveness,omitempty"`
}

// MarshalJSON writes the rule with its time in seconds: {"ttl": "90s"}.
func (l LeaseRule) MarshalJSON() ([]byte, error) {
	return json.Marshal(leaseJSON{l.Owner, jsonTime(l.TTL), l.Renew, l.Fence, l.Nonce, l.Liveness})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (l *LeaseRule) UnmarshalJSON(data []byte) error {
	var j leaseJSON
	err := json.Unmarshal(data, &j)
	*l = LeaseRule{j.Owner, time.Duration(j.TTL), j.Renew, j.Fence, j.Nonce, j.Liveness}
	return err
}

type capacityJSON struct {
	Parallel int      `json:"parallel,omitempty"`
	Rate     float64  `json:"rate,omitempty"` // a second
	Duration jsonTime `json:"duration,omitempty"`
	Blocking float64  `json:"blocking,omitempty"`
}

// MarshalJSON writes the capacity with its time in seconds, and the rate as leases a second.
func (c Capacity) MarshalJSON() ([]byte, error) {
	return json.Marshal(capacityJSON{c.Parallel, c.Rate, jsonTime(c.Duration), c.Blocking})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Capacity) UnmarshalJSON(data []byte) error {
	var j capacityJSON
	err := json.Unmarshal(data, &j)
	*c = Capacity{j.Parallel, j.Rate, time.Duration(j.Duration), j.Blocking}
	return err
}
