package render

// rules are the targets that firewalls and operating systems read. A text that leaves something out comes with an error
// of the type Omitted.
func rules() []Target {
	return []Target{
		{Name: "services-file", Title: "the block of a services file", Kind: "system", Undo: true, Render: servicesFile},
		{Name: "sysctl", Title: "Linux: numbers kept out of the range for outgoing connections", Kind: "system", Undo: true, Render: sysctl},
		{Name: "systemd", Title: "systemd: a socket unit for each service", Kind: "system", Undo: true, Render: systemd},
		{Name: "selinux", Title: "SELinux: a type for each role's numbers", Kind: "system", Undo: true, Render: selinux},
		{Name: "excludedportrange", Title: "Windows: numbers kept out of the range for outgoing connections", Kind: "system", Undo: true, Render: excludedPortRange},
		{Name: "dns-srv", Title: "DNS: SRV records for a zone file", Kind: "system", Undo: true, Render: dnsSRV},
		{Name: "nftables", Title: "nftables: a firewall of the host in a table of its own", Kind: "rules", Undo: true, Render: nftables},
		{Name: "iptables", Title: "iptables and ip6tables: a firewall of the host in chains of its own", Kind: "rules", Undo: true, Render: iptables},
		{Name: "firewalld", Title: "firewalld: services and a policy before all zones", Kind: "rules", Undo: true, Render: firewalld},
		{Name: "ufw", Title: "ufw: application profiles", Kind: "rules", Undo: true, Render: ufw},
		{Name: "pf", Title: "pf: an anchor", Kind: "rules", Undo: true, Render: pf},
		{Name: "windows", Title: "Windows: firewall rules in PowerShell", Kind: "rules", Undo: true, Render: windows},
		{Name: "aws", Title: "AWS: a security group in Terraform", Kind: "rules", Undo: true, Render: aws},
		{Name: "kubernetes", Title: "Kubernetes: a NetworkPolicy", Kind: "rules", Undo: true, Render: kubernetes},
		{Name: "cisco", Title: "Cisco IOS: extended access lists", Kind: "rules", Undo: true, Render: cisco},
	}
}
