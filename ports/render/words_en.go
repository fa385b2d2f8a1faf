package render

import "github.com/reeve-scheduler/reeve/ports"

func english() words {
	return words{
		lang: "en", portsOf: "Ports of the plan %s",
		plan: "plan", instance: "instance", inventory: "inventory", host: "host", role: "role", service: "service", hash: "hash",
		external:   "For external communication",
		sameHost:   "For internal communication (source and destination are the same host; closed to others)",
		remote:     "Remote machine (ports that accept access from an external server)",
		conditions: "Conditions", notes: "Notes", statements: "Statements of the page", reading: "our reading:", sockets: "Unix sockets",
		yes: "Y", no: "N", notStated: "not stated", notAssigned: "not assigned",
		columns: map[string]string{
			"id": "id", "function": "function", "service": "service name", "port": "port number", "protocol": "protocol", "scope": "scope",
			"source": "source", "destination": "destination", "purpose": "purpose", "services_windows": "services file Windows",
			"services_unix": "services file UNIX", "condition": "condition", "door": "doors", "status": "status", "origin": "origin", "was": "formerly", "note": "note",
		},
		status: map[ports.Status]string{ports.Works: "works", ports.Reserved: "reserved", ports.Foreign: "foreign", ports.Inactive: "inactive"},
		man:    manWords{name: "NAME", description: "DESCRIPTION"},
		pool: poolWords{
			title: "Ranges to lease from", pool: "pool", numbers: "port numbers", parity: "parity", size: "usable", order: "order", pair: "second port",
			hold: "held after release", sticky: "same number for", even: "even", odd: "odd", up: "upwards", down: "downwards",
			lru: "longest free first", random: "random",
		},
		vendor: englishVendor(),
		request: requestWords{
			title: "Firewall change request", summary: "rules", change: "change", source: "source", destination: "destination", reason: "reason",
			owner: "owner", expires: "expires", flow: "flow id", added: "add", removed: "remove", unchanged: "keep",
			between: "from %s to %s", within: "within %s", zone: "zone %s", noZone: "addresses in no zone", noZones: "Rules", firewall: "Firewall",
			anywhere: "any address", unknown: "address not known yet", nobody: "not named", unlimited: "no date",
			nothing:      "The plan needs no opening here.",
			withoutTitle: "Not asked for yet", without: "These connections have no number yet: settings, definitions, a port mapper or the site give it.",
		},
		drawing: drawingWords{
			sequence: "Connections of the plan %s", zones: "Zones of %s",
			undirected: "No source and destination are stated for: %s.", more: "and %d more",
			legend: "Arrows point in the direction of the connect. Thick: a link between nodes; dashed: reserved, or a neighbour's; dotted: inactive.",
			dials:  "dials the link:", outside: "in no zone",
		},
	}
}
