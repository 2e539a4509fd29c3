package site

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// AddHardware adds entries to the settings file, in front of the others, and to
// s.Settings. What people wrote in the file stays as it is. A name that is there
// already, or a file that has changed since Open, is an error; then nothing has
// been added.
func (s *Site) AddHardware(entries map[string]Hardware) error {
	file := s.Path(SettingsFile)
	data, err := readOwn(file, os.Geteuid())
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	data, settings, err := addHardware(file, data, s.Settings, entries)
	if err != nil {
		return err
	}
	if err := WriteFile(file, data, info.Mode().Perm()); err != nil {
		return err
	}
	s.Settings = settings
	return nil
}

// addHardware returns the file data with more entries, and what it then says.
func addHardware(file string, data []byte, s Settings, entries map[string]Hardware) ([]byte, Settings, error) {
	want, err := Parse(file, data)
	if err != nil {
		return nil, s, err
	}
	if !reflect.DeepEqual(want, s) {
		return nil, s, fmt.Errorf("%s: it has changed meanwhile", file)
	}
	line, indent, err := hardwarePlace(file, data)
	if err != nil {
		return nil, s, err
	}
	var added strings.Builder
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if _, ok := want.Hardware[name]; ok {
			return nil, s, fmt.Errorf("%s: hardware %q is there already", file, name)
		}
		if err := entries[name].check(name); err != nil {
			return nil, s, fmt.Errorf("hardware %q: %w", name, err)
		}
		want.Hardware[name] = entries[name]
		added.WriteString(entries[name].render(name, indent))
	}
	lines := strings.SplitAfter(string(data), "\n")
	text := strings.Join(lines[:line-1], "") + added.String() + strings.Join(lines[line-1:], "")
	if got, err := Parse(file, []byte(text)); err != nil || !reflect.DeepEqual(got, want) {
		return nil, s, fmt.Errorf("%s: its hardware section is too unusual to add to; please write the entries there by hand", file)
	}
	return []byte(text), want, nil
}

// hardwarePlace returns the line of the first hardware entry and the blanks in
// front of it.
func hardwarePlace(file string, data []byte) (line int, indent string, err error) {
	root, err := parser{file}.document(data)
	if err != nil {
		return 0, "", err
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if n := root.Content[i+1]; root.Content[i].Value == "hardware" && n.Style&yaml.FlowStyle == 0 {
			return n.Content[0].Line, strings.Repeat(" ", n.Content[0].Column-1), nil
		}
	}
	return 0, "", errors.New(file + `: its hardware section is not written with a line per entry`)
}
