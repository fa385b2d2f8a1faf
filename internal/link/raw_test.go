package link_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
)

// rawTLS is a connection with the same certificates and nothing else: serve has its other end.
func rawTLS(b *testing.B, serve func(net.Conn)) net.Conn {
	b.Helper()
	d := newDomain(b)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		secure := tls.Server(conn, end(d.server, identity.RoleAgent).ServerConfig())
		serve(secure)
		_ = secure.Close()
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), end(d.agent, identity.RoleServer).ClientConfig())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = conn.Close()
		_ = listener.Close()
		<-done
	})
	return conn
}

// turns measures two things by turns, so that what else the machine does meets both, and reports their ratio.
func turns(b *testing.B, ours, raw func() float64, unit string) {
	b.Helper()
	const rounds = 7
	var all, own, ratios []float64
	for range rounds {
		o, r := ours(), raw()
		own, all, ratios = append(own, o), append(all, r), append(ratios, o/r)
	}
	b.ReportMetric(middle(own), unit)
	b.ReportMetric(middle(all), "raw-"+unit)
	b.ReportMetric(middle(ratios), "ratio")
}

func middle(v []float64) float64 {
	sorted := append([]float64{}, v...)
	for i := range sorted {
		for j := i + 1; j < len(sorted); j++ {
			if sorted[j] < sorted[i] {
				sorted[i], sorted[j] = sorted[j], sorted[i]
			}
		}
	}
	return sorted[len(sorted)/2]
}

// perSecond says how often something was done in half a second, for a second.
func perSecond(b *testing.B, once func() error) float64 {
	b.Helper()
	n, begin := 0, time.Now()
	for ; time.Since(begin) < 500*time.Millisecond; n++ {
		if err := once(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(begin).Seconds()
}

// Calls of a small body, one after the other, beside as many bytes sent and sent back over plain TLS.
func BenchmarkCallsToRawTLS(b *testing.B) {
	l := benchPair(b)
	in := ping{N: 7, Text: strings.Repeat("x", 256)}
	message := make([]byte, 280)
	raw := rawTLS(b, func(conn net.Conn) {
		buffer := make([]byte, len(message))
		for {
			if _, err := io.ReadFull(conn, buffer); err != nil {
				return
			}
			if _, err := conn.Write(buffer); err != nil {
				return
			}
		}
	})
	for b.Loop() {
		turns(b, func() float64 { return perSecond(b, func() error { return callOnce(l, in) }) },
			func() float64 {
				return perSecond(b, func() error {
					if _, err := raw.Write(message); err != nil {
						return err
					}
					_, err := io.ReadFull(raw, message)
					return err
				})
			}, "calls/s")
	}
}

// Uploads of 8 MiB beside as many bytes over plain TLS, each acknowledged.
func BenchmarkBytesToRawTLS(b *testing.B) {
	l := benchPair(b)
	data := make([]byte, 8<<20)
	raw := rawTLS(b, func(conn net.Conn) {
		for {
			if _, err := io.CopyN(io.Discard, conn, int64(len(data))); err != nil {
				return
			}
			if _, err := conn.Write([]byte{1}); err != nil {
				return
			}
		}
	})
	mb := func(perSecond float64) float64 { return perSecond * float64(len(data)) / 1e6 }
	for b.Loop() {
		turns(b, func() float64 {
			return mb(perSecond(b, func() error {
				response, err := l.Bulk().Post(link.BaseURL+"/upload", "application/octet-stream", bytes.NewReader(data))
				if err != nil {
					return err
				}
				defer response.Body.Close() // read only
				if response.StatusCode != http.StatusOK {
					return http.ErrAbortHandler
				}
				return nil
			}))
		}, func() float64 {
			return mb(perSecond(b, func() error {
				if _, err := raw.Write(data); err != nil {
					return err
				}
				_, err := io.ReadFull(raw, make([]byte, 1))
				return err
			}))
		}, "MB/s")
	}
}
