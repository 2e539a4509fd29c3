package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/remote"
)

// How far a site has come is written beside its database after every verb that
// changed something, so that an old copy of the database put in its place, which
// would bring a revoked board back to life, is known for one: the database may be
// ahead of the file, where a verb was killed, and never behind it. What was signed
// bears witness too: the CRL and the manifests name a head each.
const headFile = "head.json"

// A siteHead is what headFile says.
type siteHead struct {
	registry.Mark
	Epoch int `json:"epoch"` // of the newest site document

	// Behind are the signed documents whose heads lie behind this one, each in the
	// state that it had: they need not be read again.
	Behind map[string]string `json:"behind"`
}

// readHead reads what was written last; the zero siteHead when nothing was.
func readHead(s *site.Site) (h siteHead, err error) {
	text, err := os.ReadFile(s.Path(headFile))
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	if err := strictJSON(text, &h); err != nil {
		return h, fmt.Errorf("%s: %w", s.Path(headFile), err)
	}
	return h, nil
}

// checkHead refuses a registry that is older than the site is known to be.
func (s *session) checkHead() error {
	was, err := readHead(s.site)
	if err != nil {
		return err
	}
	if was.Epoch > 0 && !exists(siteDocument(s.site, was.Epoch)) {
		return &oldDocumentsError{was.Epoch}
	}
	var signed registry.Mark
	if crl := witnessFiles(s.site)["crl"]; fileState(crl) != was.Behind["crl"] {
		signed = crlWitness(s.site)
	}
	if err := s.fleet.Holds(s.ctx(), was.Head, signed.Head); err != nil {
		return err
	}
	return s.checkReleases(was.Behind)
}

// An oldDocumentsError says that a site document is not there any more.
type oldDocumentsError struct{ epoch int }

func (e *oldDocumentsError) Error() string {
	return fmt.Sprintf("sitedocs/%d.cose is not there, but this site has been at epoch %d: an older copy was put in its place", e.epoch, e.epoch)
}

// keepHead writes down how far the site has come, unless that is known. It never
// goes back: of two verbs that end at once, the one that read first may write last.
func keepHead(ctx context.Context, s *site.Site, f *registry.Fleet) error {
	unlock, err := s.Lock("head")
	if err != nil {
		return err
	}
	defer unlock()
	now, err := headOf(ctx, s, f)
	if err != nil {
		return err
	}
	if was, err := readHead(s); err != nil || was.Head.Sequence >= now.Head.Sequence {
		return err
	}
	return writeHead(s, now)
}

// headOf is how far a site has come.
func headOf(ctx context.Context, s *site.Site, f *registry.Fleet) (h siteHead, err error) {
	h = siteHead{Epoch: epoch(s), Behind: map[string]string{}}
	for what, file := range witnessFiles(s) { // before the registry: what is signed later is not behind it
		h.Behind[what] = fileState(file)
	}
	h.Mark, err = f.Mark(ctx)
	return h, err
}

// writeHead writes a head. It is no secret, and a server that runs under another
// user reads it.
func writeHead(s *site.Site, h siteHead) error {
	text, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	return site.WriteFile(s.Path(headFile), append(text, '\n'), 0o644)
}

// epoch is that of the newest site document.
func epoch(s *site.Site) (n int) {
	for exists(siteDocument(s, n+1)) {
		n++
	}
	return n
}

func siteDocument(s *site.Site, epoch int) string {
	return s.Path("sitedocs", fmt.Sprintf("%d.cose", epoch))
}

// witnessFiles are what changes when something is signed that bears a head.
func witnessFiles(s *site.Site) map[string]string {
	return map[string]string{"crl": s.Path(crlFile), "releases": filepath.Join(releasesDir(s), "index.json")}
}

// fileState tells one state of a file from another without reading it; "" when it
// is not there.
func fileState(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d bytes, %d", info.Size(), info.ModTime().UnixNano())
}

