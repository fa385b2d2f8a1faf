package domain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// wants keeps what the newest version of each net wants of agents and paths, of those nets that were asked for. A server has very many nets,
// and few ways to want something: it reads no more of a definition than that.
type wants struct {
	mu   sync.Mutex
	nets map[string][]wanted
	said map[string]*wish // by the words of a definition
}

// wanted is a job with what it wants.
type wanted struct {
	job string
	*wish
}

// wish is what jobs want of an agent, and that it can reach.
type wish struct {
	n     int // from 0: one for each
	agent jobnet.Agent
	needs []jobnet.Destination
}

// Where so many are missing, all are read.
const (
	wantsOne  = 200
	wantsPage = 1000
)

// forget has a net read again.
func (w *wants) forget(net string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.nets, net)
}

// each calls f with what each of some nets wants, and its position among them. Those that do not exist are left out.
func (w *wants) each(ctx context.Context, st store.Nets, nets []string, f func(at int, jobs []wanted)) error {
	w.mu.Lock() // also while it reads: a net that is applied meanwhile is forgotten after that
	defer w.mu.Unlock()
	if w.nets == nil {
		w.nets, w.said = map[string][]wanted{}, map[string]*wish{}
	}
	var missing []string
	var places []int
	for i, net := range nets {
		if jobs, known := w.nets[net]; known {
			f(i, jobs)
		} else {
			missing, places = append(missing, net), append(places, i)
		}
	}
	if err := w.learn(ctx, st, missing); err != nil {
		return err
	}
	for _, i := range places {
		if jobs, ok := w.nets[nets[i]]; ok {
			f(i, jobs)
		}
	}
	return nil
}

// learn reads what is missing.
func (w *wants) learn(ctx context.Context, st store.Nets, missing []string) error {
	if len(missing) > wantsOne {
		return w.all(ctx, st)
	}
	for _, net := range missing {
		v, err := st.Net(ctx, net, 0)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := w.read(&v); err != nil {
			return err
		}
	}
	return nil
}

// all reads every net.
func (w *wants) all(ctx context.Context, st store.Nets) error {
	after := ""
	for {
		page, err := st.NewestNets(ctx, after, wantsPage)
		if err != nil {
			return err
		}
		for i := range page {
			if err := w.read(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < wantsPage {
			return nil
		}
		after = page[len(page)-1].Name
	}
}

// read takes what is wanted out of the canonical text of a net: it has a line for the name of each job, and one for each of its fields, with what
// belongs to it indented below. Only words that were not seen before are parsed.
func (w *wants) read(v *store.NetVersion) error {
	_, text, _ := strings.Cut(v.Text, "\njobs:\n")
	var jobs []wanted
	name, words, keep := "", strings.Builder{}, false
	flush := func() error {
		if name == "" {
			return nil
		}
		is, err := w.wish(words.String())
		if err != nil {
			return fmt.Errorf("reading job %s of stored net %s version %d: %w", name, v.Name, v.Version, err)
		}
		jobs = append(jobs, wanted{strings.Clone(name), is})
		words.Reset()
		return nil
	}
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "  - name: "):
			if err := flush(); err != nil {
				return err
			}
			name, keep = strings.Trim(strings.TrimSpace(line[len("  - name: "):]), `"'`), false
			continue
		case strings.HasPrefix(line, "    ") && line[4] > ' ':
			keep = strings.HasPrefix(line, "    agent:") || strings.HasPrefix(line, "    needs:")
		}
		if keep {
			words.WriteString(line)
		}
	}
	if err := flush(); err != nil {
		return err
	}
	w.nets[strings.Clone(v.Name)] = jobs
	return nil
}

// wish parses the words of a job.
func (w *wants) wish(words string) (*wish, error) {
	if is, ok := w.said[words]; ok {
		return is, nil
	}
	nets, err := jobfile.Parse("net", []byte("net: a\njobs:\n  - name: a\n    command: [a]\n"+words))
	if err != nil || len(nets) != 1 {
		return nil, errors.Join(errors.New("what it wants of an agent cannot be read"), err)
	}
	is := &wish{n: len(w.said), agent: nets[0].Jobs[0].Agent, needs: nets[0].Jobs[0].Needs}
	w.said[words] = is
	return is, nil
}
