package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release/server"
)

var issueVerb = &cli.Command{
	Name:  "issue",
	Usage: "answer boards that ask for new certificates",
	Description: "A board with our loader that is to renew its certificate (serve --renew-after, or\n" +
		"after key rotate boards-ca) makes a new key and asks the image server for a certificate\n" +
		"of it. The server has no CA key: it keeps the request, and this verb, where that key\n" +
		"is, answers. The certificate by which the board asked is good until it is seen with\n" +
		"the new one, or for --grace.",
	Flags: []cli.Flag{
		visitsFlag,
		&cli.DurationFlag{Name: "grace", Usage: "keep a board's old certificate good for `DURATION` at most", Value: 30 * 24 * time.Hour},
		&cli.BoolFlag{Name: "watch", Usage: "go on, until interrupted"},
	},
	Action: withSite(issue),
}

// issuePoll is how often requests are looked for.
const issuePoll = 2 * time.Second

// renewPace bounds what one board can fill the registry with: so long after one that
// followed its first, used or not, it gets no other certificate.
const renewPace = time.Hour

// An issued is what one round did for one board.
type issued struct {
	MAC    fleet.MAC    `json:"mac"`
	Serial fleet.Serial `json:"serial"`
	Done   string       `json:"done"` // issued, or superseded: the old one ended
}

func issue(s *session) error {
	if grace := s.cli.Duration("grace"); grace <= 0 || grace > maxGrace {
		return usagef("--grace %s: want more than 0, and at most %s", grace, maxGrace)
	}
	if err := s.noGrace(); err != nil {
		return err
	}
	visits, err := registry.OpenVisits(s.ctx(), s.visits())
	if err != nil {
		return err
	}
	defer visits.Close()
	authority, err := s.authority(pki.Boards, true)
	if err != nil {
		return err
	}
	i := &issuer{s, visits, authority}
	if !s.cli.Bool("watch") {
		done, err := i.round(s.ctx())
		if len(done) == 0 && err == nil {
			say(s.cli, "no board asks for a certificate that it can get now")
		}
		return errors.Join(err, answer(s.cli, done, func(w io.Writer) { issuedText(w, done) }))
	}
	return i.watch()
}

func issuedText(w io.Writer, done []issued) {
	for _, d := range done {
		fmt.Fprintf(w, "%s %s %s\n", d.MAC, d.Done, d.Serial)
	}
}

// An issuer answers requests.
type issuer struct {
	*session
	visits *registry.Visits
	boards *pki.Authority
}

// watch answers until it is interrupted. A round that failed is tried again.
func (i *issuer) watch() error {
	tick := time.NewTicker(issuePoll)
	defer tick.Stop()
	for {
		done, err := i.round(i.ctx())
		if err != nil && i.ctx().Err() == nil {
			fmt.Fprintln(i.cli.App.ErrWriter, "tcpboot:", err)
		}
		issuedText(i.cli.App.Writer, done)
		select {
		case <-i.ctx().Done():
			return nil
		case <-tick.C:
		}
	}
}

// round looks at every request once, and renders what changed.
func (i *issuer) round(ctx context.Context) (done []issued, err error) {
	done = []issued{} // for JSON
	var all []registry.Renewal
	for r, err := range i.visits.Renewals(ctx) {
		if err != nil {
			return done, err
		}
		all = append(all, r)
	}
	var errs []error
	for _, r := range all {
		one, err := i.one(ctx, r)
		if one.Done != "" {
			done = append(done, one)
		}
		errs = append(errs, err)
	}
	if len(done) > 0 {
		errs = append(errs, i.renderAll())
	}
	return done, errors.Join(errs...)
}

// one takes one request as far as it can go now.
func (i *issuer) one(ctx context.Context, r registry.Renewal) (issued, error) {
	d, err := i.fleet.Device(ctx, r.MAC)
	switch {
	case errors.Is(err, fleet.ErrUnknown), err == nil && d.State != fleet.Active:
		return issued{}, i.visits.EndRenewal(ctx, r)
	case err != nil:
		return issued{}, err
	case r.Certificate != nil && d.Admissions[0].Certificate == fleet.Sum(r.Certificate):
		return i.supersede(ctx, d, r)
	case inForce(d, r.Proved) && follows(d) && time.Since(d.Admissions[0].Issued) < renewPace:
		return issued{}, nil
	}
	return i.certify(ctx, d, r)
}

