package domain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/reeve-scheduler/reeve/internal/engine"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/fleet"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// Shelf keeps what attempts wrote: output in the store, artifacts as files named by their content.
type Shelf struct {
	Store  store.Store
	Engine func() *engine.Engine
	Hub    *Hub
	Folder string // of the artifacts
	Limit  int64  // bytes of one artifact
}

var _ fleet.Shelf = (*Shelf)(nil)

// owner returns the node that an attempt was ordered from.
func (s *Shelf) owner(ctx context.Context, a wire.Attempt) (string, error) {
	st, ok := s.Engine().OpenRun(a.Run)
	if !ok {
		var err error
		if st, err = s.Store.Run(ctx, a.Run); err != nil {
			return "", err
		}
	}
	j := find(&st, a.Job)
	if j == nil || a.N < 1 || a.N > len(j.Attempts) {
		return "", store.ErrNotFound
	}
	return j.Attempts[a.N-1].AgentID, nil
}

// AppendOutput implements fleet.Shelf. Chunks of attempts that are gone, or not this agent's, are not wanted.
func (s *Shelf) AppendOutput(ctx context.Context, agentID string, chunks []wire.OutputChunk) ([]int64, error) {
	have := make([]int64, len(chunks))
	var pieces []store.OutputPiece
	var places []int
	for i, c := range chunks {
		owner, err := s.owner(ctx, c.Attempt)
		if errors.Is(err, store.ErrNotFound) || err == nil && owner != agentID {
			have[i] = -1
			continue
		} else if err != nil {
			return nil, storeFault(err)
		}
		pieces = append(pieces, store.OutputPiece{Run: c.Attempt.Run, Job: c.Attempt.Job, N: c.Attempt.N, Offset: c.Offset, Data: c.Data})
		places = append(places, i)
	}
	if len(pieces) == 0 {
		return have, nil
	}
	sizes, err := s.Store.AppendOutput(ctx, pieces)
	if err != nil {
		return nil, storeFault(err)
	}
	for k, i := range places {
		have[i] = sizes[k]
		s.Hub.Output(chunks[i].Attempt.Run)
	}
	return have, nil
}

// OutputSizes implements fleet.Shelf.
func (s *Shelf) OutputSizes(ctx context.Context, attempts []wire.Attempt) ([]int64, error) {
	out := make([]int64, len(attempts))
	for i, a := range attempts {
		if _, err := s.owner(ctx, a); errors.Is(err, store.ErrNotFound) {
			out[i] = -1
			continue
		} else if err != nil {
			return nil, storeFault(err)
		}
		_, size, err := s.Store.ReadOutput(ctx, a.Run, a.Job, a.N, 0, 0)
		if err != nil {
			return nil, storeFault(err)
		}
		out[i] = size
	}
	return out, nil
}

func (s *Shelf) path(sum string) (string, error) {
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != sha256.Size {
		return "", fault.Newf(fault.Invalid, "%q is not a SHA-256 in hex", clip(sum))
	}
	return filepath.Join(s.Folder, sum[:2], sum), nil
}

// PutArtifact implements fleet.Shelf.
func (s *Shelf) PutArtifact(ctx context.Context, sum string, body io.Reader) (bool, error) {
	path, err := s.path(sum)
	if err != nil {
		return false, err
	}
	if _, err := os.Stat(path); err == nil {
		return false, nil
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return false, roomFault("making the artifacts' folder", err)
	}
	temp, err := os.CreateTemp(folder, ".incoming-*")
	if err != nil {
		return false, roomFault("making an artifact's file", err)
	}
	defer os.Remove(temp.Name()) // gone after the rename
	defer temp.Close()           // closed below where it matters
	h := sha256.New()
	size, err := io.Copy(io.MultiWriter(temp, h), io.LimitReader(body, s.Limit+1))
	switch {
	case err != nil:
		return false, roomFault("receiving an artifact", err)
	case size > s.Limit:
		return false, fault.New(fault.Invalid, fmt.Sprintf("the artifact is larger than %d bytes", s.Limit), "see artifacts.limit in the server's configuration")
	case hex.EncodeToString(h.Sum(nil)) != sum:
		return false, fault.New(fault.Invalid, "the artifact's bytes do not have the SHA-256 that was announced", "send it again")
	}
	if err := errors.Join(temp.Sync(), temp.Close()); err != nil {
		return false, roomFault("syncing an artifact", err)
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return false, roomFault("storing an artifact", err)
	}
	return true, errors.Join(syncFolder(folder), syncFolder(s.Folder))
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("syncing folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func roomFault(doing string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Wrap(fault.Disk, doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// OpenArtifact implements fleet.Shelf.
func (s *Shelf) OpenArtifact(_ context.Context, sum string) (io.ReadCloser, int64, error) {
	path, err := s.path(sum)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, fault.New(fault.NotFound, "the server does not have this artifact", "")
	} else if err != nil {
		return nil, 0, fmt.Errorf("opening an artifact: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("opening an artifact: %w", err), f.Close())
	}
	return f, info.Size(), nil
}
