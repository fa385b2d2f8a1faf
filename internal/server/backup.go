package server

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/store/sqlite"
)

// What a backup holds: a consistent copy of the store, the artifacts, the authority and this server's key. It is as
// secret as the data folder.
const (
	backupStore     = "store"
	backupArtifacts = "artifacts"
	backupAuthority = "authority"
	backupKey       = "node.key"
)

// backup writes everything that Restore needs to w, as a tar stream.
func (s *Server) backup(ctx context.Context, w io.Writer) error {
	temp, err := os.MkdirTemp(s.cfg.Data, ".backup-*")
	if err != nil {
		return fmt.Errorf("making a folder for the backup: %w", err)
	}
	defer os.RemoveAll(temp) // left-overs are removed with the next start's
	copied := filepath.Join(temp, backupStore)
	if err := os.Mkdir(copied, 0o700); err != nil {
		return fmt.Errorf("making a folder for the backup: %w", err)
	}
	if err := s.store.Backup(ctx, copied); err != nil {
		return err
	}
	t := tar.NewWriter(w)
	parts := map[string]string{
		backupStore: copied, backupArtifacts: filepath.Join(s.cfg.Data, backupArtifacts),
		backupAuthority: filepath.Join(s.cfg.Data, backupAuthority), backupKey: filepath.Join(s.cfg.Data, backupKey),
	}
	for _, name := range []string{backupStore, backupAuthority, backupKey, backupArtifacts} { // the small and needed first
		if err := addToTar(ctx, t, parts[name], name); err != nil {
			return fmt.Errorf("writing the backup: %w", err)
		}
	}
	return t.Close()
}

func addToTar(ctx context.Context, t *tar.Writer, root, name string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !d.IsDir() && !info.Mode().IsRegular() || strings.HasPrefix(d.Name(), ".incoming-") {
			return nil // an artifact that went, or is not whole yet
		} else if err != nil {
			return err
		}
		header := &tar.Header{Name: filepath.ToSlash(filepath.Join(name, rel)), Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Typeflag: tar.TypeReg}
		if d.IsDir() {
			header.Typeflag = tar.TypeDir
			return t.WriteHeader(header)
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close() // read only
		header.Size = info.Size()
		if err := t.WriteHeader(header); err != nil {
			return err
		}
		_, err = io.CopyN(t, f, header.Size)
		return err
	})
}

const maxBackupFiles = 10_000_000

// Restore unpacks a backup into an empty or missing data folder. The restored server starts held, in a new epoch:
// the one after the backup's, and above the given one where agents have seen a later one since.
func Restore(ctx context.Context, r io.Reader, data string, above int64) error {
	if entries, err := os.ReadDir(data); err == nil && len(entries) > 0 {
		return fault.New(fault.Conflict, "data folder "+data+" is not empty", "restore into a new folder")
	}
	if err := openFolder(data); err != nil {
		return err
	}
	if err := unpack(ctx, r, data); err != nil {
		return err
	}
	copied := filepath.Join(data, ".restoring")
	if err := os.Rename(filepath.Join(data, backupStore), copied); err != nil {
		return fault.Wrap(fault.Invalid, "the backup holds no store", err)
	}
	if err := sqlite.Restore(ctx, copied, filepath.Join(data, backupStore)); err != nil {
		return err
	}
	if above > 0 {
		if err := raiseEpoch(ctx, filepath.Join(data, backupStore), above); err != nil {
			return err
		}
	}
	return os.RemoveAll(copied)
}

// unpack writes the files of a backup below data, and nothing outside.
func unpack(ctx context.Context, r io.Reader, data string) error {
	root, err := os.OpenRoot(data)
	if err != nil {
		return fmt.Errorf("opening the data folder: %w", err)
	}
	defer root.Close() // nothing is written through it any more
	t := tar.NewReader(r)
	for range maxBackupFiles {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.Wrap(fault.Invalid, "reading the backup", err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		top, _, _ := strings.Cut(h.Name, "/")
		if !filepath.IsLocal(h.Name) || top != backupStore && top != backupArtifacts && top != backupAuthority && top != backupKey {
			return fault.Newf(fault.Invalid, "reading the backup: %q is not part of one", clipped(h.Name))
		}
		if err := unpackOne(root, t, h); err != nil {
			return fault.Wrap(fault.Invalid, "unpacking "+clipped(h.Name), err)
		}
	}
	return fault.Newf(fault.Invalid, "reading the backup: more than %d files", maxBackupFiles)
}

func clipped(s string) string { return s[:min(len(s), 200)] }

func unpackOne(root *os.Root, t *tar.Reader, h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(h.Name, 0o700)
	case tar.TypeReg:
	default:
		return errors.New("neither a file nor a folder")
	}
	f, err := root.OpenFile(filepath.FromSlash(h.Name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, t); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

func raiseEpoch(ctx context.Context, folder string, above int64) error {
	st, err := sqlite.Open(ctx, folder, sqlite.Options{})
	if err != nil {
		return err
	}
	_, err = st.RaiseEpoch(ctx, above)
	return errors.Join(err, st.Close())
}
