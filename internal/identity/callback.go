package identity

import (
	"crypto/tls"
	"slices"
)

// callbackProtocol is plain HTTP: a callback is never a link, and a dialler of a link is refused there.
const callbackProtocol = "http/1.1"

// CallbackConfig returns the configuration of a listener on which one attempt's words are awaited: every client has to
// show a certificate of the domain.
func (e Endpoint) CallbackConfig() *tls.Config {
	config := e.base()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, ALPN) {
			return nil, refused("links are not accepted here")
		}
		found, err := e.linkConfig()
		if err != nil {
			return nil, err
		}
		found.NextProtos = []string{callbackProtocol}
		return found, nil
	}
	return config
}

// CallConfig returns the configuration of one dial of a callback: HTTPS with this node's certificate.
func (e Endpoint) CallConfig() *tls.Config {
	config := e.ClientConfig()
	config.NextProtos = []string{callbackProtocol}
	return config
}
