// Package house_test holds the rules of the house: which package may lean on
// which, and how big a thing may grow before it must be split. When a rule is in
// the way, change the rule here, in its own commit, with the reason.
package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

const module = "github.com/reeve-scheduler/reeve/"

// pure packages decide; they never act. Time, disk, wire and chance come in as
// arguments, so that every decision can be replayed from a text file. Parsers and
// rule engines from outside that do not act either are named in pureGuests.
var pure = []string{
	"ports", "ports/planfile", "ports/builtin", "ports/dialect", "ports/render",
	"internal/fault", "internal/calendar", "internal/occurrence", "internal/forecast", "internal/timetable", "internal/jobnet", "internal/run",
}

var pureGuests = []string{
	"github.com/goccy/go-yaml", "github.com/goccy/go-yaml/ast", "github.com/goccy/go-yaml/lexer", "github.com/goccy/go-yaml/parser", "github.com/goccy/go-yaml/token",
}

var acting = []string{
	"context", "crypto/rand", "database/sql", "log", "log/slog", "math/rand", "math/rand/v2",
	"net", "net/http", "os", "os/exec", "sync", "syscall",
}

// mayImport lists, for each package that has a restriction, everything of ours it
// may lean on. A package that is missing here may lean on nothing of ours.
var mayImport = map[string][]string{
	"ports":                      {},
	"ports/planfile":             {"ports"},
	"ports/builtin":              {"ports", "ports/planfile"},
	"ports/dialect":              {"ports"},
	"ports/render":               {"ports"},
	"ports/ledger":               {"ports", "internal/socket"},                  // it grants sockets that are bound, and one package binds
	"ports/probe":                {"ports", "ports/dialect", "internal/socket"}, // a services file is read by one reader
	"internal/fault":             {},
	"internal/calendar":          {"internal/fault"},
	"internal/calendar/table":    {"internal/calendar", "internal/fault"}, // tables of days as CSV and iCalendar, and the seeds
	"internal/occurrence":        {"internal/calendar", "internal/fault"},
	"internal/forecast":          {"internal/calendar", "internal/occurrence", "internal/jobnet", "internal/run", "internal/fault"}, // the deciders on a virtual clock
	"internal/timetable":         {"internal/calendar", "internal/jobnet", "internal/jobfile", "internal/fault"},                    // crontabs and systemd timers into nets
	"internal/jobnet":            {"internal/calendar", "internal/fault"},                                                           // a net has its schedules
	"internal/run":               {"internal/jobnet", "internal/fault"},
	"internal/jobfile":           {"internal/calendar", "internal/jobnet", "internal/fault"},
	"internal/wire":              {"internal/fault"},
	"internal/socket":            {"ports", "internal/fault"}, // the only package that opens TCP and UDP sockets
	"internal/socket/sockettest": {"internal/socket", "ports", "ports/builtin", "ports/planfile"},
	"internal/responder":         {}, // it bounds what strangers may ask; what is answered it does not know
	"internal/directory":         {"internal/responder", "internal/fault", "ports"},
	"internal/discovery":         {"internal/directory", "internal/responder", "internal/socket", "internal/fault", "ports"}, // what a row speaks is the directory's word
	"internal/identity":          {"internal/fault"},
	"internal/access":            {"internal/fault"},
	"internal/link":              {"internal/identity", "internal/fault"}, // never wire: a link carries calls, it does not read them
	"internal/relay":             {"internal/identity", "internal/link", "internal/fault"},
	"internal/store":             {"internal/calendar", "internal/occurrence", "internal/jobnet", "internal/run", "internal/fault", "ports"},
	"internal/store/storetest":   {"internal/store", "internal/calendar", "internal/occurrence", "internal/run", "internal/jobnet", "internal/jobfile"},
	"internal/store/sqlite":      {"internal/store", "internal/calendar", "internal/occurrence", "internal/run", "internal/fault"},
	"internal/executor":          {"internal/fault"},
	"internal/keeper":            {"internal/executor", "internal/wire", "internal/fault"},
	"internal/twoends":           {"ports", "ports/probe", "internal/socket", "internal/identity", "internal/fault"}, // two hosts and nothing else: no server, no agent, no store
	"internal/proof":             {"internal/wire", "internal/fault", "ports", "ports/probe"},                        // it says what it needs of an end
	"internal/proof/end":         {"internal/identity", "internal/socket", "internal/twoends", "internal/wire", "internal/fault", "ports", "ports/probe"},
	"internal/engine":            {"internal/calendar", "internal/occurrence", "internal/jobnet", "internal/run", "internal/store", "internal/fault"},
	"internal/callback":          {"internal/identity", "internal/wire", "internal/fault", "ports", "ports/ledger"}, // never fleet: it says what it needs of one
	"internal/fleet":             {"internal/link", "internal/run", "internal/wire", "internal/fault"},              // never engine: the two meet in server
	"internal/agent":             {"internal/calendar", "internal/identity", "internal/keeper", "internal/link", "internal/relay", "internal/wire", "internal/fault"},
	"internal/api":               {"internal/access", "internal/fault", "ports"},                                                                // never store: it asks through interfaces it owns
	"internal/console":           {"internal/calendar", "internal/api", "internal/access", "internal/console/graph", "internal/fault", "ports"}, // wall times of zones: only calendar knows zones
	"internal/console/graph":     {},
	"internal/domain": { // what people and programs ask: api.Service over store, engine and fleet
		"internal/calendar", "internal/calendar/table", "internal/occurrence", "internal/forecast", "internal/access", "internal/api", "internal/directory", "internal/discovery", "internal/engine", "internal/fleet", "internal/identity", "internal/jobfile", "internal/jobnet",
		"internal/proof", "internal/run", "internal/store", "internal/wire", "internal/fault", "ports", "ports/ledger", "ports/probe", "ports/render",
	},
	"internal/server": {
		"internal/calendar", "internal/occurrence", "internal/access", "internal/api", "internal/callback", "internal/console", "internal/domain", "internal/engine", "internal/fleet", "internal/identity",
		"internal/jobfile", "internal/jobnet", "internal/directory", "internal/discovery", "internal/responder", "internal/link", "internal/proof", "internal/proof/end", "internal/relay", "internal/socket", "internal/store", "internal/store/sqlite", "internal/twoends", "internal/wire",
		"internal/fault", "ports", "ports/ledger", "ports/probe",
	},
	"internal/jobports": {"internal/fault", "internal/keeper", "internal/wire", "ports", "ports/ledger"}, // attempts' ports: the keeper declares what it needs
	"internal/cli": {
		"internal/calendar", "internal/calendar/table", "internal/occurrence", "internal/forecast", "internal/timetable", "internal/jobnet", "internal/discovery", "internal/domain", "internal/executor", "internal/jobports", "internal/agent", "internal/api", "internal/callback", "internal/identity", "internal/jobfile", "internal/keeper", "internal/proof/end", "internal/server", "internal/socket", "internal/twoends",
		"internal/wire", "internal/fault", "ports", "ports/builtin", "ports/dialect", "ports/ledger", "ports/planfile", "ports/probe", "ports/render",
	},
	"internal/docs":  {}, // tests only
	"tools/holidays": {}, // a module of its own: it writes the seeds of calendars
	"cmd/reeve":      {"internal/cli"},
	// It asks a real server what a program would ask, and has a thousand agents' links to it.
	"test/bench": {"internal/api", "internal/identity", "internal/link", "internal/wire"},
}

