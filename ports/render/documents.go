package render

// documents are the targets that people read.
func documents() []Target {
	return []Target{
		{Name: "markdown", Title: "port table, Markdown", Kind: "table", Render: renderMarkdown},
		{Name: "html", Title: "port table, one page for screen and paper", Kind: "table", Render: renderHTML},
		{Name: "csv", Title: "port table, comma separated", Kind: "table", Render: renderCSV},
		{Name: "json", Title: "port table, JSON", Kind: "table", Render: renderJSON},
		{Name: "man", Title: "port table, manual page (roff)", Kind: "table", Render: renderMan},
		{Name: "vendor", Title: "port table in the form of the plan's own page", Kind: "table", Render: renderVendor},
		{Name: "sequence", Title: "who connects to whom, in order (SVG)", Kind: "drawing", Render: renderSequence},
		{Name: "zones", Title: "zones, and who dials whom (SVG)", Kind: "drawing", Render: renderZones},
		{Name: "change-request", Title: "firewall change request, Markdown", Kind: "request", Undo: true, Render: renderRequest},
		{Name: "change-request-csv", Title: "firewall change request, comma separated", Kind: "request", Undo: true, Render: renderRequestCSV},
	}
}
