package registry_test

import (
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

// batch is how many boards go into one transaction.
const batch = 10_000

// enrolMany adds boards 0 … n-1 in batches, and activates them when asked to.
func enrolMany(b *testing.B, f *registry.Fleet, n int, activate bool) {
	b.Helper()
	for from := 0; from < n; from += batch {
		var entries []registry.Entry
		var macs []fleet.MAC
		for i := from; i < min(from+batch, n); i++ {
			entries, macs = append(entries, registrytest.Entry(i)), append(macs, registrytest.MAC(i))
		}
		if err := f.Add(b.Context(), entries); err != nil {
			b.Fatal(err)
		}
		if !activate {
			continue
		}
		if err := f.Activate(b.Context(), macs); err != nil {
			b.Fatal(err)
		}
	}
}

func perSecond(b *testing.B) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "boards/s")
}

// BenchmarkAdd adds one board per operation, in batches.
func BenchmarkAdd(b *testing.B) {
	f, _ := registrytest.New(b)
	b.ResetTimer()
	enrolMany(b, f, b.N, false)
	perSecond(b)
}

// BenchmarkEnrol adds and activates one board per operation, in batches.
func BenchmarkEnrol(b *testing.B) {
	f, _ := registrytest.New(b)
	b.ResetTimer()
	enrolMany(b, f, b.N, true)
	perSecond(b)
}

// BenchmarkDevice looks up one board of 100,000 per operation.
func BenchmarkDevice(b *testing.B) {
	const boards = 100_000
	f, _ := registrytest.New(b)
	enrolMany(b, f, boards, true)
	b.ResetTimer()
	for i := range b.N {
		if _, err := f.Device(b.Context(), registrytest.MAC(i*7919%boards)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDevices walks over one board per operation.
func BenchmarkDevices(b *testing.B) {
	f, _ := registrytest.New(b)
	enrolMany(b, f, b.N, true)
	b.ResetTimer()
	for _, err := range f.Devices(b.Context(), registry.Filter{}) {
		if err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b)
}
