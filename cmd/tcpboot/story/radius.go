package story

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// eapolConf is what eapol_test reads: a station with the delivered certificate.
const eapolConf = `network={
	key_mgmt=IEEE8021X
	eap=TLS
	identity="%[1]s"
	client_cert="%[2]s/main/wpa2_client.crt"
	private_key="%[2]s/main/wpa2_client.key"
	ca_cert="%[2]s/main/wpa2_ca.pem"
	domain_match="radius.lab"
}
`

// admission asks a real RADIUS server, started on the exported configuration as
// it lies, whether the board gets in; without the programs it says so.
func (s *stage) admission(what, mac string, want bool) error {
	server, err := exec.LookPath("freeradius")
	if err != nil {
		server, err = exec.LookPath("/usr/sbin/freeradius")
	}
	_, eapolErr := exec.LookPath("eapol_test")
	if errors.Join(err, eapolErr) != nil {
		s.note("  (not run: FreeRADIUS and eapol_test are not installed; radius/ holds the rendered configuration)")
		return nil
	}
	got, err := s.login(server, mac)
	if err != nil {
		return err
	}
	s.note("  FreeRADIUS on radius/, asked with %s of %s by EAP-TLS: %s", what, mac, verdict(got))
	if got != want {
		return fmt.Errorf("RADIUS: %s of %s: %s", what, mac, verdict(got))
	}
	return nil
}

func verdict(accepted bool) string {
	if accepted {
		return "Access-Accept"
	}
	return "Access-Reject"
}

// login starts the server, authenticates once, and ends the server.
func (s *stage) login(server, mac string) (accepted bool, err error) {
	conf := s.path(".eapol.conf")
	text := fmt.Sprintf(eapolConf, mac, s.path("boards", mac[10:], mac))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return false, err
	}
	secret, err := os.ReadFile(s.path("keys", "radius-client.secret"))
	if err != nil {
		return false, err
	}
	radius := exec.CommandContext(s.ctx, server, "-f", "-d", s.path("radius"), "-n", "radiusd")
	before := len(s.end)
	if err := s.background(radius, "Ready to process requests"); err != nil {
		return false, err
	}
	defer func() { s.end[before](); s.end = s.end[:before] }()
	station := strings.Join([]string{mac[0:2], mac[2:4], mac[4:6], mac[6:8], mac[8:10], mac[10:12]}, ":")
	out, err := exec.CommandContext(s.ctx, "eapol_test", "-c", conf, "-a", "127.0.0.1", "-p", s.radius,
		"-s", strings.TrimSpace(string(secret)), "-M", station, "-t", "5").CombinedOutput()
	if err != nil && !strings.Contains(string(out), "Access-Reject") {
		return false, fmt.Errorf("eapol_test: %w", err)
	}
	return err == nil, nil
}
