package site

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// SetRADIUSDatabase puts radius.database, which is not there yet, into the settings
// file, and into s.Settings. What people wrote in the file stays as it is. A file
// that has changed since Open is an error; then nothing has been changed.
func (s *Site) SetRADIUSDatabase(url string) error {
	return s.add(func(file string, data []byte) ([]byte, Settings, error) {
		return insert(file, data, s.Settings, "radius", func(want *Settings, indent string) (string, error) {
			want.RADIUS.Database = url
			return want.RADIUS.renderDatabase(indent), want.Check()
		})
	})
}

// add writes the settings file anew, as change makes it of the present one.
func (s *Site) add(change func(file string, data []byte) ([]byte, Settings, error)) error {
	file := s.Path(SettingsFile)
	data, err := readOwn(file, os.Geteuid())
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	data, settings, err := change(file, data)
	if err != nil {
		return err
	}
	if err := WriteFile(file, data, info.Mode().Perm()); err != nil {
		return err
	}
	s.Settings = settings
	return nil
}

// insert returns the file data with more lines as a section's first, and
// what it then says. lines makes them, with blanks in front, and the settings that
// must come of them.
func insert(file string, data []byte, s Settings, section string, lines func(want *Settings, indent string) (string, error)) ([]byte, Settings, error) {
	want, err := Parse(file, data)
	if err != nil {
		return nil, s, err
	}
	if !reflect.DeepEqual(want, s) {
		return nil, s, fmt.Errorf("%s: it has changed meanwhile", file)
	}
	line, indent, err := place(file, data, section)
	if err != nil {
		return nil, s, err
	}
	added, err := lines(&want, indent)
	if err != nil {
		return nil, s, err
	}
	have := strings.SplitAfter(string(data), "\n")
	text := strings.Join(have[:line-1], "") + added + strings.Join(have[line-1:], "")
	if got, err := Parse(file, []byte(text)); err != nil || !reflect.DeepEqual(got, want) {
		return nil, s, fmt.Errorf("%s: its %s section is too unusual to add to; please write the entries there by hand", file, section)
	}
	return []byte(text), want, nil
}

// place returns the line behind a section's key, which comes before the remarks
// on its first entry, and the blanks in front of an entry.
func place(file string, data []byte, section string) (line int, indent string, err error) {
	root, err := parser{file}.document(data)
	if err != nil {
		return 0, "", err
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if n := root.Content[i+1]; root.Content[i].Value == section && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0 {
			return root.Content[i].Line + 1, strings.Repeat(" ", n.Content[0].Column-1), nil
		}
	}
	return 0, "", fmt.Errorf("%s: its %s section is not written with a line per entry", file, section)
}
