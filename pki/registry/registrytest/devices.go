package registrytest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// states tries every change on a board in every state.
func states(h *harness) {
	ctx := h.Context()
	mac := func(s fleet.State) fleet.MAC {
		return map[fleet.State]fleet.MAC{"": MAC(0), fleet.Pending: MAC(1), fleet.Active: MAC(2), fleet.Revoked: MAC(3)}[s]
	}
	h.ok(h.Add(ctx, []registry.Entry{Entry(1)}))
	Enrol(h, h.Fleet, Entry(2), Entry(3))
	h.ok(h.Revoke(ctx, []fleet.MAC{MAC(3)}, "stolen"))

	n := 100
	changes := map[string]func(fleet.MAC) error{
		"add": func(m fleet.MAC) error {
			n++
			e := Entry(n)
			e.Device.MAC = m
			return h.Add(ctx, []registry.Entry{e})
		},
		"activate": func(m fleet.MAC) error { return h.Activate(ctx, []fleet.MAC{m}) },
		"rotate":   func(m fleet.MAC) error { n++; return h.Rotate(ctx, m, Admission(n, 0), "", 0) },
		"revoke":   func(m fleet.MAC) error { return h.Revoke(ctx, []fleet.MAC{m}, "retired") },
		"change":   func(m fleet.MAC) error { return h.Change(ctx, m, registry.Change{Channel: new("beta")}) },
	}
	for _, row := range []struct {
		state  fleet.State
		change string
		check  func(error) bool
	}{
		{"", "activate", unknown}, {"", "rotate", unknown}, {"", "revoke", unknown}, {"", "change", unknown},
		{fleet.Pending, "rotate", inState(fleet.Pending)},
		{fleet.Active, "add", inState(fleet.Active)}, {fleet.Active, "activate", inState(fleet.Active)},
		{fleet.Revoked, "add", revoked}, {fleet.Revoked, "activate", revoked}, {fleet.Revoked, "rotate", revoked},
		{fleet.Revoked, "revoke", revoked}, {fleet.Revoked, "change", revoked},
	} {
		err := h.refused(func() error { return changes[row.change](mac(row.state)) })
		if !row.check(err) {
			h.Errorf("%s a board that is %q: %v", row.change, row.state, err)
		}
	}
	for _, row := range []struct {
		change string
		board  fleet.MAC
		want   fleet.State
	}{
		{"change", MAC(1), fleet.Pending}, {"add", MAC(1), fleet.Pending}, {"activate", MAC(1), fleet.Active},
		{"change", MAC(2), fleet.Active}, {"rotate", MAC(2), fleet.Active}, {"revoke", MAC(2), fleet.Revoked},
		{"add", MAC(4), fleet.Pending}, {"revoke", MAC(4), fleet.Revoked},
	} {
		h.ok(changes[row.change](row.board))
		equal(h, row.change, h.device(row.board).State, row.want)
	}
	equal(h, "reason", h.device(MAC(3)).Reason, "stolen")
}

func unknown(err error) bool { return errors.Is(err, fleet.ErrUnknown) }

func inState(s fleet.State) func(error) bool {
	return func(err error) bool {
		var e *registry.StateError
		return errors.As(err, &e) && e.State == s
	}
}

func revoked(err error) bool {
	var e *registry.RevokedError
	return errors.As(err, &e) && e.MAC == MAC(3) && e.Reason == "stolen" && e.Time.Equal(NewClock().Now())
}

