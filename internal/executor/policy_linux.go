package executor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// policy decides on this host, by its own file, whom an attempt may run as. No server can override it.
type policy struct {
	path  string
	users directory
	self  User

	mu     sync.Mutex
	stamp  stamp // of the file that allow was read from
	allow  Allow
	looked map[string]found
}

type stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64
	uid, mode    uint32
}

func stampOf(st *unix.Stat_t) stamp {
	return stamp{st.Dev, st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano(), st.Uid, st.Mode}
}

type found struct {
	user User
	at   time.Time
}

const userLife = 5 * time.Second // how long what the name service said is believed

// resolve returns whom an attempt of net runs as. Only an agent that runs as root can run it as somebody else.
func (p *policy) resolve(runAs, net string, env []string) (User, error) {
	if p.self.UID != 0 {
		if runAs != "" && runAs != p.self.Name {
			return User{}, refuse("run_as %q: this agent runs as %s and can run jobs only as that; leave run_as out, or run the agent as root with an allow file", runAs, p.self.Name)
		}
		return p.self, nil
	}
	name := runAs
	if name == "" {
		name = "root"
	}
	allow, err := p.read()
	if errors.Is(err, errNoFile) && runAs == "" {
		return p.unrestricted(env)
	}
	if err != nil {
		return User{}, refuse("user %s: %v", name, err)
	}
	rule, ok := allow.Permits(name, net)
	if !ok {
		return User{}, refuse("user %s is not permitted to net %q by the agent's allow file %s; add {user: %s, nets: [%q]} there", name, net, p.path, name, net)
	}
	if denied := Loaders(env, rule.Env); len(denied) > 0 {
		return User{}, refuse("variable %s changes which programs user %s loads; add env: [%s] to the rule in the agent's allow file %s", denied[0], name, strings.Join(denied, ", "), p.path)
	}
	u, err := p.user(name)
	if err != nil {
		return User{}, refuse("user %s: %v", name, err)
	}
	if u.UID == 0 && name != "root" {
		return User{}, refuse("user %s is root by another name; permit root itself", name)
	}
	u.Switch = true
	return u, nil
}

// errNoFile says that there is no allow file: nothing is granted, and jobs run as the agent's own user.
var errNoFile = errors.New("this agent has no allow file; without one its jobs run only as its own user")

// unrestricted is what an agent without an allow file does with a job without run_as: as any other agent, it runs it
// as its own user. Whoever runs an agent as root and wants it narrower writes the file.
func (p *policy) unrestricted(env []string) (User, error) {
	if denied := Loaders(env, nil); len(denied) > 0 {
		return User{}, refuse("variable %s changes which programs root loads; permit it by a rule with env: [%s] in the agent's allow file", denied[0], strings.Join(denied, ", "))
	}
	u := p.self
	u.Switch = true
	return u, nil
}

func refuse(format string, args ...any) error {
	return &StartError{Reason: "run_as", Detail: fmt.Sprintf(format, args...)}
}

func (p *policy) user(name string) (User, error) {
	p.mu.Lock()
	f, ok := p.looked[name]
	p.mu.Unlock()
	if ok && time.Since(f.at) < userLife {
		return f.user, nil
	}
	u, err := p.users.lookup(name)
	if err != nil {
		return User{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.looked == nil || len(p.looked) > 1000 {
		p.looked = map[string]found{}
	}
	p.looked[name] = found{u, time.Now()}
	return u, nil
}

// read returns the allow file as it is now: it is looked at for every start, and parsed when it changed.
func (p *policy) read() (Allow, error) {
	if p.path == "" {
		return Allow{}, errNoFile
	}
	var st unix.Stat_t
	if unix.Lstat(p.path, &st) == nil {
		p.mu.Lock()
		same, allow := p.stamp == stampOf(&st), p.allow
		p.mu.Unlock()
		if same {
			return allow, nil
		}
	}
	f, err := os.OpenFile(p.path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return Allow{}, fmt.Errorf("%s: %w", p.path, errNoFile)
	}
	if err != nil {
		return Allow{}, fmt.Errorf("opening allow file: %w", err)
	}
	defer f.Close()
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return Allow{}, fmt.Errorf("reading allow file: %w", err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return Allow{}, fmt.Errorf("allow file %s is not a regular file", p.path)
	case st.Uid != 0:
		return Allow{}, fmt.Errorf("allow file %s is owned by uid %d, not by root; chown root it", p.path, st.Uid)
	case st.Mode&0o022 != 0:
		return Allow{}, fmt.Errorf("allow file %s can be written by others than root; chmod go-w it", p.path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxAllowFile+1))
	if err != nil {
		return Allow{}, fmt.Errorf("reading allow file: %w", err)
	}
	allow, err := ParseAllow(b)
	if err != nil {
		return Allow{}, fmt.Errorf("%s: %w", p.path, err)
	}
	// A file changed within the clock's grain could keep its stamp: what is that young is read again.
	if time.Since(time.Unix(0, st.Ctim.Nano())) > time.Second {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stamp, p.allow = stampOf(&st), allow
	}
	return allow, nil
}
