// Package firewall_test asks: does the product do its work through the firewall that its plan asks for, and try nothing
// else?
//
// A laboratory is built for each test: every host is a network namespace, and between them stands a router whose
// firewall drops all that the plan under test does not open. The hosts' own firewalls are what `reeve ports render
// nftables` makes of the same plan. Nothing is simulated: the real program runs in the namespaces, and at the router
// each SYN and each datagram is recorded, before the firewall and behind it.
package firewall_test
