package forecast

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// whatIfs are changes of the world that is simulated.
type whatIfs struct {
	agents    map[string]int // name → slots; -1: it is down
	pools     map[string]int // id → size
	durations []longer
	without   map[string]bool
	nets      []string // that may be named
}

// longer changes how long the jobs of a net take. Job empty: all of them.
type longer struct {
	net, job string
	factor   float64       // 0: they take exactly to
	to       time.Duration // with factor 0
}

// Forms are the what-ifs, as they are written.
func Forms() []string {
	return []string{"agent-down=NAME", "agent-slots=NAME:N", "duration=NET[/JOB]:+50%|-20%|2x|10m", "pool-closed=ID", "pool-size=ID:N", "without=NET"}
}

func readWhatIfs(w *World, texts []string, known func(net string) bool) (*whatIfs, error) {
	c := &whatIfs{agents: map[string]int{}, pools: map[string]int{}, without: map[string]bool{}}
	for i := range w.Nets {
		if name := w.Nets[i].Name; known(name) {
			c.nets = append(c.nets, name)
		}
	}
	if len(texts) > MaxWhatIf {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("%d what-ifs are too many", len(texts)), fmt.Sprintf("give at most %d", MaxWhatIf))
	}
	for _, text := range texts {
		verb, value, ok := strings.Cut(text, "=")
		if !ok || value == "" {
			return nil, wrong(text, "it is not of the form NAME=VALUE", "write one of: "+strings.Join(Forms(), ", "))
		}
		if err := c.read(w, text, verb, value); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func wrong(text, why, fix string) error {
	return fault.New(fault.Invalid, fmt.Sprintf("what-if %q: %s", text, why), fix)
}

func (c *whatIfs) read(w *World, text, verb, value string) error {
	switch verb {
	case "agent-down":
		return c.agent(w, text, value, -1)
	case "agent-slots":
		name, n, err := named(text, value)
		if err != nil {
			return err
		}
		return c.agent(w, text, name, n)
	case "pool-closed":
		return c.pool(w, text, value, 0)
	case "pool-size":
		id, n, err := named(text, value)
		if err != nil {
			return err
		}
		return c.pool(w, text, id, n)
	case "without":
		if !slices.Contains(c.nets, value) {
			return wrong(text, "there is no net "+value+" with a schedule", oneOf("nets with schedules", c.nets))
		}
		c.without[value] = true
		return nil
	case "duration":
		return c.longer(w, text, value)
	}
	return wrong(text, "there is no what-if "+verb, "write one of: "+strings.Join(Forms(), ", "))
}

// named reads NAME:N.
func named(text, value string) (string, int, error) {
	at := strings.LastIndexByte(value, ':')
	if at > 0 {
		if n, err := strconv.Atoi(value[at+1:]); err == nil && n >= 0 && n <= 1_000_000 {
			return value[:at], n, nil
		}
	}
	return "", 0, wrong(text, "it is not of the form NAME:N", "N is a number from 0")
}

func (c *whatIfs) agent(w *World, text, name string, slots int) error {
	var names []string
	for i := range w.Agents {
		names = append(names, w.Agents[i].Name)
	}
	if !slices.Contains(names, name) {
		return wrong(text, "there is no agent "+name, oneOf("agents", names))
	}
	c.agents[name] = slots
	return nil
}

func (c *whatIfs) pool(w *World, text, id string, size int) error {
	var ids []string
	for _, p := range w.Pools {
		if !slices.Contains(ids, p.ID) {
			ids = append(ids, p.ID)
		}
	}
	if !slices.Contains(ids, id) {
		return wrong(text, "no job and no callback takes ports of a pool "+id, oneOf("pools", ids))
	}
	c.pools[id] = size
	return nil
}

// longer reads NET:AMOUNT or NET/JOB:AMOUNT. The names of nets may have strokes too: the longest that is a net is meant.
func (c *whatIfs) longer(w *World, text, value string) error {
	at := strings.LastIndexByte(value, ':')
	if at < 1 {
		return wrong(text, "it does not say how long", "write duration=NET:+50%, NET/JOB:2x or NET/JOB:10m")
	}
	name, amount := value[:at], value[at+1:]
	l := longer{net: name}
	if !slices.Contains(c.nets, name) {
		stroke := strings.LastIndexByte(name, '/')
		if stroke < 0 || !slices.Contains(c.nets, name[:stroke]) {
			return wrong(text, "there is no net "+name+" with a schedule", oneOf("nets with schedules", c.nets))
		}
		l.net, l.job = name[:stroke], name[stroke+1:]
		if jobs := jobNames(w, l.net); !slices.Contains(jobs, l.job) {
			return wrong(text, "net "+l.net+" has no job "+l.job, oneOf("jobs", jobs))
		}
	}
	if !l.read(amount) {
		return wrong(text, fmt.Sprintf("%q is no change of a duration", amount), "write +50%, -20%, 2x or a duration as 10m")
	}
	c.durations = append(c.durations, l)
	return nil
}

func (l *longer) read(amount string) bool {
	switch {
	case strings.HasSuffix(amount, "%"):
		n, err := strconv.ParseFloat(strings.TrimSuffix(amount, "%"), 64)
		l.factor = 1 + n/100
		return err == nil && (amount[0] == '+' || amount[0] == '-') && l.factor > 0 && l.factor <= 1000
	case strings.HasSuffix(amount, "x"):
		n, err := strconv.ParseFloat(strings.TrimSuffix(amount, "x"), 64)
		l.factor = n
		return err == nil && n > 0 && n <= 1000
	}
	d, err := time.ParseDuration(amount)
	l.to = d
	return err == nil && d > 0 && d <= 366*24*time.Hour
}

// world applies what is about agents and pools.
func (c *whatIfs) world(w *World) {
	w.Agents, w.Pools = slices.Clone(w.Agents), slices.Clone(w.Pools)
	for i := range w.Agents {
		switch slots, ok := c.agents[w.Agents[i].Name]; {
		case ok && slots < 0:
			w.Agents[i].Linked = false
		case ok:
			w.Agents[i].Slots = slots
		}
	}
	for i := range w.Pools {
		if size, ok := c.pools[w.Pools[i].ID]; ok {
			w.Pools[i].Size = size
		}
	}
}

// duration applies what is about a job's durations.
func (c *whatIfs) duration(net, job string, s *spread) {
	for _, l := range c.durations {
		switch {
		case l.net != net || l.job != "" && l.job != job:
		case l.factor > 0:
			s.scale *= l.factor
		default:
			s.seen, s.scale, s.wide = Seen(l.to), 1, 1
		}
	}
}

func jobNames(w *World, net string) []string {
	var names []string
	for i := range w.Nets {
		if n := &w.Nets[i]; n.Name == net {
			for k := range n.Jobs {
				names = append(names, n.Jobs[k].Name)
			}
		}
	}
	return names
}

// oneOf says what is possible, the first of many.
func oneOf(what string, names []string) string {
	const most = 12
	if len(names) == 0 {
		return "there are no " + what
	}
	names = slices.Sorted(slices.Values(names))
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	return "the " + what + " are: " + strings.Join(names, ", ") + more
}
