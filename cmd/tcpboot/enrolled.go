package main

import (
	"bufio"
	"fmt"
	"io"

	"github.com/tcpboot/tcpboot/pki/enroll"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// An enrolledList is the answer of enroll while it comes into being. Boards that
// were named are told of one by one, those of a list are counted; as JSON all are
// told of, and written at once, because there may be a million.
type enrolledList struct {
	s     *session
	n     int
	lines []string  // of boards that were named
	json  *jsonList // nil: text is asked for, or there is nothing to tell yet
}

func newEnrolled(s *session) *enrolledList { return &enrolledList{s: s} }

func (a *enrolledList) asJSON() bool   { return a.s.cli.Bool("json") }
func (a *enrolledList) fromList() bool { return a.s.cli.String("from") != "" }

func (a *enrolledList) deliveries() string {
	if a.s.cli.IsSet("seal") {
		return "sealed deliveries"
	}
	return "deliveries"
}

// add tells of a board. What cannot be written is no reason to end the enrolment:
// the writer says so in the end.
func (a *enrolledList) add(d fleet.Device, where string) {
	a.n++
	switch {
	case a.asJSON():
		a.open()
		_ = a.json.add(struct {
			fleet.Device
			Delivery string `json:"delivery"`
		}{d, where})
	case !a.fromList():
		a.lines = append(a.lines, fmt.Sprintf("%s enrolled, delivery in %s", d.MAC, where))
	}
}

// open begins the document.
func (a *enrolledList) open() {
	if a.json == nil {
		a.json = &jsonList{w: bufio.NewWriter(a.s.cli.App.Writer), indent: "  "}
		a.json.w.WriteString("{\n  \"enrolled\": ")
	}
}

// breakOff ends the answer of an enrolment that failed: what was enrolled is.
func (a *enrolledList) breakOff() error {
	if a.n > 0 {
		say(a.s.cli, "%d boards were enrolled before; run it again to finish", a.n)
	}
	if a.json == nil {
		return nil
	}
	a.json.end()
	a.json.w.WriteString("\n}\n")
	return a.json.w.Flush()
}

// end tells of the boards that were skipped.
func (a *enrolledList) end(e *enroll.Enroller, p *enroll.Plan) error {
	switch {
	case a.asJSON():
		return a.endJSON(e, p)
	case a.fromList():
		_, err := fmt.Fprintf(a.s.cli.App.Writer, "enrolled %d, skipped %d, %s in %s\n", a.n, p.Skipping(), a.deliveries(), a.s.outbox().dir)
		return err
	}
	for d, err := range e.Skipped(a.s.ctx(), p) {
		if err != nil {
			return err
		}
		a.lines = append(a.lines, fmt.Sprintf("%s is enrolled already, as asked", d.MAC))
	}
	return printLines(a.s.cli.App.Writer, a.lines)
}

func (a *enrolledList) endJSON(e *enroll.Enroller, p *enroll.Plan) error {
	a.open()
	a.json.end()
	a.json.w.WriteString(",\n  \"skipped\": ")
	skipped := &jsonList{w: a.json.w, indent: "  "}
	for d, err := range e.Skipped(a.s.ctx(), p) {
		if err != nil {
			return err
		}
		if err := skipped.add(d); err != nil {
			return err
		}
	}
	skipped.end()
	a.json.w.WriteString("\n}\n")
	return a.json.w.Flush()
}

func printLines(w io.Writer, lines []string) error {
	out := bufio.NewWriter(w)
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}
	return out.Flush()
}

// printPlan says what an enrolment would do.
func (w *wish) printPlan(s *session) error {
	type counts struct {
		Enrol    int    `json:"would_enroll"`
		Skip     int    `json:"would_skip"`
		Delivery string `json:"delivery"`
	}
	n := counts{w.plan.Enrolling(), w.plan.Skipping(), s.outbox().dir}
	return answer(s.cli, n, func(out io.Writer) {
		fmt.Fprintf(out, "would enrol %d, skip %d, and deliver to %s\n", n.Enrol, n.Skip, n.Delivery)
		for name, h := range w.hardware.added {
			fmt.Fprintf(out, "would add hardware %s, chip %s, to tcpboot.yaml\n", name, h.Chip)
		}
	})
}
