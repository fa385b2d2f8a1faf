package directory

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/reeve-scheduler/reeve/internal/responder"
)

// Sizes of DNS over UDP, in bytes.
const (
	plainUDP = 512  // RFC 1035: without EDNS
	ownUDP   = 1232 // what we take and send with EDNS (RFC 6891)
)

// Types that package dnsmessage has no name for.
const (
	typeIXFR = dnsmessage.Type(251)
)

// rcodeBadVersion is of EDNS: its low four bits stand in the header, the others in the OPT record.
const rcodeBadVersion = 16

// Names answers for the domain's own zone, and for nothing else: it never asks another server, and refuses transfers.
//
// Over UDP a reply is never longer than its request, because the asker's address may be forged. What does not fit is
// marked as truncated, and every resolver then asks over TCP; a request that is padded (RFC 7830) has room for it.
type Names struct {
	Book func() *Book

	last atomic.Pointer[zone]
}

// zone is that of the book as it is now.
func (n *Names) zone() *zone {
	book := n.Book()
	z := n.last.Load()
	if z == nil || z.book != book {
		z = zoneOf(book)
		n.last.Store(z)
	}
	return z
}

// Answer answers one message.
func (n *Names) Answer(request []byte, a responder.Asked) []byte {
	q, fails := readQuery(request)
	if fails == silence {
		return nil
	}
	room := a.Room
	if !a.Stream {
		room = min(room, max(plainUDP, min(int(q.size), ownUDP)))
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.id, Response: true, OpCode: q.opcode, RecursionDesired: q.recursion}}
	if q.asks {
		m.Questions = []dnsmessage.Question{q.question}
	}
	if fails == 0 {
		n.fill(&m, q)
	} else {
		m.RCode = fails & 0xf
	}
	return fit(m, q, fails, room)
}

// silence is no code of DNS: there is no answer to what is no question.
const silence = dnsmessage.RCode(1 << 15)

// query is what is read of a request.
type query struct {
	id        uint16
	opcode    dnsmessage.OpCode
	recursion bool
	asks      bool // there is one question
	question  dnsmessage.Question
	extended  bool   // it has an OPT record
	size      uint16 // that the asker takes over UDP
}

// readQuery reads a request and says with which code it fails; 0: it does not.
func readQuery(request []byte) (query, dnsmessage.RCode) {
	var p dnsmessage.Parser
	h, err := p.Start(request)
	if err != nil || h.Response {
		return query{}, silence // an answer to an answer would go on for ever
	}
	q := query{id: h.ID, opcode: h.OpCode, recursion: h.RecursionDesired}
	if h.OpCode != 0 {
		return q, dnsmessage.RCodeNotImplemented
	}
	question, err := p.Question()
	if err != nil {
		return q, dnsmessage.RCodeFormatError
	}
	if _, err := p.Question(); !errors.Is(err, dnsmessage.ErrSectionDone) {
		return q, dnsmessage.RCodeFormatError
	}
	q.asks, q.question = true, question
	if p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return q, dnsmessage.RCodeFormatError
	}
	return q, q.extensions(&p)
}

// extensions reads the OPT record, where there is one.
func (q *query) extensions(p *dnsmessage.Parser) dnsmessage.RCode {
	for {
		h, err := p.AdditionalHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return 0
		}
		if err != nil || h.Type == dnsmessage.TypeOPT && (q.extended || h.Name.String() != ".") {
			return dnsmessage.RCodeFormatError
		}
		if h.Type == dnsmessage.TypeOPT {
			q.extended, q.size = true, uint16(h.Class)
			if h.TTL>>16&0xff != 0 {
				return rcodeBadVersion
			}
		}
		if p.SkipAdditional() != nil {
			return dnsmessage.RCodeFormatError
		}
	}
}

