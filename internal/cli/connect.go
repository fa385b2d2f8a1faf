package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/server"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// linkService is the plan's row that clients dial.
const linkService = "reeve"

// dataFlag adds --data to a command that talks to a server.
func (a *app) dataFlag(c *cobra.Command) *cobra.Command {
	c.PersistentFlags().StringVar(&a.data, "data", os.Getenv("REEVE_DATA"), "data folder of a server on this host: local administration (REEVE_DATA)")
	return c
}

// client connects to the server of --data by its Unix socket, else to the one that the person logged in to.
func (a *app) client() (*api.Client, error) {
	if a.data != "" && a.server == "" {
		return local(a.data)
	}
	l, err := readLogins()
	if err != nil {
		return nil, err
	}
	address := a.server
	if address == "" {
		address = l.Current
	}
	if address == "" {
		return nil, fault.New(fault.Invalid, "no server is named", "give --data FOLDER for a server on this host, or log in with `reeve login https://HOST`")
	}
	entry, ok := l.Servers[canonical(address)]
	if !ok {
		return nil, fault.New(fault.Unauthenticated, "you are not logged in to "+address, "`reeve login "+address+"`")
	}
	return remote(canonical(address), entry.Fingerprint, entry.Token)
}

// local talks to the socket for local administration.
func local(data string) (*api.Client, error) {
	path := filepath.Join(data, "admin.sock")
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		short, clean, err := server.ShortPath(path)
		if err != nil {
			return nil, err
		}
		defer clean()
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", short)
		switch {
		case errors.Is(err, os.ErrPermission):
			return nil, fault.New(fault.Forbidden, "not allowed to use "+path, "be the user that runs the server, or root")
		case err != nil:
			return nil, fault.New(fault.Unreachable, "no server answers at "+path, "is it running? `reeve server --data "+data+"`")
		}
		return conn, nil
	}
	return api.NewClient(&http.Client{Transport: &http.Transport{DialContext: dial}}, "http://local", "")
}

// remote talks HTTPS to a server whose authority is pinned.
func remote(address, fingerprint, token string) (*api.Client, error) {
	conf, err := identity.Pinned(fingerprint, time.Now)
	if err != nil {
		return nil, err
	}
	transport, err := httpsTransport()
	if err != nil {
		return nil, err
	}
	transport.TLSClientConfig = conf
	return api.NewClient(&http.Client{Transport: transport}, address, token)
}

// httpsTransport dials by the client's flow of the default plan; the address may name another port.
func httpsTransport() (*http.Transport, error) {
	compiled, err := compilePlan("default", 0)
	if err != nil {
		return nil, err
	}
	sockets := socket.New(compiled, socket.As("client"))
	return &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return sockets.Dial(ctx, linkService, address)
		},
		TLSHandshakeTimeout: 10 * time.Second,
	}, nil
}

// compilePlan loads and compiles a built-in plan or a file.
func compilePlan(name string, instance int) (ports.Compiled, error) {
	compiled, _, err := meantToRun(name, "", &instance)
	return compiled, err
}

// meantToRun is compilePlan for who needs the plan as it was written, too, or has an inventory. Without an instance, the
// plan's own variable in the environment or in the inventory has it, else its default.
func meantToRun(name, inventory string, instance *int) (ports.Compiled, domain.PortPlan, error) {
	source := planSource{plan: name, inventory: inventory, given: instance, byFlag: true, getenv: os.Getenv}
	meant, err := source.read()
	if err != nil {
		return ports.Compiled{}, domain.PortPlan{}, err
	}
	compiled, diagnostics := ports.Compile(meant.plan, meant.inventory, meant.instance)
	var bad []error
	for _, d := range diagnostics {
		if d.Severity == ports.Error {
			bad = append(bad, errors.New(d.String()))
		}
	}
	if len(bad) > 0 {
		return compiled, domain.PortPlan{}, fault.Wrap(fault.Invalid, "compiling the port plan "+name, errors.Join(bad...))
	}
	return compiled, domain.PortPlan{Written: meant.plan, Inventory: meant.inventory, Findings: diagnostics}, nil
}

// logins is what `reeve login` remembers, in a file that only its user can read.
type logins struct {
	Current string           `json:"current"`
	Servers map[string]login `json:"servers"`
}

type login struct {
	Fingerprint string    `json:"fingerprint"`
	Token       string    `json:"token"`
	User        string    `json:"user"`
	Expires     time.Time `json:"expires"`
}

func loginsPath() (string, error) {
	if p := os.Getenv("REEVE_LOGIN"); p != "" {
		return p, nil
	}
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fault.New(fault.Invalid, "no folder for the login: "+err.Error(), "set REEVE_LOGIN to a file")
	}
	return filepath.Join(folder, "reeve", "login.json"), nil
}

func readLogins() (logins, error) {
	l := logins{Servers: map[string]login{}}
	path, err := loginsPath()
	if err != nil {
		return l, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return l, nil
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return l, fault.New(fault.Invalid, path+" can be read by others", "chmod 600 "+path)
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		return l, fault.Wrap(fault.Invalid, "reading "+path, err)
	}
	if l.Servers == nil {
		l.Servers = map[string]login{}
	}
	return l, nil
}

func (l logins) save() error {
	path, err := loginsPath()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the folder for the login: %w", err)
	}
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("saving the login: %w", err)
	}
	return os.Rename(temp, path)
}

// canonical completes an address: HOST becomes https://HOST:PORT with the default plan's port.
func canonical(address string) string {
	address = strings.TrimRight(address, "/")
	host, ok := strings.CutPrefix(address, "https://")
	if !ok {
		if strings.Contains(address, "://") {
			return address
		}
		host = address
	}
	compiled, err := compilePlan("default", 0)
	if err != nil {
		return "https://" + host
	}
	return "https://" + socket.New(compiled).Address(linkService, host)
}

func pairs(m map[string]string) string {
	if len(m) == 0 {
		return "-"
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, ",")
}

// parsePairs reads k=v arguments.
func parsePairs(what string, args []string, emptyAllowed bool) (map[string]string, error) {
	out := map[string]string{}
	for _, arg := range args {
		k, v, ok := strings.Cut(arg, "=")
		if !ok || k == "" || v == "" && !emptyAllowed {
			return nil, fault.New(fault.Invalid, fmt.Sprintf("%s %q is not NAME=VALUE", what, arg), "")
		}
		if _, twice := out[k]; twice {
			return nil, fault.Newf(fault.Invalid, "%s %s is given twice", what, k)
		}
		out[k] = v
	}
	return out, nil
}