// checkReleases holds the registry against the manifests in the site's folder, if
// they are not known to lie behind. Those that an OCI registry keeps bear no witness,
// and neither do those that were pulled: others may have made them.
func (s *session) checkReleases(behind map[string]string) error {
	if strings.HasPrefix(s.site.Settings.Releases, remote.Scheme) || fileState(witnessFiles(s.site)["releases"]) == behind["releases"] {
		return nil
	}
	err := s.fleet.Holds(s.ctx(), releaseWitness(s.ctx(), s.site, nil).Head)
	if !errors.As(err, new(*registry.PastError)) {
		return err
	}
	pulled, err := s.pulled()
	if err != nil {
		return err
	}
	return s.fleet.Holds(s.ctx(), releaseWitness(s.ctx(), s.site, pulled).Head)
}

// pulled are the manifests that the trail knows to come from elsewhere.
func (s *session) pulled() (map[fleet.Digest]bool, error) {
	all := make(map[fleet.Digest]bool)
	for row, err := range s.fleet.Audit(s.ctx()) {
		if err != nil {
			return nil, err
		}
		if row.Action != pullAction {
			continue
		}
		var detail struct{ Manifest fleet.Digest }
		if err := json.Unmarshal(row.Detail, &detail); err != nil {
			return nil, fmt.Errorf("audit row %d: %w", row.Sequence, err)
		}
		all[detail.Manifest] = true
	}
	return all, nil
}

// crlWitness is what the CRL says of how far the site has come. What cannot be read,
// or was not signed, bears no witness.
func crlWitness(s *site.Site) (m registry.Mark) {
	text, err := os.ReadFile(s.Path(crlFile))
	if err != nil {
		return m
	}
	lists, err := readCRLs(s, text)
	if err != nil {
		return m
	}
	for _, l := range lists {
		m.Reach(crlMark(l))
	}
	return m
}

// readCRLs reads one CRL or several, each of one of the site's boards CAs.
func readCRLs(s *site.Site, text []byte) (lists []*pki.List, err error) {
	issuers, err := boardsIssuers(s)
	if err != nil {
		return nil, err
	}
	for len(text) > 0 {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		l, err := pki.ReadCRL(pem.EncodeToMemory(block), issuers...)
		if err != nil {
			return nil, err
		}
		lists, text = append(lists, l), rest
	}
	if len(lists) == 0 {
		return nil, errors.New("no CRL in it")
	}
	return lists, nil
}

// boardsIssuers are the issuing certificates of the boards, those that were renewed
// among them.
func boardsIssuers(s *site.Site) (all []*x509.Certificate, err error) {
	files, err := filepath.Glob(filepath.Join(globQuote(s.Path("certs")), "boards-ca*.pem"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		found, err := certificatesIn(file)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// certificatesIn reads every certificate of a PEM file.
func certificatesIn(file string) (all []*x509.Certificate, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// crlMark is what a CRL says of how far the site had come.
func crlMark(l *pki.List) registry.Mark {
	m := registry.Mark{CRL: l.Number, CRLDate: l.ThisUpdate}
	for _, uri := range l.About {
		if head, ok := parseAuditURI(uri); ok {
			m.Reach(registry.Mark{Head: head})
		}
	}
	return m
}

// parseAuditURI reads what auditURI prints.
func parseAuditURI(uri string) (h registry.Head, ok bool) {
	rest, ours := strings.CutPrefix(uri, "tcpboot-audit:")
	number, hash, whole := strings.Cut(rest, ":")
	if !ours || !whole {
		return h, false
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return h, false
	}
	d, err := fleet.ParseDigest(hash)
	return registry.Head{Sequence: n, Hash: d}, err == nil
}

// releaseWitness reads every manifest but those of others: each states the numbers
// that it was given, and where the trail stood.
func releaseWitness(ctx context.Context, s *site.Site, others map[fleet.Digest]bool) (m registry.Mark) {
	layout, err := bundle.Open(releasesDir(s))
	if err != nil {
		return m
	}
	all, _ := layout.Releases(ctx) // and what can be read of them
	for _, r := range all {
		if others[r.Digest] {
			continue
		}
		m.Reach(registry.Mark{Head: registry.Head{Sequence: r.Manifest.AuditSeq, Hash: r.Manifest.Audit}})
		m.Number(r.Manifest.Hardware, r.Manifest.Counter.Count, r.Manifest.Sequences)
	}
	return m
}

// isOlder reports whether err says that an older copy was put in place of something.
func isOlder(err error) bool {
	return errors.As(err, new(*registry.PastError)) || errors.As(err, new(*oldDocumentsError))
}