// batches are all or nothing.
func batches(h *harness) {
	ctx := h.Context()
	Enrol(h, h.Fleet, Entry(5))
	h.refused(func() error { return h.Add(ctx, []registry.Entry{Entry(1), Entry(2), Entry(5)}) })
	h.refused(func() error { return h.Add(ctx, []registry.Entry{Entry(1), Entry(1)}) })
	sameSerial := Entry(2)
	sameSerial.Admission.Serial = Entry(1).Admission.Serial
	h.refused(func() error { return h.Add(ctx, []registry.Entry{Entry(1), sameSerial}) })
	sameCertificate := Entry(2)
	sameCertificate.Admission.Certificate = Entry(1).Admission.Certificate
	h.refused(func() error { return h.Add(ctx, []registry.Entry{Entry(1), sameCertificate}) })
	h.refused(func() error { return h.Revoke(ctx, []fleet.MAC{MAC(5), MAC(6)}, "lost") })
	h.refused(func() error { return h.Revoke(ctx, []fleet.MAC{MAC(5), MAC(5)}, "lost") })
	h.ok(h.Add(ctx, []registry.Entry{Entry(1), Entry(2)}))
	h.refused(func() error { return h.Activate(ctx, []fleet.MAC{MAC(1), MAC(2), MAC(5)}) })
	n, err := h.Count(ctx, registry.Filter{States: []fleet.State{fleet.Pending}})
	h.ok(err)
	equal(h, "pending", n, 2)
	h.ok(h.Add(ctx, nil))
}

// largeBatches need several statements, and hold boards that are new beside some
// that are Pending.
func largeBatches(h *harness) {
	ctx := h.Context()
	const n = 253
	entry := func(i, k int) registry.Entry {
		e := Entry(i)
		e.Device.Name, e.Admission = fmt.Sprintf(`door {"%d"},\'`, i), Admission(i, k)
		return e
	}
	var first, all []registry.Entry
	var macs []fleet.MAC
	var want []string
	for i := range n {
		if i%3 == 0 {
			first = append(first, entry(i, 0))
		}
		all, macs = append(all, entry(i, 1)), append(macs, MAC(i))
		want = append(want, "device.add "+MAC(i).String())
	}
	h.ok(h.Add(ctx, first))
	before, err := h.Stamp(ctx)
	h.ok(err)
	h.ok(h.Add(ctx, all))
	h.refused(func() error { return h.Activate(ctx, append(macs, MAC(n))) })
	h.refused(func() error { return h.Activate(ctx, append(macs, MAC(0))) })
	h.ok(h.Activate(ctx, macs))
	for _, m := range macs {
		want = append(want, "device.activate "+m.String())
	}
	var got []string
	for r, err := range h.Audit(ctx) {
		h.ok(err)
		if r.Sequence > before {
			got = append(got, r.Action+" "+r.Subject)
		}
	}
	equal(h, "trail", got, want)
	for i, m := range macs {
		d := h.device(m)
		equal(h, "credential", d.Admissions, []fleet.Admission{Admission(i, 1)})
		equal(h, "name", d.Name, all[i].Device.Name)
	}
	equal(h, "credentials that ended", len(h.revocations()), len(first))
	rival := entry(n, 0)
	rival.Device.Name = all[n-1].Device.Name
	h.refused(func() error { return h.Add(ctx, []registry.Entry{entry(n+1, 0), rival}) })
}

// addedAnew replaces everything a Pending board had, and ends its credential.
func addedAnew(h *harness) {
	ctx := h.Context()
	h.ok(h.Add(ctx, []registry.Entry{Entry(1)}))
	equal(h, "admissions while pending", len(h.device(MAC(1)).Admissions), 0)
	h.clock.Add(time.Minute)
	e := Entry(1)
	e.Admission = Admission(1, 1)
	e.Device.Name, e.Device.Channel, e.Device.VLAN = "door", "beta", 7
	h.ok(h.Add(ctx, []registry.Entry{e}))
	h.ok(h.Activate(ctx, []fleet.MAC{MAC(1)}))
	d := h.device(MAC(1))
	equal(h, "device", d, fleet.Device{MAC: MAC(1), Name: "door", Hardware: "esp32", Channel: "beta", VLAN: 7,
		EAP: fleet.TLS, State: fleet.Active, Admissions: []fleet.Admission{e.Admission},
		Enrolled: h.clock.Now(), Changed: h.clock.Now()})
	equal(h, "revocations", h.revocations(), map[fleet.Serial]string{Admission(1, 0).Serial: "replaced"})
}

