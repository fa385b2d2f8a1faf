package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func (a *app) runCommand() *cobra.Command {
	c := a.dataFlag(&cobra.Command{Use: "run", Short: "runs: start, follow, steer"})
	c.AddCommand(a.runStart(), a.runList(), a.runShow(), a.runLogs(), a.runWatch(), a.runDecide(),
		a.runVerb("cancel", "end a run: what runs is told to end, what has not started never will"),
		a.runVerb("hold", "start no more jobs of a run"),
		a.runVerb("release", "let a held run go on"),
		a.runRerun())
	return c
}

func (a *app) runStart() *cobra.Command {
	var params []string
	var wait bool
	var key string
	var version int
	var back backFlags
	c := &cobra.Command{
		Use: "start NET [--param k=v]…", Short: "start a run; prints its id as the last line", Args: cobra.ExactArgs(1),
		Long: "Start a run of a net; its id is the last line printed.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			values, err := parsePairs("parameter", params, true)
			if err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			r, err := client.StartRun(c.Context(), api.StartRun{Net: args[0], Version: version, Params: values, Key: key})
			if err != nil {
				return err
			}
			return a.started(c.Context(), client, r, wait, &back)
		},
	}
	c.Flags().StringArrayVar(&params, "param", nil, "a parameter, NAME=VALUE; may be given several times")
	c.Flags().BoolVar(&wait, "wait", false, "wait for the end, and exit by it")
	c.Flags().StringVar(&key, "key", "", "makes the order safe to repeat: the same key gives the same run")
	c.Flags().IntVar(&version, "version", 0, "version of the net; 0: the newest")
	return back.add(c)
}

// started prints a new run: its id as the last line, or with -o json the object; with wait after its end.
func (a *app) started(ctx context.Context, client *api.Client, r api.Run, wait bool, back *backFlags) error {
	if wait {
		var err error
		if r, err = a.await(ctx, client, r.ID, back, nil); err != nil {
			if a.output == "table" {
				fmt.Fprintln(a.out, r.ID)
			}
			return err
		}
	}
	if a.output != "table" {
		if err := a.print(r, nil); err != nil {
			return err
		}
	} else {
		if wait {
			fmt.Fprintf(a.out, "%s %s%s\n", r.Net, r.State, because(r.Reason))
		}
		fmt.Fprintln(a.out, r.ID)
	}
	if wait {
		return endCode(r)
	}
	return nil
}

func because(reason *string) string {
	if reason == nil || *reason == "" {
		return ""
	}
	return " (" + *reason + ")"
}

// endCode is the exit code of a run's end.
func endCode(r api.Run) error {
	switch r.State {
	case "succeeded", "warning":
		return nil
	case "unknown":
		return &exitError{6}
	}
	return &exitError{1}
}

func ended(state string) bool {
	switch state {
	case "succeeded", "warning", "failed", "cancelled", "unknown":
		return true
	}
	return false
}

const (
	retryPause = 500 * time.Millisecond
	patience   = 2 * time.Minute // a server that restarts is waited for
)

// await follows a run to its end, over restarts of the server. seen is told of each state, where it is not nil.
func await(ctx context.Context, client *api.Client, id string, seen func(api.Run)) (api.Run, error) {
	last := api.Run{ID: id}
	var away time.Time
	for {
		r, err := follow(ctx, client, id, seen)
		switch {
		case ctx.Err() != nil:
			return last, fault.New(fault.Interrupted, "interrupted; the run "+id+" goes on", "`reeve run watch "+id+"` follows it again")
		case err == nil:
			return r, nil
		case !fault.Is(err, fault.Unreachable):
			return last, err
		case away.IsZero():
			away = time.Now()
		case time.Since(away) > patience:
			return last, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryPause):
		}
	}
}

var errEnded = errors.New("ended")

