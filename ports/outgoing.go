package ports

// Outgoing returns the row by which a kind of role connects to what settings and definitions name: one in use that carries
// "out" over TCP and has no number of its own, because the number stands where the destination does. It is false where the
// plan has none.
func (c Compiled) Outgoing(from RoleKind) (service string, ok bool) {
	for _, f := range c.Carrying("out") {
		if f.Port == 0 && f.Protocol == TCP && c.Kinds[f.From] == from {
			return f.Service, true
		}
	}
	return "", false
}
