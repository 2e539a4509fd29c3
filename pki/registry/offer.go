package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

const selectOffer = "SELECT hardware, channel, version, manifest, sequence, percent, paused, published, plan, reason, previous FROM offer"

// Offers returns what every channel offers now, ordered by hardware and channel.
func (f *Fleet) Offers(ctx context.Context) (offers []fleet.Offer, err error) {
	for o, err := range query(ctx, f.db, scanOffer, selectOffer+" WHERE withdrawn IS NULL ORDER BY hardware, channel") {
		if err != nil {
			return nil, err
		}
		offers = append(offers, o)
	}
	return offers, nil
}

func scanOffer(rows *sql.Rows) (o fleet.Offer, err error) {
	var manifest, published, plan, previous string
	err = rows.Scan(&o.Hardware, &o.Channel, &o.Version, &manifest, &o.Sequence, &o.Percent, &o.Paused, &published, &plan, &o.Reason, &previous)
	if err != nil {
		return o, err
	}
	err = errors.Join(parseHex(o.Manifest[:], manifest), parseTime(&o.Published, published), parseJSON(&o.Plan, plan), parseJSON(&o.Previous, previous))
	return o, err
}

// optionalJSON is how a part of an offer lies in the database: as JSON; the zero one
// is nothing.
func optionalJSON(v any) (string, error) {
	if reflect.ValueOf(v).IsZero() {
		return "", nil
	}
	text, err := json.Marshal(v)
	return string(text), err
}

func parseJSON(into any, text string) error {
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("offer: %w", err)
	}
	return nil
}

// Publish puts an offer on its channel, in place of last: what Offers says that the
// channel offers, and o goes by; the zero Offer for nothing. Is it another by now, the
// error is ErrChanged. The sequence must be above every one that was published there,
// withdrawn or not, because boards take no lower one. The same manifest may be
// published again, to change the rest. A zero Published becomes now.
func (f *Fleet) Publish(ctx context.Context, last, o fleet.Offer) error {
	if err := checkOffer(o); err != nil {
		return fmt.Errorf("offer %s/%s: %w", o.Hardware, o.Channel, err)
	}
	return f.write(ctx, func(w *writer) error {
		if err := w.still(o.Hardware, o.Channel, last); err != nil {
			return err
		}
		return w.publish(o)
	})
}

// still is ErrChanged where a channel offers another than what somebody has seen there.
func (w *writer) still(hardware, channel string, seen fleet.Offer) error {
	is, err := w.offer(hardware, channel, " AND withdrawn IS NULL")
	if err == nil && !reflect.DeepEqual(is, seen) {
		err = fmt.Errorf("offer %s/%s: %w", hardware, channel, ErrChanged)
	}
	return err
}

// ChangeOffer makes an offer what change makes of it, and writes action into the
// trail. change is handed the offer as it is while nobody else can change it, and
// its error is returned as it stands; it may set Percent, Paused, Plan and Reason.
// An offer that it leaves as it is leaves no trace.
func (f *Fleet) ChangeOffer(ctx context.Context, action, hardware, channel string, change func(*fleet.Offer) error) (o fleet.Offer, err error) {
	err = f.write(ctx, func(w *writer) error {
		o, err = w.changeOffer(action, hardware, channel, change)
		return err
	})
	return o, err
}

func (w *writer) changeOffer(action, hardware, channel string, change func(*fleet.Offer) error) (o fleet.Offer, err error) {
	before, err := w.offer(hardware, channel, " AND withdrawn IS NULL")
	switch {
	case err != nil:
		return o, err
	case before.Sequence == 0:
		return o, fmt.Errorf("offer %s/%s: nothing is offered there", hardware, channel)
	}
	o = before
	o.Plan.Waves = slices.Clone(before.Plan.Waves)
	if err := change(&o); err != nil {
		return o, err
	}
	if err := checkOffer(o); err != nil {
		return o, fmt.Errorf("offer %s/%s: %w", o.Hardware, o.Channel, err)
	}
	if reflect.DeepEqual(o, before) {
		return o, nil
	}
	if err := w.put(o); err != nil {
		return o, err
	}
	return o, w.audit(action, o.Hardware+"/"+o.Channel, o)
}

