package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
)

// Config is a server's configuration. The file examples/config/server.yaml shows every field with its default.
type Config struct {
	Data      string   `yaml:"-"`         // the data folder
	Domain    string   `yaml:"domain"`    // given at the first start and fixed from then on; empty: reeve, or what it is
	Name      string   `yaml:"name"`      // of this server among the domain's nodes; empty: the host's
	Plan      string   `yaml:"plan"`      // a built-in port plan, or a file
	Inventory string   `yaml:"inventory"` // file with hosts, zones and who dials; empty: none
	Instance  *int     `yaml:"instance"`  // of the plan: the default plan has 0 to 9; nil: what the environment or the inventory says, else the plan's default
	Bind      []string `yaml:"bind"`      // addresses to listen on; none: all
	Advertise []string `yaml:"advertise"` // HOST or HOST:PORT at which agents and people find it; none: the host's name
	// AllowPlain lets rows of the plan that are without TLS be reached from other hosts; a warning stands on every page.
	AllowPlain bool      `yaml:"allow_plain"`
	Link       Link      `yaml:"link"`
	Proxy      Proxy     `yaml:"proxy"`
	Retention  Retention `yaml:"retention"`
	Artifacts  Artifacts `yaml:"artifacts"`
	Disk       Disk      `yaml:"disk"`
	Proofs     Proofs    `yaml:"proofs"`
	Log        Log       `yaml:"log"`
}

// Proxy is an HTTP proxy by which a server dials nodes.
type Proxy struct {
	URL          string   `yaml:"url"`           // http://[USER@]HOST[:PORT]; empty: none
	PasswordFile string   `yaml:"password_file"` // its user's password; empty: there is none
	Hosts        []string `yaml:"hosts"`         // names, addresses and networks of the nodes that are dialled by it; none: all
}

// Proofs says how the plan's openings are proved without anybody's order.
type Proofs struct {
	// PerHour is how many paths are proved again in an hour, those first where most is at stake and the last proof is
	// oldest; 0: none. Each takes the row for a moment at one end and dials it at the other.
	PerHour int           `yaml:"per_hour"`
	Keep    time.Duration `yaml:"keep"` // what was found about a path is kept so long; 0: no bound
}

// Link times the links to agents.
type Link struct {
	Heartbeat time.Duration `yaml:"heartbeat"` // between two signs of life
	Timeout   time.Duration `yaml:"timeout"`   // without one, after which a link is given up
	Tenure    time.Duration `yaml:"tenure"`    // without word, after which jobs with on_lost: stop are ended and attempts become unknown
}

// Retention says what is kept of ended runs.
type Retention struct {
	Runs   Keep `yaml:"runs"`   // runs with all that belongs to them
	Output Keep `yaml:"output"` // only their output
}

// Keep bounds by age and by count a net; 0: no bound.
type Keep struct {
	Age   time.Duration `yaml:"age"`   // since the run's end; 0: no bound
	Count int           `yaml:"count"` // newest runs of each net that are kept; 0: no bound
}

// Artifacts bounds what jobs leave for their successors.
type Artifacts struct {
	Limit int64 `yaml:"limit"` // bytes of one file
}

// Disk says how much room the server keeps in reserve.
type Disk struct {
	Reserve int64 `yaml:"reserve"` // bytes; below it nothing new is accepted, and ends are still stored
}

// Log says what is logged, to standard error.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text or json
}

// Default returns the configuration of a server that is told nothing.
func Default() Config {
	return Config{
		Plan: "default",
		Link: Link{Heartbeat: 10 * time.Second, Timeout: 30 * time.Second, Tenure: 5 * time.Minute},
		Retention: Retention{
			Runs:   Keep{Age: 90 * 24 * time.Hour, Count: 100_000},
			Output: Keep{Age: 30 * 24 * time.Hour},
		},
		Artifacts: Artifacts{Limit: 1 << 30},
		Disk:      Disk{Reserve: 64 << 20},
		Proofs:    Proofs{Keep: 365 * 24 * time.Hour},
		Log:       Log{Level: "info", Format: "text"},
	}
}

const (
	maxConfig = 1 << 20
	maxProofs = 100_000 // an hour
)

