package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/ocsp"
	"github.com/tcpboot/tcpboot/pki/site"
)

var ocspVerb = &cli.Command{
	Name:  "ocsp",
	Usage: "answer, by OCSP, whether boards' certificates are good",
	Description: "For other relying parties, over plain HTTP: the answers are signed. What tcpboot\n" +
		"exports for RADIUS asks nobody. A revocation is answered from the next question on.\n\n" +
		"A process of its own, with a key of its own: it needs tcpboot.yaml, certs/, that\n" +
		"key (role servers) and the database, changes nothing, and has no other key to lose.\n" +
		"`ocsp renew` makes key and certificate, which ends after 90 days; restart ocsp then.",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "listen", Usage: "listen on `ADDR:PORT`"},
	},
	Subcommands: []*cli.Command{{
		Name:   "renew",
		Usage:  "give the responder a certificate for 90 days, and a key if it has none",
		Action: withSite(ocspRenew),
	}},
	Action: readingSite(ocspServe),
}

// responderKey is made by ocsp renew, and not by init: a site without a responder
// has no key that could call a dead certificate good. It is no boards key, so that
// the passphrase beside a responder opens no CA. No copy of it is kept: another
// does as well.
var responderKey = siteKey{"ocsp", custody.Servers, custody.P256, "signs OCSP answers about board certificates"}

// A responder is the certificate by which one boards CA lets the responder's key
// answer for what it issued.
type responder struct {
	ca   boardsCA
	file string // in certs/
}

// responders are those of the boards CAs in use, the present one first.
func (s *session) responders() ([]responder, error) {
	cas, err := s.boardsCAs()
	if err != nil {
		return nil, err
	}
	var all []responder
	for i, ca := range inUse(cas) {
		r := responder{ca, responderKey.name}
		if i > 0 {
			r.file = fmt.Sprintf("%s-%d", responderKey.name, ca.Number())
		}
		all = append(all, r)
	}
	return all, nil
}

// withResponder adds the responder's key to keys, where there is one.
func (s *session) withResponder(keys []siteKey) []siteKey {
	if exists(s.site.Path("certs", responderKey.name+".pem")) {
		keys = append(slices.Clone(keys), responderKey)
	}
	return keys
}

var (
	errNoResponder  = errors.New("there is no OCSP responder yet")
	errResponderKey = errors.New("ocsp renew makes the responder's key, and another one when that is taken away")
)

func ocspServe(s *session) error {
	if err := errors.Join(wantFlag(s.cli, "listen"), wantAddress(s.cli, "listen")); err != nil {
		return err
	}
	log := s.log()
	signers, err := s.signers()
	if err != nil {
		return err
	}
	answers, err := ocsp.New(s.fleet, time.Now, log, signers...)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", s.cli.String("listen"))
	if err != nil {
		return err
	}
	log.Info("listening", "address", ln.Addr().String(), "certificate ends", signers[0].Certificate.NotAfter)
	return serveHTTP(s.ctx(), ln, answers, log)
}

// signers loads the responder as each of its CAs knows it.
func (s *session) signers() (all []ocsp.Signer, err error) {
	responders, err := s.responders()
	if err != nil {
		return nil, err
	}
	for _, r := range responders {
		c, err := s.certificate(r.file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("certs/%s.pem: %w", r.file, errNoResponder)
		case err != nil:
			return nil, err
		case c.CheckSignatureFrom(r.ca.CA) != nil:
			return nil, fmt.Errorf("certs/%s.pem: by another CA than %q: %w", r.file, r.ca.CA.Subject.CommonName, errNoResponder)
		}
		all = append(all, ocsp.Signer{CA: r.ca.CA, Certificate: c})
	}
	key, err := s.keys.open(responderKey.name)
	for i := range all {
		all[i].Key = key
	}
	return all, err
}

// certificate reads the one certificate in a file of certs/.
func (s *session) certificate(name string) (*x509.Certificate, error) {
	text, err := os.ReadFile(s.site.Path("certs", name+".pem"))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("certs/%s.pem: no PEM in it", name)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certs/%s.pem: %w", name, err)
	}
	return c, nil
}

