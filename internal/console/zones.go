package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// zonePicture is the site as its zones, with who dials whom and whether it works: boxes below each other, what goes down
// on the right of them, and what goes up on the left.
type zonePicture struct {
	Width, Height int
	Boxes         []zoneBox
	Ways          []zoneWay
}

type zoneBox struct {
	Name, Sub, Within string
	X, Y, W, H        int
	TextX, TextW      int
}

type zoneWay struct {
	Line, Head, Label, State, Title string
	X, Y                            int
	Anchor                          string
}

// The measures of the picture, in pixels.
const (
	zoneWidth, zoneTall, zoneStep, zoneTop = 220, 64, 112, 12
	laneStep, laneFirst, labelWide         = 46, 56, 110
	headLong, headWide                     = 9, 5
	zonesDrawn                             = 24
)

// zoneTally is what is known of the paths between two zones.
type zoneTally struct {
	verdict   string
	good, all int
}

// zonesOf draws the zones of a site; nil where it has fewer than two.
func zonesOf(m api.ProofMap) *zonePicture {
	zone := map[string]string{}
	hosts := map[string]int{}
	var names []string
	place := func(host, name string) {
		zone[host] = name
		if hosts[name]++; hosts[name] == 1 {
			names = append(names, name)
		}
	}
	for _, h := range m.Hosts {
		place(h.Name, cmp.Or(h.Zone, "no zone"))
	}
	tallies := map[[2]string]*zoneTally{}
	for _, p := range m.Paths {
		for _, end := range []string{p.From, p.To} {
			if _, known := zone[end]; !known {
				place(end, "others")
			}
		}
		key := [2]string{zone[p.From], zone[p.To]}
		if tallies[key] == nil {
			tallies[key] = &zoneTally{verdict: p.Verdict}
		}
		tallies[key].add(p.Verdict)
	}
	if len(names) < 2 || len(names) > zonesDrawn {
		return nil
	}
	if i := slices.Index(names, "others"); i >= 0 { // who is not on the site stands last
		names = append(slices.Delete(names, i, i+1), "others")
	}
	return drawZones(names, hosts, tallies)
}

func (t *zoneTally) add(verdict string) {
	if worse(verdict, t.verdict) {
		t.verdict = verdict
	}
	if t.all++; verdict == "proven" || verdict == "assumed" {
		t.good++
	}
}

func (t *zoneTally) label() string {
	return fmt.Sprintf("%d/%d %s", t.good, t.all, verdictWord(t.verdict))
}

func drawZones(names []string, hosts map[string]int, tallies map[[2]string]*zoneTally) *zonePicture {
	ways, lanes := lanesOf(names, tallies)
	room := func(lanes int) int { return (laneFirst+lanes*laneStep)*3/4 + labelWide }
	left := room(lanes[1])
	pic := &zonePicture{Width: left + zoneWidth + room(lanes[0]), Height: len(names)*zoneStep - (zoneStep - zoneTall) + 2*zoneTop}
	for i, name := range names {
		box := zoneBox{Name: shorten(name, 26), Sub: fmt.Sprintf("%d hosts", hosts[name]), X: left, Y: zoneTop + i*zoneStep, W: zoneWidth, H: zoneTall, TextX: left + 12, TextW: zoneWidth - 24}
		if hosts[name] == 1 {
			box.Sub = "1 host"
		}
		if t := tallies[[2]string{name, name}]; t != nil {
			box.Within = "within: " + t.label()
		}
		pic.Boxes = append(pic.Boxes, box)
	}
	for _, w := range ways {
		pic.Ways = append(pic.Ways, w.draw(left, names))
	}
	return pic
}

// laned is a way from one zone to another, in a lane of its own beside the boxes.
type laned struct {
	from, to, lane int
	up             bool
	tally          *zoneTally
}

// lanesOf gives each way a lane, on the right for what goes down and on the left for what goes up: short ways lie inside
// long ones. It returns how many lanes there are on the right and on the left.
func lanesOf(names []string, tallies map[[2]string]*zoneTally) (ways []laned, lanes [2]int) {
	for far := 1; far < len(names); far++ {
		for i := range names {
			for side, j := range []int{i + far, i - far} {
				if j < 0 || j >= len(names) {
					continue
				}
				if t := tallies[[2]string{names[i], names[j]}]; t != nil {
					ways = append(ways, laned{i, j, lanes[side], side == 1, t})
					lanes[side]++
				}
			}
		}
	}
	return ways, lanes
}

// draw is the line of a way: it leaves in the lower part of a box on the right and in the upper one on the left, and comes
// in in the other.
func (w laned) draw(left int, names []string) zoneWay {
	x, sign, anchor := left+zoneWidth, 1, "start"
	begin, end := zoneTop+w.from*zoneStep+zoneTall*3/4, zoneTop+w.to*zoneStep+zoneTall/4
	if w.up {
		x, sign, anchor = left, -1, "end"
		begin, end = zoneTop+w.from*zoneStep+zoneTall/4, zoneTop+w.to*zoneStep+zoneTall*3/4
	}
	out := x + sign*(laneFirst+w.lane*laneStep)
	apex := (x + 3*out) / 4 // of the curve, both of whose handles lie at out
	return zoneWay{
		State: verdictState(w.tally.verdict), Label: w.tally.label(), Anchor: anchor, X: apex + sign*6, Y: (begin+end)/2 + 4,
		Line:  fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x, begin, out, begin, out, end, x+sign*headLong, end),
		Head:  fmt.Sprintf("M%d %dl%d %dv%dz", x, end, sign*headLong, -headWide, 2*headWide),
		Title: fmt.Sprintf("hosts of %s dial hosts of %s: %d of %d paths are good", names[w.from], names[w.to], w.tally.good, w.tally.all),
	}
}

// proofPath is the page of the proofs between two hosts.
func proofPath(from, to string) string {
	return "/ports/proofs?" + url.Values{"from": {from}, "to": {to}}.Encode() + "#paths"
}
