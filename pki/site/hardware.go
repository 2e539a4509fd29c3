package site

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// AddHardware adds an entry to the settings file, in front of the others, and
// to s.Settings. What people wrote in the file stays as it is. An entry with
// that name, or a file that has changed since Open, is an error.
func (s *Site) AddHardware(name string, h Hardware) error {
	file := s.Path(SettingsFile)
	data, err := readOwn(file, os.Geteuid())
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	data, settings, err := addHardware(file, data, s.Settings, name, h)
	if err != nil {
		return err
	}
	if err := WriteFile(file, data, info.Mode().Perm()); err != nil {
		return err
	}
	s.Settings = settings
	return nil
}

// addHardware returns the file data with one more entry, and what it then says.
func addHardware(file string, data []byte, s Settings, name string, h Hardware) ([]byte, Settings, error) {
	was, err := Parse(file, data)
	switch {
	case err != nil:
		return nil, s, err
	case !reflect.DeepEqual(was, s):
		return nil, s, fmt.Errorf("%s: it has changed meanwhile", file)
	case was.Hardware[name] != Hardware{}:
		return nil, s, fmt.Errorf("%s: hardware %q is there already", file, name)
	}
	if err := h.check(name); err != nil {
		return nil, s, fmt.Errorf("hardware %q: %w", name, err)
	}
	line, indent, err := hardwarePlace(file, data)
	if err != nil {
		return nil, s, err
	}
	lines := strings.SplitAfter(string(data), "\n")
	text := strings.Join(lines[:line-1], "") + h.render(name, indent) + strings.Join(lines[line-1:], "")
	now, err := Parse(file, []byte(text))
	was.Hardware[name] = h
	if err != nil || !reflect.DeepEqual(now, was) {
		return nil, s, fmt.Errorf("%s: its hardware section is too unusual to add to; please add hardware %q there by hand", file, name)
	}
	return []byte(text), now, nil
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
