package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	journalFile = "ledger"
	fillStep    = 256 << 10 // zeros are written ahead by so much
	fillReserve = 64 << 10  // of them stay for what ends a lease: a full disk must not keep one from ending
	readStep    = 512
	maxJournal  = 1 << 30
)

// journal is the file of records as one process has read it. Only the holder of the lock may call its methods.
type journal struct {
	dir      string
	readOnly bool
	file     *os.File
	info     os.FileInfo // of it, as it was opened
	head     head
	pos      int64 // where the next record goes
	seq      uint64
	size     int64 // of the file: zeros from pos on
	fresh    bool  // the zeros have not been looked at
	decode   decoder
	buf      []byte
	durable  uint64    // the disk had every record up to this one when the file was opened; 0: not known
	lost     []*damage // where records that were acknowledged cannot be read
}

func (j *journal) path() string { return filepath.Join(j.dir, journalFile) }

// open opens the file, or makes an empty one.
func (j *journal) open() error {
	flag := os.O_RDWR
	if j.readOnly {
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(j.path(), flag, 0)
	if errors.Is(err, os.ErrNotExist) && !j.readOnly {
		return j.rewrite(0, nil)
	}
	if err != nil {
		return err
	}
	return j.use(f)
}

// use begins to read a file from its head.
func (j *journal) use(f *os.File) error {
	st, err := f.Stat()
	if err == nil && st.Size() > maxJournal {
		err = fmt.Errorf("%s has %d bytes, at most %d are read", f.Name(), st.Size(), maxJournal)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	b := make([]byte, headSize)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return errors.Join(err, f.Close())
	}
	h, err := decodeHead(b[:n])
	var bad *damage
	if errors.As(err, &bad) {
		h = head{format: format, snapshot: st.Size()} // nothing of it is known: every frame that can be read counts
	} else if err != nil {
		return errors.Join(err, f.Close())
	}
	j.close()
	j.info = st
	j.file, j.head, j.pos, j.seq, j.size, j.fresh = f, h, headSize, h.base, st.Size(), true
	j.decode = decoder{seen: map[string]string{}}
	j.lost, j.durable = nil, 0
	if bad != nil {
		j.lost = []*damage{bad}
	}
	return nil
}

func (j *journal) close() {
	if j.file != nil {
		_ = j.file.Close() // what counts was synced
		j.file = nil
	}
}

// changed reports whether the file under the name is another one than was opened: it has been rewritten.
func (j *journal) changed() (bool, error) {
	if j.file == nil {
		return true, nil
	}
	now, err := os.Stat(j.path())
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	j.size = max(j.size, now.Size())
	return !os.SameFile(now, j.info), nil
}

// read gives apply every record that was appended since.
func (j *journal) read(apply func(record)) error {
	for want := readStep; ; {
		if cap(j.buf) < want {
			j.buf = make([]byte, want)
		}
		n, err := j.file.ReadAt(j.buf[:want], j.pos)
		atEnd := errors.Is(err, io.EOF)
		if err != nil && !atEnd {
			return fmt.Errorf("reading the ledger: %w", err)
		}
		used, state, err := j.frames(j.buf[:n], apply)
		j.pos += int64(used)
		switch {
		case err != nil:
			return err
		case state == frameEnd && (used < n || atEnd):
			if !j.fresh {
				return nil
			}
			j.fresh = false
			if clean, err := j.zerosFollow(); err != nil || clean && j.pos >= j.head.snapshot {
				return err
			}
			return j.torn(apply)
		case state == frameBad, atEnd:
			return j.torn(apply)
		case used == 0:
			want *= 2 // one record longer than what was read
		default:
			want = min(2*want, 1<<20)
		}
		want = min(want, 2*maxRecord)
	}
}

// frames applies the whole frames at the beginning of b. It returns how much of b they took, and what stands behind.
func (j *journal) frames(b []byte, apply func(record)) (used int, state frameState, err error) {
	for {
		payload, size, state := readFrame(b[used:])
		if state != frameWhole {
			return used, state, nil
		}
		r, err := j.parse(payload)
		if errors.Is(err, errUnknown) {
			return used, frameBad, newer("it has entries that this version does not know")
		}
		if err != nil || r.seq != j.seq+1 && (r.seq != j.seq || j.pos+int64(used) >= j.head.snapshot) {
			return used, frameBad, nil
		}
		apply(r)
		j.seq = r.seq
		used += size
	}
}

func (j *journal) parse(payload []byte) (record, error) {
	d := j.decode
	d.b = payload
	r := d.record()
	return r, d.err
}

// zerosFollow reports whether nothing but zeros stands behind the last record.
func (j *journal) zerosFollow() (bool, error) {
	rest, err := j.rest()
	return nonZero(rest) < 0, err
}

// rest reads what stands behind the last good record.
func (j *journal) rest() ([]byte, error) {
	st, err := j.file.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, max(0, min(st.Size(), maxJournal)-j.pos))
	n, err := j.file.ReadAt(b, j.pos)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	return b[:n], nil
}

