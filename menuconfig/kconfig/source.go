package kconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// What a tree may be at most. ESP-IDF's has 350 files, 2 MB and 10,000
// symbols, and nests seven deep.
const (
	maxFiles   = 10_000
	maxTotal   = 64 << 20 // bytes of all files
	maxSymbols = 1 << 16
	maxNesting = 100     // of blocks, files and expressions
	maxTerms   = 1 << 13 // in the expressions of one entry
)

// A Source says where a tree is read from.
type Source struct {
	// Files holds all files. Nothing else is opened.
	Files fs.FS
	// Dir is the folder in Files where relative paths begin, as / does for the
	// absolute ones: os.DirFS("/") and "home/me/project". Empty is the root.
	Dir string
	// Root is the first file's path: "Kconfig".
	Root string
	// Lists are the paths of files that lie nowhere but in Files: made up to take
	// others in. Inclusions passes over them.
	Lists []string
	// OldNames are the paths of sdkconfig.rename files.
	OldNames []string
	// Env looks variables of the environment up; os.LookupEnv fits. nil is an
	// empty environment.
	Env func(name string) (value string, ok bool)
}

// Defaults reads defaults files in the order in which a build loads them: behind
// each the one whose name has the target at its end, "sdkconfig.defaults.esp32",
// if there is one. An error says which file is missing.
func (src Source) Defaults(files []string, target string) ([]*Config, error) {
	o := &opener{Source: src}
	var list []*Config
	for _, name := range files {
		c, err := o.defaults(name)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
		if c, err = o.defaults(name + "." + target); err == nil {
			list = append(list, c)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return list, nil
}

func (o *opener) defaults(name string) (*Config, error) {
	text, err := o.read(name)
	if err != nil {
		return nil, err
	}
	return ReadDefaults(name, []byte(text))
}

// An opener reads the files of a Source, as many as the bounds allow.
type opener struct {
	Source
	files, bytes int
	buffer       []byte // of the file that is read
}

// inside turns a path of a Kconfig file into one of Files.
func (o *opener) inside(name string) string {
	if !strings.HasPrefix(name, "/") {
		name = path.Join("/", o.Dir, name)
	}
	if name = strings.TrimPrefix(path.Clean(name), "/"); name == "" {
		return "."
	}
	return name
}

// shown shortens the path of a file below Dir to a relative one.
func (o *opener) shown(name string) string {
	return strings.TrimPrefix(name, path.Join("/", o.Dir)+"/")
}

// read returns a file as text.
func (o *opener) read(name string) (string, error) {
	if o.files++; o.files > maxFiles {
		return "", fmt.Errorf("more than %d files", maxFiles)
	}
	f, err := o.Files.Open(o.inside(name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := bytes.NewBuffer(o.buffer[:0])
	n, err := b.ReadFrom(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return "", err
	}
	if o.bytes += int(n); n > MaxSize || o.bytes > maxTotal {
		return "", fmt.Errorf("larger than %d bytes, or %d in all files", MaxSize, maxTotal)
	}
	o.buffer = b.Bytes()
	text := string(o.buffer)
	return text, checkUnicode(name, text)
}

// checkUnicode says where a file is not plain UTF-8.
func checkUnicode(name, text string) error {
	if utf8.ValidString(text) && !strings.HasPrefix(text, "\ufeff") {
		return nil
	}
	for number := 1; text != ""; number++ {
		var line string
		line, _, text = splitLine(text)
		e := &Error{File: name, Line: number, Text: line, source: true}
		if e.Why, e.Column = unreadable(line, number == 1); e.Why != "" {
			return e
		}
	}
	return nil
}

// matching returns the files that a source line means, in order. Without a
// pattern in it that is the path itself, when there is such a file.
func (o *opener) matching(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, "*?[") {
		_, err := fs.Stat(o.Files, o.inside(pattern))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
			return nil, nil
		}
		return []string{pattern}, err
	}
	// path.Match escapes with \ and negates with ^, the language does neither.
	found, err := fs.Glob(o.Files, strings.NewReplacer(`\`, `\\`, "[!", "[^").Replace(o.inside(pattern)))
	if err != nil {
		return nil, err
	}
	dir, last := path.Split(pattern)
	var files []string
	for _, f := range found {
		base := path.Base(f)
		switch {
		case strings.HasPrefix(base, ".") && !strings.HasPrefix(last, "."): // hidden ones are not meant
		case strings.ContainsAny(dir, "*?["):
			files = append(files, o.outside(f, pattern))
		default:
			files = append(files, dir+base)
		}
	}
	slices.Sort(files)
	return files, nil
}

// outside turns a path of Files back into one of the kind that pattern is.
func (o *opener) outside(name, pattern string) string {
	if strings.HasPrefix(pattern, "/") {
		return "/" + name
	}
	return o.shown("/" + name)
}
