package radius_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

// lists are the two lists of boards that bear a state.
func lists(t *testing.T, boards ...*board) map[string][]byte {
	t.Helper()
	s := newSite()
	var m memory
	if err := errors.Join(
		radius.Export(s.server(all), devices(boards...), m.create),
		radius.Hostapd(s.hostapd(fleet.PEAP), devices(boards...), m.create),
	); err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"eap_user": m.files["eap_user"].Bytes(), "authorize": m.files["authorize"].Bytes()}
}

// A list has the state of its boards, and any other text has none.
func TestState(t *testing.T) {
	one := lists(t, fixed("246f28aa1001", all, 0, admission(1)), fixed("246f28aa1002", all, 0, admission(2)))
	two := lists(t, fixed("246f28aa1001", all, 0, admission(1)))
	for name, list := range one {
		t.Run(name, func(t *testing.T) {
			state := must(radius.State(bytes.NewReader(list)))
			if state != must(radius.State(iotest.OneByteReader(bytes.NewReader(list)))) {
				t.Error("another state when read byte by byte")
			}
			if state == must(radius.State(bytes.NewReader(two[name]))) {
				t.Error("two lists have one state")
			}
			for cut := range list {
				if got, err := radius.State(bytes.NewReader(list[:cut])); err == nil {
					t.Fatalf("cut after %d bytes: state %s", cut, got)
				}
			}
			for i := range list {
				changed := bytes.Clone(list)
				changed[i] ^= 1
				if got, err := radius.State(bytes.NewReader(changed)); err == nil && got == state {
					t.Fatalf("byte %d changed: the same state", i)
				}
			}
		})
	}
	for name, text := range map[string]string{
		"empty":         "",
		"another file":  "a\nb\n",
		"no digits":     "tcpboot-state-\n",
		"a longer line": strings.Repeat("x", 1<<17) + "\n",
		"wrong digest":  "tcpboot-state-" + strings.Repeat("00", 32) + "\n",
	} {
		if got, err := radius.State(strings.NewReader(text)); err == nil {
			t.Errorf("%s: state %s", name, got)
		}
	}
	broken := errors.New("disk gone")
	if _, err := radius.State(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}
