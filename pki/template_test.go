package pki

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/custody"
)

// with returns a template that renders base with some members changed; a nil
// value takes a member out.
func with(t *testing.T, base map[string]any, changes map[string]any) string {
	t.Helper()
	members := make(map[string]any)
	for k, v := range base {
		members[k] = v
	}
	for k, v := range changes {
		members[k] = v
		if v == nil {
			delete(members, k)
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("%CN%", "{{ .Subject.CommonName }}").Replace(string(text))
}

type object = map[string]any

var (
	plainBoard = object{
		"subject": "%CN%", "basicConstraints": object{"isCA": false},
		"keyUsage": "digitalSignature", "extKeyUsage": "clientAuth",
	}
	plainServer = object{
		"subject": "%CN%", "dnsNames": "%CN%", "basicConstraints": object{"isCA": false},
		"keyUsage": "digitalSignature", "extKeyUsage": "serverAuth",
	}
	plainCA = object{
		"subject": "%CN%", "basicConstraints": object{"isCA": true, "maxPathLen": 0},
		"keyUsage": []string{"certSign", "crlSign"}, "extKeyUsage": []string{"clientAuth", "ocspSigning"},
	}
)

// What a template may ask of any leaf, and must not get.
var leafAttacks = map[string]struct {
	changes object
	want    string
}{
	"a CA":                   {object{"basicConstraints": object{"isCA": true}}, "CA:true"},
	"no basic constraints":   {object{"basicConstraints": nil}, "want CA:false, stated"},
	"signing certificates":   {object{"keyUsage": []string{"digitalSignature", "certSign"}}, "key usage 0x21: want 0x1"},
	"no key usage":           {object{"keyUsage": nil}, "key usage 0x0: want 0x1"},
	"both sides":             {object{"extKeyUsage": []string{"clientAuth", "serverAuth"}}, "extended key usage"},
	"any use":                {object{"extKeyUsage": "any"}, "extended key usage"},
	"no extended use":        {object{"extKeyUsage": nil}, "extended key usage"},
	"an unknown use":         {object{"unknownExtKeyUsage": []string{"1.2.3.4"}}, "1.2.3.4"},
	"another common name":    {object{"subject": "240ac4000001"}, `common name "240ac4000001": want`},
	"no common name":         {object{"subject": object{"organization": "Lab"}}, `common name ""`},
	"a second common name":   {object{"subject": object{"commonName": "%CN%", "extraNames": []object{{"type": "2.5.4.3", "value": "240ac4000001"}}}}, "common name"},
	"another DNS name":       {object{"sans": []object{{"type": "dns", "value": "radius.lab"}}}, "DNS names"},
	"an address":             {object{"ipAddresses": "192.0.2.1"}, "asks for IPAddresses"},
	"an e-mail address":      {object{"emailAddresses": "a@example.org"}, "asks for EmailAddresses"},
	"a URI":                  {object{"uris": "https://example.org"}, "asks for URIs"},
	"a raw subject":          {object{"rawSubject": "MAA="}, "asks for RawSubject"},
	"an end":                 {object{"notAfter": "2027-01-01T00:00:00Z"}, "asks for NotAfter"},
	"a beginning":            {object{"notBefore": "2027-01-01T00:00:00Z"}, "asks for NotBefore"},
	"a serial number":        {object{"serialNumber": 1}, "asks for SerialNumber"},
	"an algorithm":           {object{"signatureAlgorithm": "SHA1-RSA"}, "asks for SignatureAlgorithm"},
	"basic constraints, raw": {object{"extensions": []object{{"id": "2.5.29.19", "critical": true, "value": "MAMBAf8="}}}, "asks for ExtraExtensions"},
	"an OCSP server":         {object{"ocspServer": "http://example.org"}, "asks for OCSPServer"},
	"name constraints":       {object{"nameConstraints": object{"permittedDNSDomains": "lab"}}, "asks for PermittedDNSDomains"},
	"a policy":               {object{"policyIdentifiers": "1.2.3.4"}, "asks for"},
	"a key identifier":       {object{"subjectKeyId": "AAAA"}, "asks for SubjectKeyId"},
}

func TestBoardTemplateAttacks(t *testing.T) {
	issue := func(t *testing.T, text string) error {
		root, ca := testKeys(t, custody.P256)
		templates := DefaultTemplates()
		templates.Board = text
		a, err := NewAuthority(Boards, "lab", root, ca, templates)
		if err != nil {
			t.Fatal(err)
		}
		c, err := a.IssueBoard(testMAC, testNow)
		if c != nil && err != nil {
			t.Error("a credential beside the error")
		}
		return err
	}
	if err := issue(t, with(t, plainBoard, nil)); err != nil {
		t.Fatalf("the harmless one: %v", err)
	}
	for name, row := range leafAttacks {
		t.Run(name, func(t *testing.T) {
			wantError(t, issue(t, with(t, plainBoard, row.changes)), "board template", row.want)
		})
	}
	t.Run("what differs from board to board", func(t *testing.T) {
		text := with(t, plainBoard, object{"subject": object{"commonName": "%CN%", "organization": "%CN%"}})
		wantError(t, issue(t, text), "differ in more than the common name")
	})
	t.Run("chance", func(t *testing.T) {
		text := with(t, plainBoard, object{"subject": object{"commonName": "%CN%", "organization": "{{ randAlpha 9 }}"}})
		wantError(t, issue(t, text), "differ in more than the common name")
	})
	t.Run("the environment", func(t *testing.T) {
		text := with(t, plainBoard, object{"subject": object{"commonName": "%CN%", "organization": `{{ env "HOME" }}`}})
		wantError(t, issue(t, text), "board template")
	})
	t.Run("not JSON", func(t *testing.T) { wantError(t, issue(t, "{"), "board template") })
	t.Run("not a template", func(t *testing.T) { wantError(t, issue(t, "{{"), "board template") })
}

func TestServerTemplateAttacks(t *testing.T) {
	issue := func(t *testing.T, text string) error {
		root, ca := testKeys(t, custody.P256)
		templates := DefaultTemplates()
		templates.Server = text
		a, err := NewAuthority(RADIUS, "lab", root, ca, templates)
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.IssueServer("radius.lab", testKey(t, custody.P256).Public(), testNow)
		return err
	}
	if err := issue(t, with(t, plainServer, nil)); err != nil {
		t.Fatalf("the harmless one: %v", err)
	}
	for name, row := range leafAttacks {
		t.Run(name, func(t *testing.T) {
			wantError(t, issue(t, with(t, plainServer, row.changes)), "server template", row.want)
		})
	}
	t.Run("no DNS name", func(t *testing.T) {
		wantError(t, issue(t, with(t, plainServer, object{"dnsNames": nil})), "DNS names")
	})
}

func TestCATemplateAttacks(t *testing.T) {
	makeCA := func(t *testing.T, text string) error {
		root, ca := testKeys(t, custody.P256)
		templates := DefaultTemplates()
		templates.CA = text
		a, err := NewAuthority(Boards, "lab", root, ca, templates)
		if a != nil && err != nil {
			t.Error("an authority beside the error")
		}
		return err
	}
	if err := makeCA(t, with(t, plainCA, nil)); err != nil {
		t.Fatalf("the harmless one: %v", err)
	}
	for name, row := range map[string]struct {
		changes object
		want    string
	}{
		"no CA":            {object{"basicConstraints": object{"isCA": false}}, "CA:false"},
		"a longer path":    {object{"basicConstraints": object{"isCA": true, "maxPathLen": 1}}, "path length 1: want 0"},
		"an endless path":  {object{"basicConstraints": object{"isCA": true, "maxPathLen": -1}}, "path length -1: want 0"},
		"server use":       {object{"extKeyUsage": []string{"clientAuth", "serverAuth"}}, "extended key usage"},
		"every use":        {object{"extKeyUsage": nil}, "extended key usage"},
		"a leaf's work":    {object{"keyUsage": []string{"certSign", "crlSign", "digitalSignature"}}, "key usage"},
		"the root's name":  {object{"subject": "lab boards root"}, "common name"},
		"an end":           {object{"notAfter": "2027-01-01T00:00:00Z"}, "asks for NotAfter"},
		"name constraints": {object{"nameConstraints": object{"permittedDNSDomains": "lab"}}, "asks for PermittedDNSDomains"},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, makeCA(t, with(t, plainCA, row.changes)), "CA template", row.want) })
	}
}