// fill answers a question.
func (n *Names) fill(m *dnsmessage.Message, q query) {
	z := n.zone()
	wanted := strings.ToLower(q.question.Name.String())
	if q.question.Class != dnsmessage.ClassINET || !z.has(wanted) || q.question.Type == dnsmessage.TypeAXFR || q.question.Type == typeIXFR {
		m.RCode = dnsmessage.RCodeRefused
		return
	}
	m.Authoritative = true
	found, there := z.find(wanted)
	if q.question.Type == dnsmessage.TypeALL && len(found) > 0 {
		// RFC 8482: who asks for everything is told that nobody answers that, in a few bytes.
		found = []record{{wanted, &dnsmessage.UnknownResource{Type: dnsmessage.TypeHINFO, Data: []byte("\x07RFC8482\x00")}}}
	}
	for _, r := range found {
		if t := typeOf(r.body); t == q.question.Type || t == dnsmessage.TypeCNAME || q.question.Type == dnsmessage.TypeALL {
			m.Answers = append(m.Answers, resource(q.question.Name, r.body))
		}
	}
	if len(m.Answers) == 0 {
		if !there {
			m.RCode = dnsmessage.RCodeNameError
		}
		apex, _ := z.find(z.apex)
		for _, r := range apex {
			if typeOf(r.body) == dnsmessage.TypeSOA {
				m.Authorities = append(m.Authorities, resource(name(z.apex), r.body))
			}
		}
		return
	}
	m.Additionals = z.beside(m.Answers)
}

// beside returns the addresses of the zone's own names that answers point at.
func (z *zone) beside(answers []dnsmessage.Resource) []dnsmessage.Resource {
	targets := map[string]bool{}
	for _, a := range answers {
		switch body := a.Body.(type) {
		case *dnsmessage.SRVResource:
			targets[body.Target.String()] = true
		case *dnsmessage.NSResource:
			targets[body.NS.String()] = true
		}
	}
	var all []dnsmessage.Resource
	for _, target := range slices.Sorted(maps.Keys(targets)) {
		for _, r := range z.records[target] {
			if t := typeOf(r.body); t == dnsmessage.TypeA || t == dnsmessage.TypeAAAA {
				all = append(all, resource(name(r.name), r.body))
			}
		}
	}
	return all
}

func resource(owner dnsmessage.Name, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: owner, Type: typeOf(body), Class: dnsmessage.ClassINET, TTL: ttl}, Body: body}
}

func typeOf(body dnsmessage.ResourceBody) dnsmessage.Type {
	switch b := body.(type) {
	case *dnsmessage.AResource:
		return dnsmessage.TypeA
	case *dnsmessage.AAAAResource:
		return dnsmessage.TypeAAAA
	case *dnsmessage.CNAMEResource:
		return dnsmessage.TypeCNAME
	case *dnsmessage.NSResource:
		return dnsmessage.TypeNS
	case *dnsmessage.SOAResource:
		return dnsmessage.TypeSOA
	case *dnsmessage.SRVResource:
		return dnsmessage.TypeSRV
	case *dnsmessage.TXTResource:
		return dnsmessage.TypeTXT
	case *dnsmessage.UnknownResource:
		return b.Type
	}
	return 0
}

// fit writes a message that has room. What is left out first is what was not asked for; then the answer is truncated.
func fit(m dnsmessage.Message, q query, fails dnsmessage.RCode, room int) []byte {
	opt := dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("."), Type: dnsmessage.TypeOPT, Class: ownUDP, TTL: uint32(fails>>4) << 24},
		Body:   &dnsmessage.OPTResource{},
	}
	write := func() ([]byte, bool) {
		whole := m
		if q.extended {
			whole.Additionals = append(whole.Additionals[:len(whole.Additionals):len(whole.Additionals)], opt)
		}
		b, err := whole.Pack()
		return b, err == nil && len(b) <= room
	}
	if b, ok := write(); ok {
		return b
	}
	m.Additionals = nil
	if b, ok := write(); ok {
		return b
	}
	m.Authorities = nil // a no without the zone's word on how long it may be kept: nobody keeps it
	if b, ok := write(); ok {
		return b
	}
	m.Truncated, m.Answers = len(m.Answers) > 0, nil
	if b, ok := write(); ok {
		return b
	}
	return nil
}
