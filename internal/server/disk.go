package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

const diskEvery = 2 * time.Second

// watchDisk keeps a reserve on the data folder's disk: a file that is given up when the disk is full, so that ends
// can still be stored, and made again when there is room. Below the reserve nothing new is accepted or started.
func (s *Server) watchDisk(ctx context.Context) error {
	path := filepath.Join(s.cfg.Data, "reserve")
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	for {
		s.lookAtDisk(path)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *Server) lookAtDisk(path string) {
	free, err := freeBytes(s.cfg.Data)
	if err != nil {
		s.env.Log.Warn("looking at the disk", slog.Any("error", err))
		return
	}
	held := s.engine.Disk() != ""
	_, err = os.Stat(path)
	reserved := err == nil
	switch {
	case reserved && free < s.cfg.Disk.Reserve/4: // give the reserve up: ends need it
		if err := os.Remove(path); err != nil {
			s.env.Log.Warn("giving up the reserve on the disk", slog.Any("error", err))
		}
		s.setDisk(true, free)
	case !reserved && free >= 2*s.cfg.Disk.Reserve:
		if err := reserve(path, s.cfg.Disk.Reserve); err != nil {
			s.env.Log.Warn("reserving room on the disk", slog.Any("error", err))
			_ = os.Remove(path)
			s.setDisk(true, free)
			return
		}
		s.setDisk(false, free)
	case !reserved:
		s.setDisk(true, free)
	case held:
		s.setDisk(false, free)
	}
}

func (s *Server) setDisk(full bool, free int64) {
	was := s.engine.Disk()
	if !full {
		if was != "" {
			s.env.Log.Info("there is room on the disk again", slog.Any("free", free))
		}
		s.engine.SetDisk("")
		return
	}
	if was == "" {
		s.env.Log.Error("the disk is almost full: nothing new is accepted or started until there is room", slog.Any("folder", s.cfg.Data), slog.Any("free", free))
	}
	s.engine.SetDisk(fmt.Sprintf("the disk of the server's data folder is almost full (%d MiB free)", free>>20))
}

// reserve writes a file of zeros: blocks that are really taken, on every file system.
func reserve(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for size > 0 && err == nil {
		n := min(size, int64(len(zeros)))
		_, err = f.Write(zeros[:n])
		size -= n
	}
	return errors.Join(err, f.Close())
}