// names belong to one board at a time.
func names(h *harness) {
	ctx := h.Context()
	named := func(n int, name string) registry.Entry {
		e := Entry(n)
		e.Device.Name = name
		return e
	}
	Enrol(h, h.Fleet, named(1, "door"), named(2, ""), named(3, ""))
	for name, do := range map[string]func() error{
		"add":    func() error { return h.Add(ctx, []registry.Entry{named(4, "door")}) },
		"change": func() error { return h.Change(ctx, MAC(2), registry.Change{Name: new("door")}) },
		"batch":  func() error { return h.Add(ctx, []registry.Entry{named(4, "gate"), named(5, "gate")}) },
	} {
		e := as[*registry.NameTakenError](h, h.refused(do))
		want := MAC(1)
		if name == "batch" {
			want = MAC(4)
		}
		equal(h, name+": owner", e.Owner, want)
		if !strings.Contains(e.Error(), want.String()) {
			h.Errorf("%s: %q does not name the owner", name, e)
		}
	}
	d, err := h.ByName(ctx, "door")
	h.ok(err)
	equal(h, "by name", d.MAC, MAC(1))
	if _, err := h.ByName(ctx, ""); !unknown(err) {
		h.Errorf("the empty name finds a board: %v", err)
	}
	h.ok(h.Revoke(ctx, []fleet.MAC{MAC(1)}, "retired"))
	if _, err := h.ByName(ctx, "door"); !unknown(err) {
		h.Errorf("the name of a revoked board finds it: %v", err)
	}
	h.ok(h.Add(ctx, []registry.Entry{named(4, "door")}))
	equal(h, "the revoked board's name", h.device(MAC(1)).Name, "door")
}

// refusedEntries must not get in.
func refusedEntries(h *harness) {
	for name, spoil := range map[string]func(*registry.Entry){
		"no MAC":                       func(e *registry.Entry) { e.Device.MAC = fleet.MAC{} },
		"group MAC":                    func(e *registry.Entry) { e.Device.MAC[0] |= 1 },
		"no method":                    func(e *registry.Entry) { e.Device.EAP = 0 },
		"no hardware":                  func(e *registry.Entry) { e.Device.Hardware = "" },
		"path as hardware":             func(e *registry.Entry) { e.Device.Hardware = "../x" },
		"channel with a line break":    func(e *registry.Entry) { e.Device.Channel = "a\nb" },
		"name with a line break":       func(e *registry.Entry) { e.Device.Name = "a\nDEFAULT Auth-Type := Accept" },
		"name with a zero byte":        func(e *registry.Entry) { e.Device.Name = "a\x00b" },
		"name that is no UTF-8":        func(e *registry.Entry) { e.Device.Name = "a\xff" },
		"VLAN 4095":                    func(e *registry.Entry) { e.Device.VLAN = 4095 },
		"serial with a zero":           func(e *registry.Entry) { e.Admission.Serial[0] = 0 },
		"no certificate":               func(e *registry.Entry) { e.Admission.Certificate = fleet.Digest{} },
		"hash of a board without PEAP": func(e *registry.Entry) { e.Admission.NTHash[0] = 1 },
		"loader with control codes":    func(e *registry.Entry) { e.Device.Loader.Version = "\x1b[2J" },
	} {
		e := Entry(1)
		spoil(&e)
		h.Run(name, func(t *testing.T) {
			if err := h.Add(t.Context(), []registry.Entry{Entry(2), e}); err == nil {
				t.Error("added")
			}
		})
	}
	n, err := h.Count(h.Context(), registry.Filter{})
	h.ok(err)
	equal(h, "boards", n, 0)
}

