package ports

// Opening is one permission that a site needs: who may connect to whom, on which numbers, for what. Firewall rules,
// change requests and proofs are made from openings and from nothing else.
type Opening struct {
	Flow         string     `json:"flow"` // ResolvedFlow.ID
	Service      string     `json:"service"`
	Name         string     `json:"name,omitempty"`
	Function     string     `json:"function,omitempty"`
	Protocol     Protocol   `json:"protocol"`
	First        Port       `json:"first"` // 0: an application, or a number that the site must give
	Last         Port       `json:"last"`
	Parity       Parity     `json:"parity,omitempty"`
	Application  string     `json:"application,omitempty"`
	From         string     `json:"from"`         // a role
	To           string     `json:"to"`           // a role
	Sources      []Endpoint `json:"sources"`      // empty: anywhere
	Destinations []Endpoint `json:"destinations"` // empty: not known yet
	Purpose      string     `json:"purpose"`
	Condition    string     `json:"condition,omitempty"`
}

// Endpoint is an address of an end: of a host, or of a network.
type Endpoint struct {
	Host    string `json:"host"` // the inventory's name
	Zone    string `json:"zone,omitempty"`
	Address string `json:"address"` // an IP address, a network in CIDR notation, or a host name that must be resolved
}

// Site is a compiled plan on the hosts of an inventory.
type Site struct {
	Compiled  Compiled
	Inventory Inventory
}