// follow reads a run at each change until it has ended.
func follow(ctx context.Context, client *api.Client, id string, seen func(api.Run)) (api.Run, error) {
	var r api.Run
	look := func() error {
		var err error
		if r, err = client.Run(ctx, id); err != nil {
			return err
		}
		if seen != nil {
			seen(r)
		}
		if ended(r.State) {
			return errEnded
		}
		return nil
	}
	// The watch begins before the first look, so that no change falls between them.
	watching, stop := context.WithCancel(ctx)
	defer stop()
	changes := make(chan struct{}, 1)
	broken := make(chan error, 1)
	go func() {
		broken <- client.Watch(watching, id, func(api.Change) error {
			select {
			case changes <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		if err := look(); errors.Is(err, errEnded) {
			return r, nil
		} else if err != nil {
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, context.Cause(ctx)
		case <-changes:
		case <-tick.C:
		case err := <-broken:
			if err == nil {
				err = fault.New(fault.Unreachable, "the server ended the watch", "")
			}
			return r, err
		}
	}
}

func (a *app) runList() *cobra.Command {
	var q api.RunQuery
	c := &cobra.Command{
		Use: "list", Short: "list runs, newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			runs, err := client.ListRuns(c.Context(), q)
			if err != nil {
				return err
			}
			return a.print(runs, func(w io.Writer) {
				line(w, "ID", "NET", "SCHEDULE", "STATE", "REASON", "JOBS", "CREATED", "ENDED", "BY")
				for _, r := range runs {
					line(w, r.ID, r.Net, r.Schedule, r.State, r.Reason, fmt.Sprintf("%d/%d", r.Done, r.Jobs), r.Created, r.Ended, r.By)
				}
			})
		},
	}
	c.Flags().StringVar(&q.Net, "net", "", "only of this net")
	c.Flags().StringVar(&q.Folder, "folder", "", "only of nets below this folder")
	c.Flags().StringVar(&q.Schedule, "schedule", "", "only occurrences of this schedule; manual: added by hand")
	c.Flags().StringSliceVar(&q.States, "state", nil, "only in these states")
	c.Flags().StringVar(&q.Before, "before", "", "only older than this run: the next page")
	c.Flags().IntVar(&q.Limit, "limit", 50, "at most so many, up to 1000")
	return c
}

func (a *app) runShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "show a run with its jobs and attempts", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			r, err := client.Run(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) { showRun(w, r) })
		},
	}
}

func showRun(w io.Writer, r api.Run) {
	fmt.Fprintf(w, "run\t%s\nnet\t%s (version %d)\nstate\t%s%s\n", r.ID, r.Net, r.Version, r.State, because(r.Reason))
	if r.Schedule != nil && r.Nominal != nil {
		line(w, "occurrence", fmt.Sprintf("%s, nominal %s", *r.Schedule, cell(r.Nominal)))
	}
	line(w, "by", r.By)
	line(w, "created", r.Created)
	line(w, "started", r.Started)
	line(w, "ended", r.Ended)
	line(w, "params", r.Params)
	fmt.Fprintln(w)
	line(w, "JOB", "STATE", "REASON", "TRY", "AGENT", "EXIT", "STARTED", "TOOK")
	for _, j := range r.Jobs {
		if len(j.Attempts) == 0 {
			line(w, j.Name, j.State, j.Reason, nil, nil, nil, nil, nil)
		}
		for i, t := range j.Attempts {
			name, state, reason := "", t.State, t.Reason
			if i == 0 {
				name = j.Name
			}
			if i == len(j.Attempts)-1 {
				state, reason = j.State, j.Reason
			}
			if name == "" {
				name = "·"
			}
			line(w, name, state, reason, t.N, t.Agent, exit(t), t.Started, took(t))
		}
	}
}

func exit(t api.Attempt) string {
	switch {
	case t.Signal != nil:
		return *t.Signal
	case t.ExitCode != nil:
		return strconv.Itoa(*t.ExitCode)
	}
	return ""
}

func took(t api.Attempt) string {
	switch {
	case t.Started == nil:
		return ""
	case t.Ended == nil:
		return "…"
	}
	return t.Ended.Sub(*t.Started).Round(time.Millisecond).String()
}

// splitRun reads RUN[/JOB[/N]].
func splitRun(arg string) (run, job string, n int, err error) {
	parts := strings.Split(arg, "/")
	if len(parts) > 3 || parts[0] == "" {
		return "", "", 0, fault.New(fault.Invalid, fmt.Sprintf("%q is not RUN[/JOB[/N]]", arg), "")
	}
	run = parts[0]
	if len(parts) > 1 {
		job = parts[1]
	}
	if len(parts) > 2 {
		if n, err = strconv.Atoi(parts[2]); err != nil || n < 1 {
			return "", "", 0, fault.New(fault.Invalid, fmt.Sprintf("%q is not the number of an attempt", parts[2]), "attempts count from 1")
		}
	}
	return run, job, n, nil
}

