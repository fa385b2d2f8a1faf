package agent

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// errGone says that an artifact cannot be had, now or later.
var errGone = errors.New("artifact cannot be had")

// errNoRoom says that there is no room for an artifact on this disk.
var errNoRoom = errors.New("no room on the disk")

// cache keeps the content of artifacts by its SHA-256, so that attempts that need the same file fetch it once.
// What was used least recently goes when the cache is above its limit; what is read at that moment stays readable.
type cache struct {
	dir     string
	limit   int64 // bytes
	reserve int64 // bytes of the disk that stay free
	now     func() time.Time

	mu      sync.Mutex
	size    int64
	kept    map[string]kept
	loading map[string]*loading
}

type kept struct {
	size int64
	used time.Time
}

// loading is a fetch that is under way; all who want the content wait for the same one.
type loading struct {
	done chan struct{}
	err  error
}

// fetch gets the content of an artifact from elsewhere.
type fetch func(ctx context.Context, sha string) (io.ReadCloser, error)

// openCache finds what an earlier agent left in dir, and removes what it did not finish.
func openCache(dir string, limit, reserve int64, now func() time.Time) (*cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening artifact cache: %w", err)
	}
	c := &cache{dir: dir, limit: limit, reserve: reserve, now: now, kept: map[string]kept{}, loading: map[string]*loading{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("opening artifact cache: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !isSHA(e.Name()) {
			os.Remove(filepath.Join(dir, e.Name()))
			continue
		}
		c.kept[e.Name()] = kept{size: info.Size(), used: info.ModTime()}
		c.size += info.Size()
	}
	return c, nil
}

// isSHA reports whether s is a SHA-256 as Reeve writes it: it becomes a file's name and part of a path.
func isSHA(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// place puts the artifact's content into a new file at path (mode 0644), fetching it if it is not here. What comes out is checked:
// content that rotted on this disk is fetched again.
func (c *cache) place(ctx context.Context, a wire.Artifact, path string, get fetch) error {
	if !isSHA(a.SHA256) || a.Size < 0 {
		return fmt.Errorf("%w: %q is no SHA-256, or its size %d is none", errGone, a.SHA256, a.Size)
	}
	for range 2 {
		if err := c.load(ctx, a, get); err != nil {
			return err
		}
		err := c.copyOut(a, path)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errRotten) {
			return err
		}
		c.drop(a.SHA256)
	}
	return fmt.Errorf("placing artifact %s: %w", a.Name, errRotten)
}

var errRotten = errors.New("content in the cache is not what it was")

// load makes sure that the content is in the cache.
func (c *cache) load(ctx context.Context, a wire.Artifact, get fetch) error {
	for {
		c.mu.Lock()
		if k, ok := c.kept[a.SHA256]; ok {
			k.used = c.now()
			c.kept[a.SHA256] = k
			c.mu.Unlock()
			return nil
		}
		l, busy := c.loading[a.SHA256]
		if !busy {
			l = &loading{done: make(chan struct{})}
			c.loading[a.SHA256] = l
		}
		c.mu.Unlock()
		if !busy {
			l.err = c.download(ctx, a, get)
			c.mu.Lock()
			delete(c.loading, a.SHA256)
			c.mu.Unlock()
			close(l.done)
			return l.err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.done:
		}
		if errors.Is(l.err, errGone) || errors.Is(l.err, errNoRoom) {
			return l.err
		}
		// Where the other's fetch broke (its order may have been cancelled), this one tries itself.
	}
}

func (c *cache) download(ctx context.Context, a wire.Artifact, get fetch) error {
	if free, _, err := room(c.dir); err == nil && free-c.reserve < a.Size {
		return fmt.Errorf("fetching artifact %s (%d bytes): %w", a.Name, a.Size, errNoRoom)
	}
	body, err := get(ctx, a.SHA256)
	if err != nil {
		return fmt.Errorf("fetching artifact %s: %w", a.Name, err)
	}
	defer body.Close()
	tmp, err := os.CreateTemp(c.dir, "part-*")
	if err != nil {
		return fmt.Errorf("fetching artifact %s: %w", a.Name, noRoom(err))
	}
	sum := sha256.New()
	// One byte more than promised is enough to know that it is not the file that was promised.
	n, err := io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(body, a.Size+1))
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	switch {
	case err != nil:
		err = noRoom(err)
	case n != a.Size:
		err = fmt.Errorf("%w: it has not the %d bytes that were announced", errGone, a.Size)
	case hex.EncodeToString(sum.Sum(nil)) != a.SHA256:
		err = fmt.Errorf("%w: its content has another SHA-256 than was announced", errGone)
	default:
		err = os.Rename(tmp.Name(), filepath.Join(c.dir, a.SHA256))
	}
	if err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("fetching artifact %s: %w", a.Name, err)
	}
	c.keep(a.SHA256, a.Size)
	return nil
}

// keep takes new content in and lets go of what was used least recently.
func (c *cache) keep(sha string, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[sha] = kept{size: size, used: c.now()}
	c.size += size
	if c.size <= c.limit {
		return
	}
	names := make([]string, 0, len(c.kept))
	for name := range c.kept {
		if name != sha {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(c.kept[a].used.UnixNano(), c.kept[b].used.UnixNano()) })
	for _, name := range names {
		if c.size <= c.limit {
			return
		}
		c.remove(name)
	}
}

func (c *cache) drop(sha string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(sha)
}

// remove is called with mu held.
func (c *cache) remove(sha string) {
	k, ok := c.kept[sha]
	if !ok {
		return
	}
	delete(c.kept, sha)
	c.size -= k.size
	os.Remove(filepath.Join(c.dir, sha))
}

// copyOut copies content to path. It is a copy, not a link: a job may write to its inputs.
func (c *cache) copyOut(a wire.Artifact, path string) error {
	in, err := os.Open(filepath.Join(c.dir, a.SHA256))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return errRotten
		}
		return fmt.Errorf("placing artifact %s: %w", a.Name, err)
	}
	defer in.Close()
	// Another order of the same attempt may have placed it already; its content is the same.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("placing artifact %s: %w", a.Name, err)
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("placing artifact %s: %w", a.Name, noRoom(err))
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("placing artifact %s: %w", a.Name, noRoom(err))
	}
	if n != a.Size || hex.EncodeToString(sum.Sum(nil)) != a.SHA256 {
		os.Remove(path)
		return errRotten
	}
	// The time of use outlives the agent in the file's own.
	t := c.now()
	_ = os.Chtimes(in.Name(), t, t)
	return nil
}