// inForce reports whether d has a certificate, in its grace or not.
func inForce(d fleet.Device, certificate fleet.Digest) bool {
	return slices.ContainsFunc(d.Admissions, func(a fleet.Admission) bool { return a.Certificate == certificate })
}

// follows reports whether the newest credential of d came after the one it was enrolled with.
func follows(d fleet.Device) bool { return d.Admissions[0].Issued.After(d.Enrolled) }

// supersede ends the old credential of a board that was seen with the new one, and its
// delivery with it.
func (i *issuer) supersede(ctx context.Context, d fleet.Device, r registry.Renewal) (issued, error) {
	if r.Joined.IsZero() {
		return issued{}, nil
	}
	if err := i.fleet.Supersede(ctx, d.MAC, d.Admissions[0].Certificate); err != nil {
		return issued{}, err
	}
	if err := i.purgeDead(d.MAC); err != nil {
		return issued{}, err
	}
	return issued{d.MAC, d.Admissions[0].Serial, "superseded"}, i.visits.EndRenewal(ctx, r)
}

// certify issues the certificate. It is put beside the request first, where it
// admits nobody: a run that is cut off before the registry has it goes on with the
// same one.
func (i *issuer) certify(ctx context.Context, d fleet.Device, r registry.Renewal) (issued, error) {
	certificate, err := i.certificateFor(r)
	if err != nil {
		return issued{}, errors.Join(fmt.Errorf("renewal of %s: %w", d.MAC, err), i.visits.EndRenewal(ctx, r))
	}
	r.Certificate = certificate.Raw
	if err := i.visits.AnswerRenewal(ctx, r); err != nil {
		return issued{}, err
	}
	a := fleet.Admission{
		Serial: pki.SerialOf(certificate), Certificate: fleet.Sum(certificate.Raw), Issuer: pki.IssuerOf(i.boards.CA), Issued: time.Now(),
		NTHash: d.Admissions[0].NTHash, // the password is not renewed
	}
	err = i.fleet.Renew(ctx, d.MAC, a, r.Proved, i.cli.Duration("grace")) // the moment
	switch {
	case errors.Is(err, registry.ErrNotInForce): // rotated since it asked
		return issued{}, errors.Join(err, i.visits.EndRenewal(ctx, r))
	case err != nil:
		return issued{}, err
	}
	return issued{d.MAC, a.Serial, "issued"}, nil
}

// certificateFor is the one that lies there from a run that was cut off, or a new one.
// Servers write there too, and the CA may have been replaced meanwhile.
func (i *issuer) certificateFor(r registry.Renewal) (*x509.Certificate, error) {
	request, err := x509.ParseCertificateRequest(r.Request)
	if err == nil {
		err = request.CheckSignature()
	}
	if err != nil {
		return nil, err
	}
	if c, err := x509.ParseCertificate(r.Certificate); err == nil && i.answers(c, r.MAC, request) {
		return c, nil
	}
	return i.boards.CertifyBoard(r.MAC, request.PublicKey)
}

// answers reports whether the boards CA issued c for what m asked.
func (i *issuer) answers(c *x509.Certificate, m fleet.MAC, request *x509.CertificateRequest) bool {
	return c.Subject.CommonName == m.String() && bytes.Equal(c.RawSubjectPublicKeyInfo, request.RawSubjectPublicKeyInfo) &&
		c.CheckSignatureFrom(i.boards.CA) == nil
}

// renewFrom is what a server does with a board's request: it keeps it, and answers
// with what lies beside it once the registry admits that.
func renewFrom(v *registry.Visits) func(server.Renewal) ([]byte, error) {
	return func(r server.Renewal) ([]byte, error) {
		certificate, err := v.AskRenewal(context.Background(), registry.Renewal{
			MAC: r.Device.MAC, Asked: time.Now(), Key: fleet.Sum(r.Request.RawSubjectPublicKeyInfo), Proved: r.Proved, Request: r.Request.Raw,
		})
		if err != nil {
			return nil, err
		}
		for _, a := range r.Device.Admissions {
			if certificate != nil && a.Certificate == fleet.Sum(certificate) {
				return certificate, nil
			}
		}
		return nil, server.ErrNotYet
	}
}
