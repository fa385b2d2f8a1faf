package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Tags of GeneralName (RFC 5280, 4.2.1.6) that may stand in a node's certificate.
const (
	tagDNS = 2
	tagURI = 6
	tagIP  = 7
)

// FromCertificate returns the identity that a node's certificate states. It refuses every certificate that the
// authority would not have written: it does not verify the signature, the dates or the chain, which is done in the
// handshake. It reads the raw extension, because url.Parse already forgives what must not be forgiven.
func FromCertificate(cert *x509.Certificate) (Identity, error) {
	uri, err := onlyURI(cert)
	if err != nil {
		return Identity{}, err
	}
	id, err := Parse(uri)
	if err != nil {
		return Identity{}, err
	}
	if id.Role != RoleServer && len(cert.DNSNames)+len(cert.IPAddresses) > 0 {
		return Identity{}, refused("an agent's certificate has host names")
	}
	return id, checkLeaf(cert)
}

// RenewAt returns the instant from which a certificate should be renewed: two thirds of its life.
func RenewAt(cert *x509.Certificate) time.Time {
	return cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) / 3 * 2)
}

// Fingerprint returns the SHA-256 of the certificate in lower-case hex.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// checkLeaf holds a certificate against the one shape that the authority issues.
func checkLeaf(cert *x509.Certificate) error {
	switch {
	case cert.IsCA || !cert.BasicConstraintsValid:
		return refused("it is not marked as an end's certificate")
	case cert.KeyUsage != x509.KeyUsageDigitalSignature:
		return refused("its key usage is not just digital signature")
	case !sameUsages(cert.ExtKeyUsage) || len(cert.UnknownExtKeyUsage) > 0:
		return refused("its extended key usage is not just client and server")
	case cert.SignatureAlgorithm != x509.ECDSAWithSHA256:
		return refused("it is not signed with ECDSA and SHA-256")
	case len(cert.UnhandledCriticalExtensions) > 0:
		return refused("it has a critical extension that is not known")
	}
	if _, err := nodeKey(cert.PublicKey); err != nil {
		return err
	}
	return nil
}

// sameUsages wants both usages: either end of a link may have dialled.
func sameUsages(got []x509.ExtKeyUsage) bool {
	return len(got) == 2 && slices.Contains(got, x509.ExtKeyUsageClientAuth) && slices.Contains(got, x509.ExtKeyUsageServerAuth)
}

// nodeKey accepts the one kind of key that nodes have.
func nodeKey(key any) (*ecdsa.PublicKey, error) {
	pub, ok := key.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, refused("its key is not ECDSA P-256")
	}
	return pub, nil
}

// onlyURI returns the bytes of the one URI among the alternative names.
func onlyURI(cert *x509.Certificate) (string, error) {
	sanID := asn1.ObjectIdentifier{2, 5, 29, 17}
	var raw []byte
	for _, ext := range cert.Extensions {
		if !ext.Id.Equal(sanID) {
			continue
		}
		if raw != nil {
			return "", refused("it has two lists of alternative names")
		}
		raw = ext.Value
	}
	if raw == nil {
		return "", refused("it has no alternative name")
	}
	var seq asn1.RawValue
	if rest, err := asn1.Unmarshal(raw, &seq); err != nil || len(rest) > 0 || seq.Class != asn1.ClassUniversal || seq.Tag != asn1.TagSequence || !seq.IsCompound {
		return "", refused("its alternative names cannot be read")
	}
	uri, found := "", 0
	for rest := seq.Bytes; len(rest) > 0; {
		var name asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &name); err != nil || name.Class != asn1.ClassContextSpecific || name.IsCompound {
			return "", refused("its alternative names cannot be read")
		}
		switch name.Tag {
		case tagURI:
			uri, found = string(name.Bytes), found+1
		case tagDNS, tagIP:
		default:
			return "", refused("it has an alternative name of another kind")
		}
	}
	if found != 1 {
		return "", fault.Newf(fault.Forbidden, "refusing certificate: it has %d URI names, expected 1", found)
	}
	return uri, nil
}

func refused(why string) error { return fault.Newf(fault.Forbidden, "refusing certificate: %s", why) }
