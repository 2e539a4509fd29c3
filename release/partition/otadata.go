package partition

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

const (
	recordSize = 32
	noSequence = 0xffffffff
)

// OTAState is how far an app in a slot has proved itself.
type OTAState uint32

// The states.
const (
	New           OTAState = 0 // written, not started yet
	PendingVerify OTAState = 1 // started once, and has not confirmed itself
	Valid         OTAState = 2
	Invalid       OTAState = 3 // said itself that it is no good
	Aborted       OTAState = 4 // did not confirm itself
	Undefined     OTAState = 0xffffffff
)

func (s OTAState) String() string {
	switch s {
	case New:
		return "new"
	case PendingVerify:
		return "pending-verify"
	case Valid:
		return "valid"
	case Invalid:
		return "invalid"
	case Aborted:
		return "aborted"
	case Undefined:
		return "undefined"
	}
	return "state " + strconv.FormatUint(uint64(s), 10)
}

// An OTARecord is one of the two records of otadata, each at the start of a
// sector of 4096 bytes: sequence number, 20 unused bytes, state, and a CRC-32
// of the sequence number alone.
type OTARecord struct {
	Sequence uint32 // 0xffffffff: empty
	State    OTAState
	Intact   bool // the CRC is right
}

// An OTARecords is what otadata says. The record with the higher sequence number
// decides; an update writes the other, so that one is always whole.
type OTARecords [2]OTARecord

// ParseOTAData reads an otadata partition. It fails on a wrong size only:
// whatever is in there, a board boots something.
func ParseOTAData(b []byte) (OTARecords, error) {
	if len(b) != otadataSize {
		return OTARecords{}, fmt.Errorf("otadata of %d bytes, want %d", len(b), otadataSize)
	}
	var r OTARecords
	for i := range r {
		r[i] = parseRecord(b[i*sector:][:recordSize])
	}
	return r, nil
}

func parseRecord(b []byte) OTARecord {
	// The ROM's CRC starts from all ones where the usual one starts from zero.
	sum := crc32.Update(0xffffffff, crc32.IEEETable, b[:4])
	return OTARecord{
		Sequence: le.Uint32(b),
		State:    OTAState(le.Uint32(b[24:])),
		Intact:   le.Uint32(b[28:]) == sum,
	}
}

// ErasedOTAData returns otadata as it is on a new board, and after an app has
// returned the board to its loader: a factory app boots.
func ErasedOTAData() []byte { return bytes.Repeat([]byte{0xff}, otadataSize) }

// Boot returns the entry of t that ESP-IDF's bootloader starts first. rollback
// says that the bootloader is built with CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE:
// then an app that was started once and has not confirmed itself is not started
// again. Where the app is damaged the bootloader goes on to others; Boot does not
// look at apps.
func (r OTARecords) Boot(t Table, rollback bool) (Entry, error) {
	slots := t.slots()
	_, hasOTAData := t.FindKind(OTAData)
	if !hasOTAData || slots == 0 {
		return t.fallback()
	}
	if rollback {
		for i := range r {
			if r[i].State == PendingVerify {
				r[i].State = Aborted
			}
		}
	}
	active, ok := r.active()
	if !ok {
		return t.fallback()
	}
	slot := int((active.Sequence - 1) % uint32(slots))
	e, ok := t.FindKind(OTA(slot))
	if !ok {
		return Entry{}, fmt.Errorf("otadata means slot ota_%d, which is not in the table of %d slots", slot, slots)
	}
	return e, nil
}

// active returns the record that decides: intact, usable, the higher sequence
// number, the first at a tie.
func (r OTARecords) active() (OTARecord, bool) {
	a, b := r[0], r[1]
	if b.usable() && (!a.usable() || b.Sequence > a.Sequence) {
		a = b
	}
	return a, a.usable()
}

func (r OTARecord) usable() bool {
	return r.Intact && r.Sequence != noSequence && r.State != Invalid && r.State != Aborted
}

func (t Table) slots() int {
	n := 0
	for _, e := range t {
		if e.Kind.isSlot() {
			n++
		}
	}
	return n
}

// fallback returns what boots where otadata decides nothing: factory, else the
// first slot, else test.
func (t Table) fallback() (Entry, error) {
	kinds := []Kind{Factory}
	for n := range maxSlots {
		kinds = append(kinds, OTA(n))
	}
	for _, k := range append(kinds, Test) {
		if e, ok := t.FindKind(k); ok {
			return e, nil
		}
	}
	return Entry{}, errors.New("the table has no app")
}