// offer reads what is or was offered; the zero Offer when nothing ever was.
func (w *writer) offer(hardware, channel, only string) (o fleet.Offer, err error) {
	for found, err := range query(w.ctx, w.tx, scanOffer, selectOffer+" WHERE hardware = $1 AND channel = $2"+only, hardware, channel) {
		return found, err
	}
	return o, nil
}

func checkOffer(o fleet.Offer) error {
	switch {
	case o.Sequence == 0 || o.Sequence > maxNumber:
		return fmt.Errorf("sequence %d: want 1 to %d", o.Sequence, uint64(maxNumber))
	case o.Percent < 0 || o.Percent > 100:
		return fmt.Errorf("%d percent: want 0 to 100", o.Percent)
	case o.Manifest == fleet.Digest{}:
		return errors.New("no manifest")
	}
	return errors.Join(fleet.CheckName("hardware", o.Hardware), fleet.CheckName("channel", o.Channel),
		fleet.CheckName("version", o.Version), checkText("reason", o.Reason))
}

func (w *writer) publish(o fleet.Offer) error {
	if o.Published.IsZero() {
		o.Published = w.now
	}
	last, err := w.offer(o.Hardware, o.Channel, "")
	if err != nil {
		return err
	}
	again := o.Sequence == last.Sequence && o.Manifest == last.Manifest && o.Version == last.Version
	if o.Sequence <= last.Sequence && !again {
		return fmt.Errorf("offer %s/%s: sequence %d of version %s is not above %d, which version %s had",
			o.Hardware, o.Channel, o.Sequence, o.Version, last.Sequence, last.Version)
	}
	if err := w.put(o); err != nil {
		return err
	}
	return w.audit("release.publish", o.Hardware+"/"+o.Channel, o)
}

// put writes the offer, and sees to it that its sequence is not given again.
func (w *writer) put(o fleet.Offer) error {
	plan, errPlan := optionalJSON(o.Plan)
	previous, errPrevious := optionalJSON(o.Previous)
	if err := errors.Join(errPlan, errPrevious); err != nil {
		return err
	}
	_, err := w.exec(`
		INSERT INTO offer (hardware, channel, version, manifest, sequence, percent, paused, published, plan, reason, previous)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (hardware, channel) DO UPDATE SET version = $3, manifest = $4, sequence = $5, percent = $6,
			paused = $7, published = $8, plan = $9, reason = $10, previous = $11, withdrawn = NULL`,
		o.Hardware, o.Channel, o.Version, o.Manifest.Hex(), int64(o.Sequence), o.Percent, o.Paused, timeText(o.Published), plan, o.Reason, previous)
	if err != nil {
		return err
	}
	_, err = w.exec(giveSequence, o.Hardware, o.Channel, int64(o.Sequence))
	return err
}

// Withdraw takes an offer off its channel: last, as Offers has it; the trail tells what
// that was, and reason. Is it another by now, the error is ErrChanged. Its sequence
// stays used.
func (f *Fleet) Withdraw(ctx context.Context, last fleet.Offer, reason string) error {
	if err := checkText("reason", reason); err != nil {
		return fmt.Errorf("offer %s/%s: %w", last.Hardware, last.Channel, err)
	}
	return f.write(ctx, func(w *writer) error {
		if err := w.still(last.Hardware, last.Channel, last); err != nil {
			return err
		}
		_, err := w.exec("UPDATE offer SET withdrawn = $1 WHERE hardware = $2 AND channel = $3", w.at, last.Hardware, last.Channel)
		if err != nil {
			return err
		}
		return w.audit("release.withdraw", last.Hardware+"/"+last.Channel, withdrawDetail{last.Version, last.Manifest, last.Sequence, reason})
	})
}

type withdrawDetail struct {
	Version  string       `json:"version"`
	Manifest fleet.Digest `json:"manifest"`
	Sequence uint64       `json:"sequence"`
	Reason   string       `json:"reason,omitempty"`
}
