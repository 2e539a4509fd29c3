package enroll

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// rivals are several Enrollers of one site, as of so many processes: a registry
// connection for each, one outbox, one lock.
func (h *harness) rivals(n int) (all []*Enroller) {
	var lock sync.Mutex
	take := func() (func(), error) { lock.Lock(); return lock.Unlock, nil }
	h.Enroller.Lock = take
	all = append(all, h.Enroller)
	for range n - 1 {
		all = append(all, &Enroller{Fleet: h.other(), Boards: h.Boards, Outbox: h.box, Now: h.Now,
			Defaults: h.Defaults, Files: h.Files, Lock: take, batch: batch})
	}
	return all
}

// Several enrol one list at once: each finds all boards enrolled, by whomever.
func TestEnrollAtOnce(t *testing.T) {
	const boards = 4*batch + 1
	h := newHarness(t)
	var all sync.WaitGroup
	for i, e := range h.rivals(4) {
		asked := ask(boards)
		if i%2 == 1 {
			slices.Reverse(asked) // so that batches overlap in parts
		}
		all.Go(func() {
			enrolled, skipped, err := e.Enroll(t.Context(), asked)
			if err != nil || len(enrolled)+len(skipped) != boards {
				t.Errorf("%d enrolled, %d skipped, %v", len(enrolled), len(skipped), err)
			}
		})
	}
	all.Wait()
	h.whole(boards)
}

func TestRotateAtOnce(t *testing.T) {
	h := newHarness(t)
	h.enroll(ask(2)...)
	var all sync.WaitGroup
	for _, e := range h.rivals(4) {
		all.Go(func() {
			for range 5 {
				if _, err := e.Rotate(t.Context(), mac(1), "", 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	h.whole(2)
}

// Somebody enrols a board of the batch while it is being issued, and not as asked.
func TestEnrollOvertaken(t *testing.T) {
	for name, tt := range map[string]struct {
		name    string
		refused bool
	}{"as asked": {"door 2", false}, "under another name": {"gate", true}} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			rival := h.rivals(2)[1]
			var once sync.Once
			files := h.Files
			h.Enroller.Files = func(c *pki.Credential, d fleet.Device) (delivery.Files, error) {
				once.Do(func() {
					r := ask(2)[1]
					r.Name = tt.name
					_, _, err := rival.Enroll(t.Context(), []Request{r})
					h.ok(err)
				})
				return files(c, d)
			}
			enrolled, skipped, err := h.Enroll(t.Context(), ask(3))
			var different *DifferentError
			if errors.As(err, &different) != tt.refused || !tt.refused && (err != nil || len(enrolled) != 2 || len(skipped) != 1) {
				t.Errorf("%d enrolled, %d skipped, %v", len(enrolled), len(skipped), err)
			}
			h.check()
		})
	}
}

// A lock that cannot be had is an error, and nothing has happened.
func TestNoLock(t *testing.T) {
	h := newHarness(t)
	h.enroll(ask(1)...)
	h.Enroller.Lock = func() (func(), error) { return nil, errInjected }
	for range 2 { // nor does it stay held
		if _, _, err := h.Enroll(t.Context(), ask(2)); !errors.Is(err, errInjected) {
			t.Errorf("enroll: %v", err)
		}
		if _, err := h.Rotate(t.Context(), mac(1), "", 0); !errors.Is(err, errInjected) {
			t.Errorf("rotate: %v", err)
		}
	}
	h.whole(1)
}

// The heir of a board may have its name, and nothing else that is taken.
func TestCheckHeir(t *testing.T) {
	h := newHarness(t)
	h.enroll(ask(3)...)
	h.ok(h.Fleet.Revoke(t.Context(), []fleet.MAC{mac(3)}, "lost"))
	for _, tt := range []struct {
		heir Request
		want any // the type of the error
	}{
		{Request{MAC: mac(9), Name: "door 1"}, nil},
		{Request{MAC: mac(9), Name: "door 2"}, &registry.NameTakenError{}},
		{Request{MAC: mac(2), Name: "door 1"}, &DifferentError{}},
		{Request{MAC: mac(2), Name: "door 2", VLAN: 3}, &DifferentError{}},
		{Request{MAC: mac(2), Name: "door 2"}, nil},
		{Request{MAC: mac(3), Name: "door 1"}, &registry.RevokedError{}},
	} {
		err := h.CheckHeir(t.Context(), mac(1), tt.heir)
		if got, want := fmt.Sprintf("%T", err), fmt.Sprintf("%T", tt.want); got != want {
			t.Errorf("%s %s: %v, want %s", tt.heir.MAC, tt.heir.Name, err, want)
		}
	}
}