// Load reads a configuration file over c. Unknown fields are mistakes.
func Load(c *Config, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fault.Wrap(fault.Invalid, "reading configuration", err)
	}
	defer f.Close() // read only
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return fault.Wrap(fault.Invalid, "reading configuration "+path, err)
	}
	if len(text) > maxConfig {
		return fault.Newf(fault.Invalid, "configuration %s is larger than %d bytes", path, maxConfig)
	}
	if len(strings.TrimSpace(string(text))) == 0 {
		return nil
	}
	if err := yaml.UnmarshalWithOptions(text, c, yaml.Strict(), yaml.DisallowUnknownField()); err != nil {
		return mistake(path, text, err)
	}
	return nil
}

// duration finds what the YAML library says of a duration that it cannot read: it does not say where.
var duration = regexp.MustCompile(`^time: .* duration "(.*)"$`)

// mistake gives an error of the YAML library its place.
func mistake(path string, text []byte, err error) error {
	m := fault.Mistake{File: path, Line: 1, Column: 1, Message: err.Error()}
	if found := duration.FindStringSubmatch(err.Error()); found != nil {
		m.Message = fmt.Sprintf("%q is not a duration; write it as 10s, 5m, 720h", found[1])
		for i, line := range strings.Split(string(text), "\n") {
			if at := strings.Index(line, ": "+found[1]); at >= 0 {
				m.Line, m.Column, m.Excerpt = i+1, at+3, fmt.Sprintf("> %2d | %s", i+1, line)
				break
			}
		}
	}
	var at yaml.Error
	if errors.As(err, &at) {
		m.Message = at.GetMessage()
		if t := at.GetToken(); t != nil && t.Position != nil {
			m.Line, m.Column = t.Position.Line, t.Position.Column
		}
		if _, excerpt, ok := strings.Cut(at.FormatError(false, true), "\n"); ok {
			m.Excerpt = excerpt
		}
	}
	return fault.Mistakes{m}
}

// Validate returns all that is wrong with c, as one error.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Data == "" {
		bad("data: no folder; give --data or REEVE_DATA")
	}
	if c.Domain != "" {
		if err := identity.CheckDomain(c.Domain); err != nil {
			bad("domain: %w", err)
		}
	}
	if c.Name != "" {
		if err := identity.CheckName(c.Name); err != nil {
			bad("name: %w", err)
		}
	}
	for _, b := range c.Bind {
		if net.ParseIP(b) == nil {
			bad("bind: %q is not an IP address", b)
		}
	}
	for _, a := range c.Advertise {
		if a == "" || strings.ContainsAny(a, "/ ") {
			bad("advertise: %q is not HOST or HOST:PORT", a)
		}
	}
	if c.Link.Heartbeat < time.Second || c.Link.Timeout < 2*c.Link.Heartbeat || c.Link.Tenure < c.Link.Timeout {
		bad("link: heartbeat %v, timeout %v, tenure %v; expected heartbeat >= 1s, timeout >= 2 x heartbeat, tenure >= timeout", c.Link.Heartbeat, c.Link.Timeout, c.Link.Tenure)
	}
	for name, k := range map[string]Keep{"runs": c.Retention.Runs, "output": c.Retention.Output} {
		if k.Age < 0 || k.Count < 0 {
			bad("retention.%s: age and count must not be negative", name)
		}
	}
	if c.Artifacts.Limit < 1 {
		bad("artifacts.limit: %d; expected bytes, at least 1", c.Artifacts.Limit)
	}
	if c.Disk.Reserve < 1<<20 {
		bad("disk.reserve: %d; expected bytes, at least %d", c.Disk.Reserve, 1<<20)
	}
	if c.Proofs.PerHour < 0 || c.Proofs.PerHour > maxProofs || c.Proofs.Keep < 0 {
		bad("proofs: per_hour %d, keep %v; expected 0 to %d, and no negative time", c.Proofs.PerHour, c.Proofs.Keep, maxProofs)
	}
	if c.Log.Level != "debug" && c.Log.Level != "info" && c.Log.Level != "warn" && c.Log.Level != "error" {
		bad("log.level: %q; expected debug, info, warn or error", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		bad("log.format: %q; expected text or json", c.Log.Format)
	}
	if err := c.Proxy.validate(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil
	}
	return fault.Wrap(fault.Invalid, "checking the configuration", errors.Join(errs...))
}