// torn deals with what is no record where one should be. Records that nobody was told of may be lost there: a writer
// died, or the power went before the sync; they never counted. But where a later record says that this one was synced,
// or it is a part of the snapshot, something acknowledged is gone. Then the records that can be read still count, and
// nothing is granted until it is repaired.
func (j *journal) torn(apply func(record)) error {
	rest, err := j.rest()
	if err != nil {
		return err
	}
	if payload, _, state := readFrame(rest); j.readOnly && state == frameWhole {
		if r, err := j.parse(payload); err == nil && r.seq == j.seq+1 {
			return nil // it was being written: the next look takes it
		}
	}
	var later []record
	var ends []int64
	lost := j.pos < j.head.snapshot || j.durable > j.seq
	for at := 0; at < len(rest); {
		payload, size, state := readFrame(rest[at:])
		if state == frameWhole {
			if r, err := j.parse(payload); err == nil && r.seq >= j.seq {
				later, ends = append(later, r), append(ends, j.pos+int64(at+size))
				lost = lost || r.synced > j.seq
				at += size
				continue
			}
		}
		at += align
	}
	if lost {
		return j.salvage(later, ends, apply)
	}
	if j.readOnly {
		return nil // perhaps being written just now
	}
	return j.erase(rest)
}

// cut notes where the file ends before a record that was on the disk: it was cut off, or an older copy was put back.
func (j *journal) cut() {
	if j.durable > j.seq && len(j.lost) == 0 {
		j.lost = append(j.lost, &damage{offset: j.pos, what: fmt.Sprintf("records %d to %d are missing at its end", j.seq+1, j.durable)})
	}
}

// salvage applies what can be read behind damage.
func (j *journal) salvage(later []record, ends []int64, apply func(record)) error {
	j.lost = append(j.lost, &damage{offset: j.pos, what: fmt.Sprintf("records after number %d cannot be read", j.seq)})
	j.pos = j.size
	for i, r := range later {
		if r.seq < j.seq {
			continue
		}
		apply(r)
		j.seq = r.seq
		j.pos = ends[i]
	}
	return nil
}

// erase overwrites what a dead writer left behind the last record, before anything is appended there: an old record
// must not become good again behind a new one.
func (j *journal) erase(rest []byte) error {
	last := len(rest)
	for last > 0 && rest[last-1] == 0 {
		last--
	}
	if last == 0 {
		return nil
	}
	if _, err := j.file.WriteAt(make([]byte, last), j.pos); err != nil {
		return noRoom("erasing an unfinished record", err)
	}
	if err := syncData(j.file); err != nil {
		return fmt.Errorf("erasing an unfinished record: %w", err)
	}
	return nil
}

// append writes framed records behind the last one. ending is set for what ends leases: it may use the reserve.
func (j *journal) append(frames []byte, records int, ending bool) error {
	need := j.pos + int64(len(frames))
	if !ending {
		need += fillReserve
	}
	if need > j.size {
		if err := j.fill(need); err != nil && (!ending || need > j.size) {
			return noRoom("writing zeros ahead in the ledger", err)
		}
	}
	if n, err := j.file.WriteAt(frames, j.pos); err != nil {
		_, _ = j.file.WriteAt(make([]byte, n), j.pos) // what stays is erased by the next who reads
		return noRoom("appending to the ledger", err)
	}
	j.pos += int64(len(frames))
	j.seq += uint64(records)
	return nil
}

// fill writes zeros ahead: a sync of bytes that are there already is faster, and needs no room.
func (j *journal) fill(need int64) error {
	grow := max(need-j.size, fillStep)
	n, err := j.file.WriteAt(make([]byte, grow), j.size)
	j.size += int64(n)
	return err
}