// A site may add to a subject what is the same for all boards.
func TestTemplateOfTheSitesOwn(t *testing.T) {
	root, ca := testKeys(t, custody.P256)
	templates := DefaultTemplates()
	templates.Board = with(t, plainBoard, object{"subject": object{"commonName": "%CN%", "organization": "{{ .Site }} Wärmepumpen"}})
	a, err := NewAuthority(Boards, "lab", root, ca, templates)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.IssueBoard(testMAC, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Certificate.Subject.String(), "CN=246f28aa1002,O=lab Wärmepumpen"; got != want {
		t.Errorf("subject %s, want %s", got, want)
	}
}

// The shape also judges certificates that no template of ours made.
func TestShapeRefusesASecondCommonName(t *testing.T) {
	c := newChain(t, Boards, custody.P256).leaf
	twice := *c
	twice.Subject.Names = append(twice.Subject.Names, twice.Subject.Names...)
	wantError(t, boardShape(testMAC.String()).check(&twice), "want \"246f28aa1002\", once")
	extended := *c
	extended.Extensions = append(extended.Extensions, extended.Extensions[0])
	extended.Extensions[len(c.Extensions)].Id = []int{1, 2, 3}
	wantError(t, boardShape(testMAC.String()).checkIssued(&extended), "extension 1.2.3")
	ended := *c
	ended.NotAfter = testNow
	wantError(t, boardShape(testMAC.String()).checkIssued(&ended), "valid from")
}

func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("got %v, want an error with %q", err, w)
		}
	}
}
