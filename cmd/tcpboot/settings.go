package main

import (
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// Settings are a site's as they are now: whoever enrols a board of a new kind
// adds the kind to them while a server runs. One goroutine refreshes them, any
// number ask.
type settings struct {
	now   atomic.Pointer[site.Site]
	seen  fs.FileInfo // nil: to be read
	epoch int         // of the newest site document: who may sign releases is settled there
}

func newSettings(s *site.Site) *settings {
	f := &settings{}
	f.now.Store(s)
	return f
}

// refresh reads the file again when it is another one, or when there is another site
// document. Settings that are wrong leave those from before.
func (f *settings) refresh() (change, error) {
	have := f.now.Load()
	info, err := os.Stat(have.Path(site.SettingsFile))
	if err != nil {
		return nothing, err
	}
	now := epoch(have)
	if f.seen != nil && sameFile(f.seen, info) && now == f.epoch {
		return nothing, nil
	}
	read, err := site.Open(have.Dir)
	if err != nil {
		return nothing, err
	}
	f.seen, f.epoch = info, now
	f.now.Store(read)
	return everything, nil
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// room is how large the image of m may be.
func (f *settings) room(m *release.Manifest) int64 {
	h := f.now.Load().Settings.Hardware[m.Hardware]
	if m.Kind == sitedoc.Loader {
		return int64(h.LoaderSize())
	}
	return int64(h.SlotSize())
}
