package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// manifestFile is written last: a folder without it is not a backup.
const manifestFile = "backup.json"

// manifest says of when a backup is, and what its files must be.
type manifest struct {
	Time  time.Time           `json:"time"`
	Epoch int64               `json:"epoch"`
	Files map[string]fileHash `json:"files"`
}

type fileHash struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Backup implements store.Domain. State is copied before output: output that a run does not know of yet is
// harmless, because what is sent again is known by its offset.
func (s *Store) Backup(ctx context.Context, folder string) error {
	made, err := s.backup(ctx, folder)
	if err != nil {
		for _, path := range made {
			err = errors.Join(err, os.Remove(path))
		}
		return fmt.Errorf("backing up to %s: %w", folder, diskError(err))
	}
	return nil
}

func (s *Store) backup(ctx context.Context, folder string) (made []string, err error) {
	if err := emptyFolder(folder); err != nil {
		return nil, err
	}
	m := manifest{Time: s.now().UTC(), Files: map[string]fileHash{}}
	for _, name := range []string{stateFile, outputFile} {
		path := filepath.Join(folder, name)
		if err := makePrivate(path); err != nil { // SQLite fills an empty file, and keeps its mode
			return made, err
		}
		made = append(made, path)
		if err := s.copyInto(ctx, name, path); err != nil {
			return made, err
		}
		if m.Files[name], err = hashAndSync(path); err != nil {
			return made, err
		}
	}
	if m.Epoch, err = s.Epoch(ctx); err != nil {
		return made, err
	}
	path := filepath.Join(folder, manifestFile)
	made = append(made, path)
	if err := writeManifest(path, m); err != nil {
		return made, err
	}
	return made, syncFolder(folder)
}

// copyInto writes a consistent copy of a file with a connection of its own: it may take long.
func (s *Store) copyInto(ctx context.Context, name, path string) (err error) {
	k, err := newConnector(filepath.Join(s.folder, name), settings(name == outputFile))
	if err != nil {
		return err
	}
	c, err := k.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return c.run(ctx, "VACUUM INTO ?", path)
}

func emptyFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	list, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	if len(list) > 0 {
		return fault.New(fault.Conflict, "the folder is not empty", "give an empty one, or one that does not exist yet")
	}
	return nil
}

func writeManifest(path string, m manifest) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}

// hashAndSync returns what a file holds and brings it to the disk.
func hashAndSync(path string) (h fileHash, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	if h.Size, err = io.Copy(sum, f); err != nil {
		return h, err
	}
	h.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return h, f.Sync()
}
