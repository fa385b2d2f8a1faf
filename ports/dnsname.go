package ports

import "strings"

// DNSName returns the claim's name for DNS SRV records, without underscore: a name of RFC 6335 in small letters. It is
// empty where the claim has none.
func (cl Claim) DNSName() string {
	for _, name := range []string{cl.SRVName, cl.Name} {
		if validName(name) {
			return strings.ToLower(name)
		}
	}
	return ""
}