const maxChain = 10 // the longest walk from main to a package that leans on nothing

func TestHouseRules(t *testing.T) {
	imports := ours(t)

	for pkg, deps := range imports {
		for _, dep := range deps {
			if own, ok := strings.CutPrefix(dep, module); ok {
				if !slices.Contains(mayImport[pkg], own) {
					t.Errorf("%s must not import %s", pkg, own)
				}
			} else if slices.Contains(pure, pkg) && (slices.Contains(acting, dep) || strings.Contains(dep, ".") && !slices.Contains(pureGuests, dep)) {
				t.Errorf("%s is pure and must not import %s", pkg, dep)
			}
		}
		if _, ok := mayImport[pkg]; !ok {
			t.Errorf("%s has no place in the house: add it to mayImport", pkg)
		}
	}

	var walk func(pkg string) int
	walk = func(pkg string) int {
		deepest := 0
		for _, dep := range imports[pkg] {
			if own, ok := strings.CutPrefix(dep, module); ok {
				deepest = max(deepest, walk(own))
			}
		}
		return deepest + 1
	}
	if got := walk("cmd/reeve"); got > maxChain {
		t.Errorf("longest import chain is %d, want at most %d", got, maxChain)
	} else {
		t.Logf("longest import chain: %d", got)
	}
}

