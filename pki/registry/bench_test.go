package registry_test

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

func benchFleet(b *testing.B) *registry.Fleet {
	f, err := registry.Create(b.Context(), "sqlite:"+filepath.Join(b.TempDir(), "tcpboot.db"), registry.Options{Who: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return f
}

func benchEntry(n int) registry.Entry {
	var e registry.Entry
	binary.BigEndian.PutUint64(e.Admission.Serial[:], uint64(n)*0x9e3779b97f4a7c15|1<<63)
	binary.BigEndian.PutUint32(e.Device.MAC[2:], uint32(n))
	e.Device.MAC[0], e.Device.MAC[1] = 0x24, 0x0a
	e.Device.Hardware, e.Device.Channel, e.Device.EAP = "esp32", "stable", fleet.TLS|fleet.PEAP
	e.Admission.Certificate = fleet.Sum(e.Admission.Serial[:])
	e.Admission.NTHash[0] = 1
	e.Admission.Issued = time.Unix(0, 0)
	return e
}

// addBatch adds boards from..to, and activates them.
func addBatch(ctx context.Context, b *testing.B, f *registry.Fleet, from, to int, activate bool) {
	var entries []registry.Entry
	var macs []fleet.MAC
	for i := from; i < to; i++ {
		e := benchEntry(i)
		entries, macs = append(entries, e), append(macs, e.Device.MAC)
	}
	if err := f.Add(ctx, entries); err != nil {
		b.Fatal(err)
	}
	if activate {
		if err := f.Activate(ctx, macs); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAdd adds one board per operation, in batches of 10,000.
func BenchmarkAdd(b *testing.B) {
	f := benchFleet(b)
	b.ResetTimer()
	for i := 0; i < b.N; i += 10_000 {
		addBatch(b.Context(), b, f, i, min(i+10_000, b.N), os.Getenv("ACT") != "")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "boards/s")
}
