package render

// rules are the targets that firewalls and operating systems read.
func rules() []Target {
	return []Target{
		{Name: "nftables", Title: "nftables: a firewall of the host in a table of its own", Kind: "rules", Undo: true, Render: nftables},
	}
}
