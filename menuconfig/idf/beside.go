package idf

import (
	"io/fs"
	"path"
	"strings"
	"time"
)

// beside is a file system with files of our own beside those that it has.
type beside struct {
	fs.FS
	own map[string]string // path → text
}

func (b beside) Open(name string) (fs.File, error) {
	if text, ok := b.own[name]; ok {
		return &file{info{path.Base(name), int64(len(text))}, strings.NewReader(text)}, nil
	}
	return b.FS.Open(name)
}

// A file is one of our own.
type file struct {
	info
	*strings.Reader
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Size() int64                { return f.info.Size() }
func (f *file) Close() error               { return nil }

type info struct {
	name string
	size int64
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return 0o444 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }
