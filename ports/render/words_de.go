package render

import "github.com/reeve-scheduler/reeve/ports"

func german() words {
	return words{
		lang: "de", portsOf: "Ports des Plans %s",
		plan: "Plan", instance: "Instanz", inventory: "Inventar", host: "Rechner", role: "Rolle", service: "Dienst", hash: "Prüfsumme",
		external:   "Externe Kommunikation",
		sameHost:   "Interne Kommunikation (Quelle und Ziel sind derselbe Rechner; für andere geschlossen)",
		remote:     "Entfernter Rechner (Ports, die Zugriffe eines externen Servers annehmen)",
		conditions: "Bedingungen", notes: "Anmerkungen", statements: "Aussagen der Seite", reading: "unsere Lesart:", sockets: "Unix-Sockets",
		yes: "J", no: "N", notStated: "nicht angegeben", notAssigned: "nicht vergeben",
		columns: map[string]string{
			"id": "Kennung", "function": "Funktion", "service": "Dienstname", "port": "Portnummer", "protocol": "Protokoll", "scope": "Reichweite",
			"source": "Quelle", "destination": "Ziel", "purpose": "Zweck", "services_windows": "Services-Datei Windows",
			"services_unix": "Services-Datei UNIX", "condition": "Bedingung", "door": "Zugänge", "status": "Status", "origin": "Herkunft", "was": "früher", "note": "Anmerkung",
		},
		status: map[ports.Status]string{ports.Works: "in Betrieb", ports.Reserved: "reserviert", ports.Foreign: "fremd", ports.Inactive: "inaktiv"},
		man:    manWords{name: "BEZEICHNUNG", description: "BESCHREIBUNG"},
		pool: poolWords{
			title: "Bereiche, aus denen vergeben wird", pool: "Bereich", numbers: "Portnummern", parity: "Parität", size: "nutzbar", order: "Reihenfolge", pair: "zweiter Port",
			hold: "gesperrt nach Freigabe", sticky: "gleiche Nummer für", even: "gerade", odd: "ungerade", up: "aufwärts", down: "abwärts",
			lru: "am längsten frei zuerst", random: "zufällig",
		},
		vendor: germanVendor(),
		request: requestWords{
			title: "Firewall-Änderungsantrag", summary: "Regeln", change: "Änderung", source: "Quelle", destination: "Ziel", reason: "Begründung",
			owner: "Verantwortlich", expires: "gültig bis", flow: "Verbindungs-ID", added: "hinzufügen", removed: "entfernen", unchanged: "unverändert",
			between: "von %s nach %s", within: "innerhalb von %s", zone: "Zone %s", noZone: "Adressen ohne Zone", noZones: "Regeln", firewall: "Firewall",
			anywhere: "beliebige Adresse", unknown: "Adresse noch unbekannt", nobody: "nicht benannt", unlimited: "unbefristet",
			nothing:      "Der Plan braucht hier keine Freischaltung.",
			withoutTitle: "Noch nicht beantragt", without: "Diese Verbindungen haben noch keine Nummer: Einstellungen, Definitionen, ein Portmapper oder der Standort geben sie vor.",
		},
		drawing: drawingWords{
			sequence: "Verbindungen des Plans %s", zones: "Zonen von %s",
			undirected: "Quelle und Ziel sind nicht angegeben für: %s.", more: "und %d weitere",
			legend: "Pfeile zeigen in die Richtung des Verbindungsaufbaus. Dick: Verbindung zwischen Knoten; gestrichelt: reserviert oder von Nachbarn; gepunktet: inaktiv.",
			dials:  "baut die Verbindung auf:", outside: "in keiner Zone",
		},
	}
}
