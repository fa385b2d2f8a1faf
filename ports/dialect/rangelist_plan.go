package dialect

import (
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// The settings of the management service (AR-16 to AR-18), in small letters.
const (
	settingTLS      = "usessl"
	settingTLSPort  = "sslport"
	settingPort     = "nonsslport"
	settingClient   = "clntportrange"
	settingCallback = "portrange"
)

// Part turns range lists into a piece over the given plan: a list alone, or one under a name that is none of the
// client servers', gives the pool that is named; clntportrange gives the pool client-callback.
func (r RangeLists) Part(file string, over ports.Compiled, pool string) (Part, []ports.Diagnostic) {
	f := &findings{file: file}
	have := newRows(over)
	var pools []any
	var vars Document
	var secure, plain ports.Port
	at := map[string]int{}
	for _, l := range r.Lines {
		id := ""
		switch key := strings.ToLower(l.Key); {
		case l.Value != "" && key == settingTLS:
			on := slices.Contains([]string{"true", "yes", "1"}, strings.ToLower(l.Value))
			vars = Document{{settingTLS, on}}
			continue
		case l.Value != "":
			f.warn(ports.BadLine, l.Line, 1, "the setting "+clip(l.Key)+" is none of ports, and is left out", "")
			continue
		case len(l.List) == 0:
			continue
		case key == settingTLSPort:
			secure = l.List[0].First
			continue
		case key == settingPort:
			plain = l.List[0].First
			continue
		case key == settingClient:
			id = "client-callback"
		case key == "" || key == settingCallback || key == "callback":
			id = pool
		default:
			f.error(ports.BadLine, l.Line, 1, clip(l.Key)+" is not a name that the plan's pools have", "the names are "+strings.Join([]string{settingCallback, settingClient, settingTLSPort, settingPort, settingTLS}, ", "))
			continue
		}
		if before := at[id]; before != 0 {
			f.error(ports.BadLine, l.Line, 1, "line "+strconv.Itoa(before)+" gives the pool "+id+" its numbers already", "keep one")
			continue
		}
		at[id] = l.Line
		if cl, ok := have.find(id); !ok || !cl.Pool {
			f.error(ports.BadLine, l.Line, 1, "the plan has no pool "+id, "name one with --pool")
			continue
		}
		if ranges := once(f, l.Ranges(), l.Line, 1); len(ranges) > 0 && !slices.Equal(have.ranges[id], ranges) {
			pools = append(pools, Document{{"id", id}, {"range", rangeList(ranges)}})
		}
	}
	return Part{
		Plan:      planPart(over.Plan, Field{"services", managementService(over, secure, plain)}, Field{"pools", pools}),
		Inventory: inventoryPart(Field{"vars", vars}),
	}, f.all()
}

// managementID is the row whose two numbers the settings sslport and nonsslport are.
const managementID = "casmgmtsvc"

// management returns the numbers of the management service, with TLS and without.
func management(c ports.Compiled) (secure, plain ports.Port) {
	for _, cl := range c.Claims {
		if cl.Service == managementID && cl.TLS {
			secure = cl.Port
		} else if cl.Service == managementID {
			plain = cl.Port
		}
	}
	return secure, plain
}

// managementService gives the management service other numbers, where they are.
func managementService(over ports.Compiled, secure, plain ports.Port) []any {
	s, p := management(over)
	if secure == 0 {
		secure = s
	}
	if plain == 0 {
		plain = p
	}
	if secure == s && plain == p {
		return nil
	}
	return list(Document{{"id", managementID}, {"alternates", list(
		Document{{"when", settingTLS}, {"port", int(secure)}, {"tls", true}},
		Document{{"when", "!" + settingTLS}, {"port", int(plain)}, {"tls", false}},
	)}})
}

// ExportRangeLists makes the settings of the management service from a plan.
func ExportRangeLists(c ports.Compiled, pool string) RangeLists {
	var r RangeLists
	add := func(text string) {
		r.Lines = append(r.Lines, RangeLine{textLine: textLine{Text: text, End: "\r\n"}})
	}
	secure, plain := management(c)
	for _, cl := range c.Claims {
		if cl.Service == managementID && cl.Status != ports.Inactive {
			add(settingTLS + " = " + map[bool]string{true: "True", false: "False"}[cl.TLS])
			break
		}
	}
	if secure != 0 {
		add(settingTLSPort + " = " + strconv.Itoa(int(secure)))
	}
	if plain != 0 {
		add(settingPort + " = " + strconv.Itoa(int(plain)))
	}
	for _, p := range c.Pools {
		switch {
		case len(p.Ranges) == 0:
		case p.ID == pool:
			add(settingCallback + " = " + FormatRangeList(p.Ranges))
		case p.ID == "client-callback":
			add(settingClient + " = " + FormatRangeList(p.Ranges))
		}
	}
	return r
}
