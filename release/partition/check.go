package partition

import (
	"cmp"
	"fmt"
	"slices"
)

const (
	sector       = 0x1000
	defaultTable = 0x8000
	appOffset    = 0x10000
	otadataSize  = 2 * sector
	writableNVS  = 0x3000
)

// A Layout is what a table has to fit.
type Layout struct {
	FlashSize   uint32 // in bytes; 0: not checked
	TableOffset uint32 // where the table itself lies; 0: 0x8000
	SignedV1    bool   // apps carry Secure Boot V1 signatures, which take whole 64 KiB
}

func (l Layout) tableEnd() uint64 {
	return uint64(cmp.Or(l.TableOffset, defaultTable)) + sector
}

// alignment is what the offset of an entry is a multiple of.
func (k Kind) alignment() uint32 {
	if k.Type() == typeApp {
		return appOffset
	}
	return sector
}

// Check says why t does not fit l. It refuses what the vendor's tool refuses,
// and besides: empty partitions, names that the tool would cut or that CSV cannot
// hold, and types that ESP-IDF keeps for itself.
func (t Table) Check(l Layout) error {
	if at, err := t.check(l); err != nil {
		return fmt.Errorf("entry %d: %w", at, err)
	}
	return nil
}

// check returns the first entry at fault with the error.
func (t Table) check(l Layout) (at int, err error) {
	for i, e := range t {
		if err := cmp.Or(e.valid(), e.check(l)); err != nil {
			return i, fmt.Errorf("partition %s: %w", e.Name, err)
		}
		if err := t[:i].collide(e); err != nil {
			return i, fmt.Errorf("partition %s: %w", e.Name, err)
		}
	}
	return t.overlap()
}

func (e Entry) check(l Layout) error {
	sizeUnit := uint32(sector)
	if l.SignedV1 {
		sizeUnit = appOffset
	}
	app := e.Kind.Type() == typeApp
	switch a := e.Kind.alignment(); {
	case e.Size == 0:
		return fmt.Errorf("size 0")
	case e.Offset%a != 0:
		return fmt.Errorf("offset %#x is not a multiple of %#x", e.Offset, a)
	case app && e.Size%sizeUnit != 0:
		return fmt.Errorf("size %#x is not a multiple of %#x, as an app's has to be", e.Size, sizeUnit)
	case uint64(e.Offset) < l.tableEnd() && !e.Kind.primary():
		return fmt.Errorf("offset %#x is below %#x, where the partition table ends", e.Offset, l.tableEnd())
	case l.FlashSize != 0 && e.End() > uint64(l.FlashSize):
		return fmt.Errorf("ends at %#x, past the flash of %#x bytes", e.End(), l.FlashSize)
	case (e.Kind == OTAData || e.Kind == Coredump) && e.ReadOnly:
		return fmt.Errorf("%s cannot be readonly", e.Kind)
	case (e.Kind == OTAData || e.Kind == teeOTA) && e.Size != otadataSize:
		return fmt.Errorf("size %#x: %s has %#x", e.Size, e.Kind, otadataSize)
	case e.Kind == NVS && e.Size < writableNVS && !e.ReadOnly:
		return fmt.Errorf("size %#x: NVS of less than %#x has to be readonly", e.Size, writableNVS)
	}
	return nil
}

// collide says why e cannot stand in one table with the entries of t.
func (t Table) collide(e Entry) error {
	if _, taken := t.Find(e.Name); taken {
		return fmt.Errorf("an entry above has the same name")
	}
	if _, taken := t.FindKind(e.Kind); taken && (e.Kind == OTAData || e.Kind == teeOTA) {
		return fmt.Errorf("an entry above is %s already, and there can be one", e.Kind)
	}
	return nil
}

// overlap returns an entry that lies on another, with the error.
func (t Table) overlap() (at int, err error) {
	order := make([]int, len(t))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(t[a].Offset, t[b].Offset) })
	for i := 1; i < len(order); i++ {
		below, e := t[order[i-1]], t[order[i]]
		if uint64(e.Offset) < below.End() {
			return order[i], fmt.Errorf("partition %s: begins at %#x, inside %s, which ends at %#x", e.Name, e.Offset, below.Name, below.End())
		}
	}
	return 0, nil
}