// hostileText comes back as it went in, and finds nothing but itself.
func hostileText(h *harness) {
	ctx := h.Context()
	texts := []string{
		`'; DROP TABLE device; --`, `" OR ""="`, `Robert'); DELETE FROM audit;--`, `%{User-Password}`, `%`, `_`, `\`,
		`${file}`, "`id`", `$1`, `?`, `{"a":1}`, `NULL`, `1e100`, `00`, `żółw 🐢`, `<script>`, `a"b`,
	}
	for i, text := range texts {
		e := Entry(i)
		e.Device.Name, e.Device.Loader.Version, e.Device.Pin.Version = text, text, text
		Enrol(h, h.Fleet, e)
	}
	for i, text := range texts {
		d, err := h.ByName(ctx, text)
		h.ok(err)
		equal(h, text, []string{d.MAC.String(), d.Name, d.Loader.Version, d.Pin.Version},
			[]string{MAC(i).String(), text, text, text})
		for d, err := range h.Devices(ctx, registry.Filter{Match: text}) {
			h.ok(err)
			if !strings.Contains(d.Name, text) && !strings.Contains(d.MAC.String(), text) {
				h.Errorf("looking for %q found %q", text, d.Name)
			}
		}
		h.ok(h.Rotate(ctx, MAC(i), Admission(i, 1), text, 0))
		h.ok(h.Revoke(ctx, []fleet.MAC{MAC(i)}, text))
		equal(h, "reason", h.device(MAC(i)).Reason, text)
		equal(h, "reason of the first credential", h.revocations()[Admission(i, 0).Serial], text)
	}
	// MACs that a careless column would take for numbers.
	for _, mac := range []fleet.MAC{{0, 0, 0, 0, 0, 1}, {0x10, 0xe0, 0, 0, 0, 0}, {0x10, 0x00, 0x00, 0x00, 0x0e, 0x10}} {
		e := Entry(int(mac[4])<<8 + 1000 + int(mac[5]))
		e.Device.MAC = mac
		Enrol(h, h.Fleet, e)
		equal(h, "MAC", h.device(mac).MAC, mac)
	}
	if err := h.Revoke(ctx, []fleet.MAC{MAC(0)}, "a\nb"); err == nil {
		h.Error("a reason of two lines is taken")
	}
}

// attributes change one by one, and only when they differ.
func attributes(h *harness) {
	ctx := h.Context()
	Enrol(h, h.Fleet, Entry(1))
	h.clock.Add(time.Minute)
	loader := fleet.Loader{Level: 2, Key: fleet.Sum([]byte("key")), Version: "2.1.0"}
	h.ok(h.Change(ctx, MAC(1), registry.Change{Name: new("door"), Hardware: new("gate"), Channel: new("beta"),
		VLAN: new(fleet.VLAN(9)), EAP: new(fleet.TLS | fleet.TTLS), Pin: &fleet.Pin{Version: "1.2"}, Loader: &loader}))
	want := fleet.Device{MAC: MAC(1), Name: "door", Hardware: "gate", Channel: "beta", VLAN: 9, EAP: fleet.TLS | fleet.TTLS,
		State: fleet.Active, Pin: fleet.Pin{Version: "1.2"}, Loader: loader, Admissions: []fleet.Admission{Admission(1, 0)},
		Enrolled: NewClock().Now(), Changed: h.clock.Now()}
	equal(h, "changed", h.device(MAC(1)), want)

	before, err := h.Head(ctx)
	h.ok(err)
	h.ok(h.Change(ctx, MAC(1), registry.Change{Name: new("door")}))
	h.ok(h.Change(ctx, MAC(1), registry.Change{}))
	after, err := h.Head(ctx)
	h.ok(err)
	equal(h, "trail after changes that change nothing", after, before)

	for _, c := range []registry.Change{
		{Hardware: new("a b")}, {Channel: new("")}, {VLAN: new(fleet.VLAN(5000))}, {Name: new("\n")},
		{EAP: new(fleet.EAP(0))}, {Loader: &fleet.Loader{Version: "\x00"}},
	} {
		h.refused(func() error { return h.Change(ctx, MAC(1), c) })
	}
	h.ok(h.Change(ctx, MAC(1), registry.Change{Name: new(""), Pin: &fleet.Pin{}, Loader: &fleet.Loader{}, VLAN: new(fleet.VLAN(0))}))
	want.Name, want.Pin, want.Loader, want.VLAN = "", fleet.Pin{}, fleet.Loader{}, 0
	equal(h, "emptied", h.device(MAC(1)), want)
}

