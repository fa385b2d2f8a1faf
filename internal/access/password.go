package access

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// The cost of a password's hash, as OWASP asks at least, and what a stored hash may ask of this machine.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	saltBytes    = 16
	keyBytes     = 32

	maxArgonMemory  = 256 * 1024
	maxArgonTime    = 16
	maxArgonThreads = 8
	maxPassword     = 1024 // bytes; beyond it a password is wrong without being hashed whole
)

// Hasher hashes passwords with argon2id, few at a time: each takes 19 MiB and some 20 ms of a core, and strangers may
// ask for them. Several goroutines may use it at once.
type Hasher struct {
	random  io.Reader
	running chan struct{}
	waiting chan struct{}
}

// NewHasher returns a Hasher that hashes at most parallel passwords at a time, with salts from random. A further 32
// for each wait; beyond that it answers Busy.
func NewHasher(random io.Reader, parallel int) *Hasher {
	return &Hasher{
		random:  random,
		running: make(chan struct{}, parallel),
		waiting: make(chan struct{}, parallel*33),
	}
}

// Hash returns the argon2id string of a password: $argon2id$v=19$m=19456,t=2,p=1$SALT$KEY. Errors: Invalid, Busy, and
// that of ctx.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if password == "" || len(password) > maxPassword {
		return "", fault.Newf(fault.Invalid, "a password has 1 to %d bytes", maxPassword)
	}
	p := params{memory: argonMemory, time: argonTime, threads: argonThreads, salt: make([]byte, saltBytes)}
	if _, err := io.ReadFull(h.random, p.salt); err != nil {
		return "", fmt.Errorf("drawing a salt: %w", err)
	}
	key, err := h.derive(ctx, password, p, keyBytes)
	if err != nil {
		return "", err
	}
	p.key = key
	return p.String(), nil
}

// Verify reports whether password is the one that was hashed. Text that is no hash costs as much time as one that
// is, and verifies nothing. Errors: Busy, and that of ctx.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (bool, error) {
	p, err := parseHash(hash)
	known := err == nil && len(password) <= maxPassword
	if !known {
		p = params{memory: argonMemory, time: argonTime, threads: argonThreads, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
		password = ""
	}
	key, err := h.derive(ctx, password, p, len(p.key))
	if err != nil {
		return false, err
	}
	same := subtle.ConstantTimeCompare(key, p.key) == 1
	return same && known, nil
}

func (h *Hasher) derive(ctx context.Context, password string, p params, size int) ([]byte, error) {
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		return nil, fault.New(fault.Busy, "too many logins at once", "try again in a moment")
	}
	select {
	case h.running <- struct{}{}:
		defer func() { <-h.running }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to hash a password: %w", context.Cause(ctx))
	}
	return argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, uint32(size)), nil
}

// params is a hash in its parts. Memory is in KiB.
type params struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

func (p params) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// parseHash reads a stored hash. Costs beyond the bounds are refused: a restored or edited store must not be able to
// make one login take all of the machine.
func parseHash(text string) (params, error) {
	bad := fault.New(fault.Internal, "a stored password is not an argon2id hash", "")
	parts := strings.Split(text, "$")
	if len(text) > 512 || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return params{}, bad
	}
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 {
		return params{}, bad
	}
	memory, okM := cost(costs[0], "m=", maxArgonMemory)
	passes, okT := cost(costs[1], "t=", maxArgonTime)
	threads, okP := cost(costs[2], "p=", maxArgonThreads)
	if !okM || !okT || !okP {
		return params{}, bad
	}
	p := params{memory: memory, time: passes, threads: uint8(threads)}
	var err error
	if p.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil || len(p.salt) < 8 || len(p.salt) > 64 {
		return params{}, bad
	}
	if p.key, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil || len(p.key) < 16 || len(p.key) > 64 {
		return params{}, bad
	}
	if p.String() != text { // the decoder skips line ends; a hash has one form only
		return params{}, bad
	}
	return p, nil
}

func cost(text, prefix string, most uint64) (uint32, bool) {
	digits, ok := strings.CutPrefix(text, prefix)
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), ok && err == nil && n >= 1 && n <= most && strconv.FormatUint(n, 10) == digits
}
