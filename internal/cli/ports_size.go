package cli

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

// sizeFlags are what is known of a pool. What is not given comes from the plan's pool; where one of parallel, rate and
// duration is given, none of the three does, because they belong together.
type sizeFlags struct {
	plan                 *planFlags
	command              *cobra.Command
	pool                 string
	parallel             int
	rate, duration, hold string
	blocking             float64
}

// sizing is what `ports size -o json` prints. A figure is null where nothing is known that it is made of.
type sizing struct {
	Guaranteed   *int    `json:"guaranteed"`
	ErlangB      *int    `json:"erlang_b"`
	Burst        *int    `json:"burst"`
	ParallelRate *int    `json:"parallel_rate"`
	Ports        int     `json:"ports"`
	Range        *string `json:"range"`
	Formula      string  `json:"formula"`

	Pool        *string  `json:"pool"`
	Has         *int     `json:"pool_size"` // how many leases the pool's present numbers are enough for
	Parallel    *int     `json:"parallel"`
	Rate        *float64 `json:"rate"`     // a second
	Duration    *string  `json:"duration"` // of a lease
	Hold        string   `json:"hold"`
	HoldReasons []string `json:"hold_reasons"`
	Blocking    float64  `json:"blocking"`
}

func (a *app) portsSize() *cobra.Command {
	f := sizeFlags{}
	c := &cobra.Command{
		Use: "size [--parallel P] [--rate R] [--duration D] [--hold H] [--blocking B]", Short: "how many ports a pool needs, and which range that is", Args: cobra.NoArgs,
		Long: "Count the ports that a pool needs for P leases at one time, R that begin in a second, each lasting D, with a released port held for H, where the part B " +
			"of requests may find the pool full. `ports` is the answer: the largest of\n\n" +
			"  guaranteed     ceil(P (1 + H/D)): leases that follow one another without a gap, their ends spread over time\n" +
			"  erlang_b       leases that begin at random: Erlang B with the load R (D + H), R at most P/D\n" +
			"  parallel_rate  P + ceil(R H): at most P run, and no time as long as H sees more than R H of them begin\n\n" +
			"as far as they are known; `burst` is what is needed where P leases begin at one instant, again and again.\n\n" + exitHelp,
		RunE: func(*cobra.Command, []string) error { return a.size(&f) },
	}
	f.plan, f.command = a.planFlags(c), c
	fl := c.Flags()
	fl.StringVar(&f.pool, "pool", "", "pool of the plan (its only one)")
	fl.IntVar(&f.parallel, "parallel", 0, "leases at one time")
	fl.StringVar(&f.rate, "rate", "", "leases that begin in a time: 20/s, 10/m, 5/h")
	fl.StringVar(&f.duration, "duration", "", "how long a lease lasts: 30s, 10m")
	fl.StringVar(&f.hold, "hold", "", "how long a released port is held: 120s (the pool's)")
	fl.Float64Var(&f.blocking, "blocking", 0, "part of the requests that may find the pool full (the pool's, else 0.001)")
	return c
}

func (a *app) size(f *sizeFlags) error {
	site, found, err := f.plan.load()
	if err != nil {
		return err
	}
	pool, err := f.choose(site.Compiled)
	if err != nil {
		return err
	}
	capacity, hold, err := f.capacity(pool)
	if err != nil {
		return err
	}
	if err := capacity.Check(hold); err != nil {
		return fault.New(fault.Invalid, err.Error(), "see `reeve ports size --help`")
	}
	size := ports.Size(capacity, hold, pool.Parity, pool.Pair.ID != "")
	out := sizing{
		Guaranteed: known(size.Guaranteed), ErlangB: known(size.ErlangB), Burst: known(size.Burst), ParallelRate: known(size.ParallelRate),
		Ports: size.Ports, Formula: size.Formula, Parallel: known(capacity.Parallel), Hold: short(hold), HoldReasons: []string{}, Blocking: capacity.Blocking,
	}
	if capacity.Blocking == 0 {
		out.Blocking = ports.DefaultBlocking
	}
	if capacity.Rate > 0 {
		out.Rate = &capacity.Rate
	}
	if capacity.Duration > 0 {
		d := short(capacity.Duration)
		out.Duration = &d
	}
	if pool.ID != "" {
		out.Pool, out.Has = &pool.ID, &pool.Size
		if !f.command.Flags().Changed("hold") {
			out.HoldReasons = append(out.HoldReasons, pool.Hold.Reasons...)
		}
		if r, ok := pool.Fit(size.Width); ok {
			text := fmt.Sprintf("%d-%d", r.First, r.Last)
			out.Range = &text
		}
	}
	if err := a.print(out, func(w io.Writer) { out.table(w, pool, size) }); err != nil {
		return err
	}
	return a.usable(f.plan, found)
}