func (a *app) runLogs() *cobra.Command {
	var follow, stdout, stderr bool
	c := &cobra.Command{
		Use: "logs RUN[/JOB[/N]] [-f]", Short: "print output; of a job its last attempt's", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, job, n, err := splitRun(args[0])
			if err != nil {
				return err
			}
			q := api.LogQuery{Run: id, Job: job, N: n, Follow: follow}
			switch {
			case stdout && stderr:
			case stdout:
				q.Stream = "stdout"
			case stderr:
				q.Stream = "stderr"
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			return client.Logs(c.Context(), q, func(l api.Log) error { return a.printLog(l, job == "", job != "" && q.Stream != "") })
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the end")
	c.Flags().BoolVar(&stdout, "stdout", false, "only standard output")
	c.Flags().BoolVar(&stderr, "stderr", false, "only standard error")
	return c
}

// printLog writes a piece of output as it was written; of a whole run (named) each line says whose it is. A gap is
// said among the lines, or on standard error where a single stream of one job was asked for.
func (a *app) printLog(l api.Log, named, single bool) error {
	if a.output != "table" {
		return a.print(l, nil)
	}
	text := []byte(l.Text)
	if len(l.Bytes) > 0 {
		text = l.Bytes
	}
	if l.Stream == "gap" {
		text = fmt.Appendf(nil, "[%s]\n", l.Missing(fmt.Sprintf("%d bytes", l.Lost)))
		if single { // nothing but the job's own bytes goes where they may be kept
			_, err := a.errs.Write(text)
			return err
		}
	}
	if named {
		var b []byte
		for _, part := range strings.SplitAfter(string(text), "\n") {
			if part != "" {
				b = fmt.Appendf(b, "%s | %s", l.Job, part)
			}
		}
		if len(b) > 0 && b[len(b)-1] != '\n' {
			b = append(b, '\n')
		}
		text = b
	}
	_, err := a.out.Write(text)
	return err
}

func (a *app) runWatch() *cobra.Command {
	var back backFlags
	return back.add(&cobra.Command{
		Use: "watch ID", Short: "follow a run to its end, and exit by it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			told := map[string]string{}
			r, err := a.await(c.Context(), client, args[0], &back, func(r api.Run) {
				if a.output == "table" {
					a.progress(r, told)
				}
			})
			if err != nil {
				return err
			}
			if a.output != "table" {
				if err := a.print(r, nil); err != nil {
					return err
				}
			}
			return endCode(r)
		},
	})
}

// progress prints a line for each job and for the run whose state has changed since it was told last.
func (a *app) progress(r api.Run, told map[string]string) {
	say := func(key, what, state string, reason *string, where string) {
		now := state + because(reason)
		if told[key] == now {
			return
		}
		told[key] = now
		fmt.Fprintf(a.out, "%s  %-24s %s%s\n", time.Now().Format("15:04:05.000"), printable(what), now, where)
	}
	for _, j := range r.Jobs {
		where := ""
		if n := len(j.Attempts); n > 0 {
			where = fmt.Sprintf("  on %s", printable(j.Attempts[n-1].Agent))
			if n > 1 {
				where += fmt.Sprintf(", attempt %d", n)
			}
		}
		if j.State == "waiting" && len(j.Attempts) == 0 {
			continue
		}
		say("job "+j.Name, "  "+j.Name, j.State, j.Reason, where)
	}
	say("run", r.Net, r.State, r.Reason, "  "+r.ID)
}

func (a *app) runVerb(verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			r, err := client.ControlRun(c.Context(), args[0], verb)
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) { fmt.Fprintf(w, "%s: %s%s\n", r.ID, r.State, because(r.Reason)) })
		},
	}
}

func (a *app) runRerun() *cobra.Command {
	var wait bool
	var back backFlags
	c := &cobra.Command{
		Use: "rerun ID", Short: "start the same version with the same parameters again; prints the new id", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			r, err := client.RerunRun(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.started(c.Context(), client, r, wait, &back)
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait for the end, and exit by it")
	return back.add(c)
}

func (a *app) runDecide() *cobra.Command {
	var as string
	c := &cobra.Command{
		Use: "decide RUN/JOB --as succeeded|failed|rerun", Short: "settle a job whose end is unknown", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, job, n, err := splitRun(args[0])
			if err != nil {
				return err
			}
			if job == "" || n != 0 {
				return fault.Newf(fault.Invalid, "%q is not RUN/JOB", args[0])
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			r, err := client.DecideJob(c.Context(), id, job, api.Decision{As: as})
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) { fmt.Fprintf(w, "%s: %s%s\n", r.ID, r.State, because(r.Reason)) })
		},
	}
	c.Flags().StringVar(&as, "as", "", "succeeded, failed or rerun")
	_ = c.MarkFlagRequired("as")
	return c
}