func filters(h *harness) {
	ctx := h.Context()
	for n, name := range []string{"", "Door 1", "door 2", "50%", "Ärger"} {
		e := Entry(n)
		e.Device.Name = name
		if n >= 3 {
			e.Device.Hardware, e.Device.Channel = "gate", "beta"
		}
		h.ok(h.Add(ctx, []registry.Entry{e}))
		if n > 0 {
			h.ok(h.Activate(ctx, []fleet.MAC{MAC(n)}))
		}
	}
	h.ok(h.Revoke(ctx, []fleet.MAC{MAC(4)}, "lost"))
	for _, row := range []struct {
		name   string
		filter registry.Filter
		want   []int
	}{
		{"all", registry.Filter{}, []int{0, 1, 2, 3, 4}},
		{"state", registry.Filter{States: []fleet.State{fleet.Active}}, []int{1, 2, 3}},
		{"states", registry.Filter{States: []fleet.State{fleet.Pending, fleet.Revoked}}, []int{0, 4}},
		{"no such state", registry.Filter{States: []fleet.State{"') OR 1=1 --"}}, nil},
		{"hardware", registry.Filter{Hardware: "gate"}, []int{3, 4}},
		{"channel", registry.Filter{Channel: "stable"}, []int{0, 1, 2}},
		{"together", registry.Filter{Hardware: "gate", States: []fleet.State{fleet.Active}}, []int{3}},
		{"MACs", registry.Filter{MACs: []fleet.MAC{MAC(4), MAC(1), MAC(77), MAC(1)}}, []int{1, 4}},
		{"part of a name", registry.Filter{Match: "DOOR"}, []int{1, 2}},
		{"percent is a letter", registry.Filter{Match: "0%"}, []int{3}},
		{"underscore is a letter", registry.Filter{Match: "_"}, nil},
		{"beyond ASCII as it is", registry.Filter{Match: "Är"}, []int{4}},
		{"part of a MAC", registry.Filter{Match: "24:0A:00:00:00:02"}, []int{2}},
		{"end of a MAC", registry.Filter{Match: "00-03"}, []int{3}},
		{"separators alone", registry.Filter{Match: "::"}, nil},
	} {
		var got []int
		for d, err := range h.Devices(ctx, row.filter) {
			h.ok(err)
			got = append(got, int(d.MAC[5]))
		}
		equal(h, row.name, got, row.want)
		n, err := h.Count(ctx, row.filter)
		h.ok(err)
		equal(h, row.name+": count", n, len(row.want))
	}
}

// owners knows whose names are, as ByName does: those of boards that are revoked
// are nobody's.
func owners(h *harness) {
	ctx := h.Context()
	for n, name := range []string{"", "a", "b", "c"} {
		e := Entry(n)
		e.Device.Name = name
		Enrol(h, h.Fleet, e)
	}
	h.ok(h.Revoke(ctx, []fleet.MAC{MAC(3)}, "lost"))
	for _, row := range []struct {
		asked []string
		want  map[string]fleet.MAC
	}{
		{nil, map[string]fleet.MAC{}},
		{[]string{"", "A", "c", "d", "') OR 1=1 --"}, map[string]fleet.MAC{}},
		{[]string{"b", "x", "a"}, map[string]fleet.MAC{"a": MAC(1), "b": MAC(2)}},
	} {
		got, err := h.Owners(ctx, row.asked)
		h.ok(err)
		equal(h, "owners", got, row.want)
	}
}

// earlyEnd leaves nothing open behind loops that break, and nests changes in them.
func earlyEnd(h *harness) {
	ctx := h.Context()
	Enrol(h, h.Fleet, Entry(1), Entry(2))
	for range 100 {
		for _, err := range h.Devices(ctx, registry.Filter{}) {
			h.ok(err)
			break
		}
	}
	for d, err := range h.Devices(ctx, registry.Filter{}) {
		h.ok(err)
		h.ok(h.Change(ctx, d.MAC, registry.Change{Name: new(d.MAC.String())}))
	}
	equal(h, "changed inside the loop", h.device(MAC(2)).Name, MAC(2).String())
}
