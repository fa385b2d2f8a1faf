package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// uploadLimit is how long one artifact may take.
const uploadLimit = 30 * time.Minute

// uploader brings the files that an attempt left to the server, before the report that names them.
type uploader struct {
	folder func(a wire.Attempt) (string, error) // where the attempt's artifacts are
	log    *slog.Logger
}

// errLost says that an artifact cannot be brought to the server, now or later.
var errLost = errors.New("artifact is lost")

// upload sends all artifacts of a report and returns the report to send. Where one is lost for good the attempt has
// not done what it should: the report then says so. Other errors ask for another try.
func (u *uploader) upload(ctx context.Context, c *http.Client, r wire.Report) (wire.Report, error) {
	kept := make([]wire.Artifact, 0, len(r.Artifacts))
	for _, a := range r.Artifacts {
		err := u.one(ctx, c, r.Attempt, a)
		switch {
		case err == nil:
			kept = append(kept, a)
		case !errors.Is(err, errLost):
			return r, err
		default:
			u.log.Error("artifact is lost", slog.Any("attempt", r.Attempt), slog.String("artifact", a.Name), slog.Any("error", err))
			if r.Reason == "" {
				r.Reason, r.Detail = "artifact", err.Error()
			}
		}
	}
	r.Artifacts = kept
	return r, nil
}

func (u *uploader) one(ctx context.Context, c *http.Client, attempt wire.Attempt, a wire.Artifact) error {
	if !isSHA(a.SHA256) {
		return fmt.Errorf("%w: %q is no SHA-256", errLost, a.SHA256)
	}
	file, err := u.open(attempt, a)
	if err != nil {
		return err
	}
	defer file.Close()
	ctx, cancel := context.WithTimeout(ctx, uploadLimit)
	defer cancel()
	// A file that has grown since it was hashed is cut, so that the server notices.
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, peerBase+wire.PathArtifacts+a.SHA256, io.LimitReader(file, a.Size))
	if err != nil {
		return err
	}
	req.ContentLength = a.Size
	if a.Size == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := c.Do(req)
	if err != nil {
		if info, serr := file.Stat(); serr == nil && info.Size() < a.Size {
			return fmt.Errorf("%w: %s has become shorter since it was kept", errLost, a.Name)
		}
		return fmt.Errorf("sending artifact %s: %w", a.Name, err)
	}
	defer done(resp)
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	err = answered(resp)
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: %s: the server %w", errLost, a.Name, err)
	}
	return fmt.Errorf("sending artifact %s: %w", a.Name, err)
}

// open opens an artifact. A job chose its name and may have left links there: nothing outside the folder is opened.
func (u *uploader) open(attempt wire.Attempt, a wire.Artifact) (*os.File, error) {
	dir, err := u.folder(attempt)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err == nil {
		defer root.Close()
		var file *os.File
		if file, err = openRegular(root, filepath.FromSlash(a.Name)); err == nil {
			return file, nil
		}
	}
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return nil, fmt.Errorf("opening artifact %s: %w", a.Name, err)
	}
	return nil, fmt.Errorf("%w: %s: %w", errLost, a.Name, err)
}

var errIrregular = errors.New("it is no regular file")

// openRegular opens a regular file, and never waits for the other end of a pipe that a job left in its place.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errIrregular
	}
	file, err := root.OpenFile(name, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, err
	}
	if info, err = file.Stat(); err == nil && !info.Mode().IsRegular() {
		err = errIrregular
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