// Bounds of what one asker may take of the responder. A question and its answer
// are a packet or two each; who needs longer keeps a connection from others.
const (
	askPatience  = 10 * time.Second
	idlePatience = 30 * time.Second
	maxHeader    = 8 << 10 // bytes; a question by GET is a line of 3 KiB at most
	stopPatience = 5 * time.Second
)

// serveHTTP serves until ctx ends, and then lets what was asked be answered.
func serveHTTP(ctx context.Context, ln net.Listener, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: askPatience,
		ReadTimeout:       askPatience,
		WriteTimeout:      askPatience,
		IdleTimeout:       idlePatience,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
		defer cancel()
		stopped <- srv.Shutdown(patience)
	})
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// A renewal is one certificate of the responder.
type renewal struct {
	Out    string    `json:"out"`
	Serial string    `json:"serial"`
	Until  time.Time `json:"until"`
}

// ocspRenew issues the responder's certificates. The key comes first: killed
// between the two, the verb is run again.
func ocspRenew(s *session) error {
	unlock, err := s.site.Lock(responderKey.name)
	if err != nil {
		return err
	}
	defer unlock()
	responders, err := s.responders()
	if err != nil {
		return err
	}
	cas := make([]*pki.Authority, len(responders))
	for i, r := range responders { // all that may be refused, before a key is made
		if cas[i], err = s.withKey(r.ca); err != nil {
			return err
		}
	}
	key, err := s.openOrMakeResponder()
	if err != nil {
		return err
	}
	var renewed []renewal
	for i, r := range responders {
		done, err := s.renewResponder(cas[i], key.Public(), r.file)
		if err != nil {
			return err
		}
		renewed = append(renewed, done)
	}
	return answer(s.cli, map[string]any{"renewed": renewed}, func(w io.Writer) {
		for _, r := range renewed {
			fmt.Fprintf(w, "OCSP responder certificate in %s, until %s\n", r.Out, r.Until.Format(time.DateOnly))
		}
	})
}

// renewResponder issues the certificate by one CA.
func (s *session) renewResponder(ca *pki.Authority, key crypto.PublicKey, file string) (r renewal, err error) {
	c, err := ca.IssueResponder(key, time.Now())
	if err != nil {
		return r, err
	}
	r = renewal{s.site.Path("certs", file+".pem"), pki.SerialOf(c).String(), c.NotAfter}
	if err := s.fleet.Record(s.ctx(), "ocsp.renew", r.Serial, jsonText(map[string]time.Time{"until": r.Until})); err != nil {
		return r, err
	}
	return r, site.WriteFile(r.Out, pki.CertificatePEM(c), 0o644)
}

// openOrMakeResponder opens the responder's key, or makes it: where it is by
// default, or in the key store that the settings name.
func (s *session) openOrMakeResponder() (crypto.Signer, error) {
	uri, name := s.keys.uri(responderKey.name), responderKey.name
	byDefault := uri == site.Settings{}.Key(name)
	if byDefault && !exists(s.site.Path(uri)) {
		return s.makeResponder(s.site.Path(uri))
	}
	key, err := s.keys.open(name)
	if err != nil && custody.Store(uri) != "" && !exists(s.site.Path("certs", name+".pem")) {
		var createErr error
		if key, createErr = s.keys.store.Create(uri, responderKey.kind); createErr == nil {
			return key, nil
		}
		err = errors.Join(err, createErr)
	}
	return key, err
}

// makeResponder makes the responder's key in a file.
func (s *session) makeResponder(file string) (crypto.Signer, error) {
	passphrases, err := newPassphrases(s.cli)
	if err != nil {
		return nil, err
	}
	passphrase, err := passphrases(responderKey.role)
	if err != nil {
		return nil, err
	}
	key, err := custody.Generate(responderKey.kind)
	if err != nil {
		return nil, err
	}
	sealed, err := custody.Seal(key, passphrase)
	if err != nil {
		return nil, err
	}
	return key, site.WriteFile(file, sealed, 0o600)
}
