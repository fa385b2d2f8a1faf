package sqlite

import (
	"context"
	"fmt"

	"github.com/reeve-scheduler/reeve/internal/store"
)

const (
	chunkSize  = 256 << 10 // bytes of output in one chunk at most
	maxRead    = 16 << 20  // bytes that one ReadOutput returns at most
	codecPlain = 0
	codecZstd  = 1
)

// chunk is a piece of a piece, ready to be stored where its offset is the end of the spool.
type chunk struct {
	offset int64
	raw    []byte
	codec  int
	data   []byte
}

// spool names an attempt's output.
type spool struct {
	run, job string
	n        int
}

// AppendOutput implements store.Outputs. Compression happens here, on the caller's time; the writer only does it
// again for what has to be cut.
func (s *Store) AppendOutput(ctx context.Context, pieces []store.OutputPiece) ([]int64, error) {
	chunks := make([][]chunk, len(pieces))
	for i, p := range pieces {
		if p.Offset < 0 {
			return nil, fmt.Errorf("appending output of %s/%s/%d: %w: offset %d", p.Run, p.Job, p.N, errBatch, p.Offset)
		}
		for at := 0; at < len(p.Data); at += chunkSize {
			chunks[i] = append(chunks[i], s.zip.pack(p.Offset+int64(at), p.Data[at:min(at+chunkSize, len(p.Data))]))
		}
	}
	var have map[spool]int64
	err := s.output.writer.do(ctx, func(ctx context.Context, c *conn) error {
		have = map[spool]int64{}
		for i, p := range pieces {
			if err := s.appendPiece(ctx, c, spool{p.Run, p.Job, p.N}, chunks[i], have); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("appending output: %w", err)
	}
	sizes := make([]int64, len(pieces))
	for i, p := range pieces {
		sizes[i] = have[spool{p.Run, p.Job, p.N}]
	}
	return sizes, nil
}

func (s *Store) appendPiece(ctx context.Context, c *conn, of spool, chunks []chunk, have map[spool]int64) error {
	number, size, err := findSpool(ctx, c, of)
	if err != nil {
		return err
	}
	before := size
	for _, ch := range chunks {
		end := ch.offset + int64(len(ch.raw))
		if ch.offset > size || end <= size {
			continue // a hole would be left, or nothing of it is new
		}
		if ch.offset < size {
			ch = s.zip.pack(size, ch.raw[size-ch.offset:])
		}
		if number == 0 {
			number, _, err = c.insert(ctx, `INSERT INTO spools (run, job, n, size) VALUES (?, ?, ?, 0)`, of.run, of.job, of.n)
			if err != nil {
				return err
			}
		}
		_, err = c.exec(ctx, `INSERT INTO chunks (spool, offset, size, codec, data) VALUES (?, ?, ?, ?, ?)`,
			number, ch.offset, len(ch.raw), ch.codec, ch.data)
		if err != nil {
			return err
		}
		size = end
	}
	have[of] = size
	if size == before {
		return nil
	}
	_, err = c.exec(ctx, `UPDATE spools SET size = ? WHERE s = ?`, size, number)
	return err
}

func findSpool(ctx context.Context, c *conn, of spool) (number, size int64, err error) {
	err = c.query(ctx, `SELECT s, size FROM spools WHERE run = ? AND job = ? AND n = ?`, func(r row) error {
		number, size = r.int(0), r.int(1)
		return nil
	}, of.run, of.job, of.n)
	return number, size, err
}

// ReadOutput implements store.Outputs. Limit is at most 16 MiB. What nothing is stored of has size 0.
//
//nolint:revive // the contract has these parameters
func (s *Store) ReadOutput(ctx context.Context, run, job string, n int, offset int64, limit int) (data []byte, size int64, err error) {
	offset = max(offset, 0)
	limit = min(limit, maxRead)
	err = s.output.read(ctx, func(c *conn) error {
		var number int64
		if number, size, err = findSpool(ctx, c, spool{run, job, n}); err != nil {
			return err
		}
		if offset >= size || limit <= 0 {
			return nil
		}
		data, err = s.readSpool(ctx, c, number, offset, int(min(int64(limit), size-offset)))
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("reading output of %s/%s/%d: %w", run, job, n, err)
	}
	return data, size, nil
}

// readSpool returns want bytes from offset, which are stored.
func (s *Store) readSpool(ctx context.Context, c *conn, number, offset int64, want int) ([]byte, error) {
	data := make([]byte, 0, want)
	next := offset
	err := c.query(ctx, `SELECT offset, size, codec, data FROM chunks WHERE spool = ?1 AND offset < ?3
		AND offset >= (SELECT max(offset) FROM chunks WHERE spool = ?1 AND offset <= ?2) ORDER BY offset`,
		func(r row) error {
			at, size := r.int(0), r.int(1)
			raw, err := s.zip.unpack(int(r.int(2)), r.bytes(3), size)
			if err != nil {
				return damaged(fmt.Errorf("chunk at %d: %w", at, err))
			}
			if at > next || at+size <= next {
				return damaged(fmt.Errorf("chunk at %d with %d bytes, expected one with byte %d", at, size, next))
			}
			raw = raw[next-at:]
			raw = raw[:min(len(raw), want-len(data))]
			data = append(data, raw...)
			next += int64(len(raw))
			return nil
		}, number, offset, offset+int64(want))
	if err == nil && len(data) < want {
		err = damaged(fmt.Errorf("%d bytes from %d, expected %d", len(data), offset, want))
	}
	return data, err
}

// dropOutput removes the output of a run.
func dropOutput(ctx context.Context, c *conn, run string) error {
	if _, err := c.exec(ctx, `DELETE FROM chunks WHERE spool IN (SELECT s FROM spools WHERE run = ?)`, run); err != nil {
		return err
	}
	_, err := c.exec(ctx, `DELETE FROM spools WHERE run = ?`, run)
	return err
}
