package domain

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const (
	logPiece    = 256 << 10 // bytes read from the store at once
	logGone     = 10 * time.Minute
	logPatience = 2 * time.Second // looks again at the latest, should a signal have been missed
	logLate     = 5 * time.Second // how long after an attempt's end its last output may still be on its way
)

// Logs implements api.Service. Following ends when the run (or the job) has ended and all of its output is there.
// Also who does not follow gets all that has ended: output is stored beside the ends, and may come a moment later.
func (s *Service) Logs(ctx context.Context, q api.LogQuery, emit func(api.Log) error) error {
	st, _, err := s.state(ctx, q.Run, access.ViewLog)
	if err != nil {
		return err
	}
	if q.Stream != "" && q.Stream != "stdout" && q.Stream != "stderr" {
		return fault.Newf(fault.Invalid, "stream is %q; stdout, stderr or nothing", q.Stream)
	}
	if q.Job != "" {
		j := find(&st, q.Job)
		if j == nil {
			return fault.Newf(fault.NotFound, "run %s has no job %q", q.Run, q.Job)
		}
		if q.N != 0 && (q.N < 1 || q.N > len(j.Attempts)) && !q.Follow {
			return fault.Newf(fault.NotFound, "job %s of run %s has %d attempts, not one number %d", q.Job, q.Run, len(j.Attempts), q.N)
		}
	}
	w, stop := s.cfg.Hub.watch(q.Run)
	defer stop()
	r := &logReader{s: s, q: q, emit: emit, at: map[logKey]int64{}}
	for {
		w.take()
		if st, _, err = s.state(ctx, q.Run, access.ViewLog); err != nil {
			return err
		}
		done, err := r.pass(ctx, &st)
		if err != nil || done || !q.Follow && !r.late {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.signal:
		case <-time.After(logPatience):
		}
	}
}

func find(st *run.State, job string) *run.Job {
	for i := range st.Jobs {
		if st.Jobs[i].Name == job {
			return &st.Jobs[i]
		}
	}
	return nil
}

// logReader remembers how far each attempt's output has been told.
type logReader struct {
	s    *Service
	q    api.LogQuery
	emit func(api.Log) error
	at   map[logKey]int64
	late bool // in the last pass there was an attempt that has just ended and whose output is not all here
}

type logKey struct {
	job string
	n   int
}

// pass tells what is new and reports whether all is told that there will ever be.
func (r *logReader) pass(ctx context.Context, st *run.State) (bool, error) {
	complete := true
	r.late = false
	for i := range st.Jobs {
		j := &st.Jobs[i]
		if r.q.Job != "" && r.q.Job != j.Name {
			continue
		}
		complete = complete && (j.Status.Ended() || st.Status.Ended()) // of an unknown run nothing else can go on: a decision begins it anew
		for k := range j.Attempts {
			a := &j.Attempts[k]
			_, begun := r.at[logKey{j.Name, a.N}]
			if r.q.N != 0 && r.q.N != a.N || r.q.N == 0 && a.N != len(j.Attempts) && !begun {
				continue
			}
			all, err := r.attempt(ctx, st.ID, j.Name, a)
			if err != nil {
				return false, err
			}
			complete = complete && all
		}
	}
	return complete, nil
}

// attempt tells what is new of one attempt and reports whether that is all of it.
func (r *logReader) attempt(ctx context.Context, id, job string, a *run.Attempt) (bool, error) {
	key := logKey{job, a.N}
	for {
		data, size, err := r.s.cfg.Store.ReadOutput(ctx, id, job, a.N, r.at[key], logPiece)
		if err != nil {
			return false, storeFault(err)
		}
		used, err := r.records(data, job, a.N)
		if err != nil {
			return false, err
		}
		r.at[key] += int64(used)
		if used == 0 || r.at[key] >= size {
			// What has not come long after the end will not come: retention removed it, or its agent is gone.
			all := size >= a.Output || a.Status == run.Lost || a.Status.Ended() && r.s.cfg.Now().Sub(a.Ended) > logGone
			r.late = r.late || !all && a.Status.Ended() && r.s.cfg.Now().Sub(a.Ended) < logLate
			return a.Status.Ended() && all, nil
		}
	}
}

// records tells the whole records at the beginning of data and returns how many bytes they take.
func (r *logReader) records(data []byte, job string, n int) (int, error) {
	used := 0
	for {
		rec, size, err := wire.ParseRecord(data[used:])
		if err != nil {
			return 0, fault.Wrap(fault.Internal, fmt.Sprintf("output of %s/%d is damaged", job, n), err)
		}
		if size == 0 {
			return used, nil
		}
		used += size
		entry := api.Log{Job: job, Attempt: n, At: rec.At}
		switch rec.Stream {
		case wire.Stdout:
			entry.Stream = "stdout"
		case wire.Stderr:
			entry.Stream = "stderr"
		case wire.Gap:
			entry.Stream = "gap"
			for _, b := range rec.Data {
				entry.Lost = entry.Lost<<8 | int64(b)
			}
		}
		if rec.Stream != wire.Gap {
			if r.q.Stream != "" && r.q.Stream != entry.Stream {
				continue
			}
			entry.Text = string(rec.Data)
			if !utf8.Valid(rec.Data) {
				entry.Bytes = rec.Data
			}
		}
		if err := r.emit(entry); err != nil {
			return 0, err
		}
	}
}