// ours returns the direct imports of each package of this module, tests aside.
// It reads the files itself: go test only notices a changed file, and so runs
// this test again instead of answering from its cache, if the test opened it.
func ours(t *testing.T) map[string][]string {
	t.Helper()

	imports := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(path))
		imports[pkg] = slices.Grow(imports[pkg], len(file.Imports)) // a package without imports still counts
		for _, spec := range file.Imports {
			imports[pkg] = append(imports[pkg], strings.Trim(spec.Path.Value, `"`))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

// opensSockets names what opens TCP or UDP sockets in the standard library, by package.
var opensSockets = map[string][]string{
	"net":      {"Listen", "ListenTCP", "ListenUDP", "ListenPacket", "ListenMulticastUDP", "Dial", "DialTCP", "DialUDP", "DialTimeout", "DialIP", "ListenIP", "Dialer", "ListenConfig"},
	"tls":      {"Listen", "Dial", "DialWithDialer", "Dialer"},
	"http":     {"ListenAndServe", "ListenAndServeTLS", "Get", "Post", "PostForm", "Head", "DefaultClient", "DefaultTransport"},
	"httptest": {"NewServer", "NewTLSServer", "NewUnstartedServer"},
}

// unixOnly are the files outside internal/socket that open sockets, all of them Unix sockets; each says "unix" where it does.
var unixOnly = []string{"internal/cli/connect.go", "internal/directory/rpcbind.go", "internal/keeper/client.go"}

// TestSockets holds the promise that every socket comes from the compiled plan: no package but internal/socket
// opens TCP or UDP sockets. Programs under test/ are peers of Reeve, not part of it.
func TestSockets(t *testing.T) {
	eachFile(t, func(path string, file *ast.File, fset *token.FileSet) {
		if strings.HasPrefix(path, "internal/socket/") || strings.HasPrefix(path, "test/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok || !slices.Contains(opensSockets[pkg.Name], sel.Sel.Name) {
				return true
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(unixOnly, path) && strings.Contains(string(text), `"unix"`) {
				return true
			}
			t.Errorf("%s: %s.%s: only internal/socket opens sockets", fset.Position(n.Pos()), pkg.Name, sel.Sel.Name)
			return true
		})
	})
}

// TestPortLiterals: no number of the built-in plans stands in Go code; it is asked of the compiled plan.
func TestPortLiterals(t *testing.T) {
	numbers := map[string]bool{}
	for _, name := range builtin.Names() {
		plan, err := builtin.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, instance := range plan.Instances() {
			compiled, _ := ports.Compile(plan, ports.Inventory{}, instance)
			for _, c := range compiled.Claims {
				for _, n := range []ports.Port{c.Port, c.Last} {
					// Not looked for: 22, 25 and 53, and the round hundreds of acs, which stand for many other things.
					if n >= 100 && (name != "acs" || n%100 != 0) {
						numbers[strconv.Itoa(int(n))] = true
					}
				}
			}
		}
	}
	if len(numbers) < 200 {
		t.Fatalf("the built-in plans have the ports %v; want all instances of all five", numbers)
	}
	eachFile(t, func(path string, file *ast.File, fset *token.FileSet) {
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.INT && numbers[lit.Value] {
				t.Errorf("%s: the port %s stands in code; ask the compiled plan", fset.Position(n.Pos()), lit.Value)
			}
			return true
		})
	})
}

// eachFile parses every Go file of this module, tests aside.
func eachFile(t *testing.T, f func(path string, file *ast.File, fset *token.FileSet)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		f(filepath.ToSlash(path), file, fset)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