// known is a figure, nil for one that could not be counted.
func known(n int) *int {
	if n == 0 || n > math.MaxUint16 {
		return nil
	}
	return &n
}

// choose returns the pool that is meant: the named one, or the plan's only one, or none.
func (f *sizeFlags) choose(c ports.Compiled) (ports.ResolvedPool, error) {
	var ids []string
	for _, p := range c.Pools {
		if p.ID == f.pool {
			return p, nil
		}
		ids = append(ids, p.ID)
	}
	if f.pool != "" {
		return ports.ResolvedPool{}, fault.New(fault.NotFound, fmt.Sprintf("the plan %s has no pool %q", c.Plan, f.pool), "it has "+orNone(ids))
	}
	if len(c.Pools) == 1 {
		return c.Pools[0], nil
	}
	changed := f.command.Flags().Changed
	if !changed("parallel") && !changed("rate") && !changed("duration") {
		return ports.ResolvedPool{}, fault.New(fault.Invalid, "it is not said what to count", "give --parallel, --rate and --duration, or --pool; the plan "+c.Plan+" has the pools "+orNone(ids))
	}
	return ports.ResolvedPool{}, nil
}

// capacity lays the flags over what the pool says.
func (f *sizeFlags) capacity(pool ports.ResolvedPool) (ports.Capacity, time.Duration, error) {
	c, hold := pool.Capacity, pool.Hold.Min
	changed := f.command.Flags().Changed
	if changed("parallel") || changed("rate") || changed("duration") {
		c.Parallel, c.Rate, c.Duration = 0, 0, 0
	}
	var err error
	if changed("parallel") {
		if c.Parallel = f.parallel; c.Parallel <= 0 {
			err = fault.New(fault.Invalid, fmt.Sprintf("--parallel is %d", f.parallel), "it is a number of leases, at least 1")
		}
	}
	if changed("rate") && err == nil {
		c.Rate, err = rateFlag(f.rate)
	}
	if changed("duration") && err == nil {
		if c.Duration, err = durationFlag("duration", f.duration); err == nil && c.Duration == 0 {
			err = fault.New(fault.Invalid, "--duration is 0", "a lease lasts some time: 30s, 10m")
		}
	}
	if changed("hold") && err == nil {
		hold, err = durationFlag("hold", f.hold)
	}
	if changed("blocking") {
		if c.Blocking = f.blocking; c.Blocking == 0 && err == nil {
			err = fault.New(fault.Invalid, "--blocking is 0", "no pool is never full under random load: give a small part such as 0.001")
		}
	}
	return c, hold, err
}

// rateFlag reads 20/s, 10/m or 5/h as leases a second.
func rateFlag(text string) (float64, error) {
	amount, unit, _ := strings.Cut(text, "/")
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	n, err := strconv.ParseFloat(amount, 64)
	if err != nil || seconds == 0 || !(n > 0) || math.IsInf(n, 0) {
		return 0, fault.New(fault.Invalid, fmt.Sprintf("--rate is %q", text), "it is a number above 0 in a time: 0.1667/s, 20/s, 10/m or 5/h")
	}
	return n / seconds, nil
}

func durationFlag(flag, text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fault.New(fault.Invalid, fmt.Sprintf("--%s is %q", flag, text), "it is a time with its unit: 30s, 10m or 1h30m")
	}
	return d, nil
}

// short prints a duration without the zeros at its end: 10m, and not 10m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (s sizing) table(w io.Writer, pool ports.ResolvedPool, size ports.Sizing) {
	line(w, "FIGURE", "PORTS", "WHERE")
	line(w, "guaranteed", s.Guaranteed, "leases follow one another without a gap, ends spread over time")
	line(w, "erlang_b", s.ErlangB, fmt.Sprintf("leases begin at random, %g %% may be turned away", 100*s.Blocking))
	line(w, "burst", s.Burst, "all begin at one instant, again and again")
	line(w, "parallel_rate", s.ParallelRate, "so many run, and no more than the rate begin while one is held")
	line(w, "ports", s.Ports, s.Formula)
	if s.Pool == nil {
		return
	}
	var has []string
	for _, r := range pool.Ranges {
		has = append(has, fmt.Sprintf("%d-%d", r.First, r.Last))
	}
	what := fmt.Sprintf("of pool %s, which has %s: %d leases", *s.Pool, orNone(has), pool.Size)
	if size.Width != size.Ports {
		what += fmt.Sprintf("; every lease takes two numbers (%s)", strings.Join(slices.DeleteFunc([]string{string(pool.Parity), pool.Pair.ID}, func(s string) bool { return s == "" }), ", "))
	}
	line(w, "range", s.Range, what)
	reasons := ""
	if len(s.HoldReasons) > 0 {
		reasons = " because of " + strings.Join(s.HoldReasons, ", ")
	}
	fmt.Fprintf(w, "\na released port is held for %s%s\n", s.Hold, reasons)
}
