package site

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// AddHardware adds entries to the settings file, in front of the others, and to
// s.Settings. What people wrote in the file stays as it is. A name that is there
// already, or a file that has changed since Open, is an error; then nothing has
// been added.
func (s *Site) AddHardware(entries map[string]Hardware) error {
	return s.add(func(file string, data []byte) ([]byte, Settings, error) {
		return addHardware(file, data, s.Settings, entries)
	})
}

// addHardware returns the file data with more entries, and what it then says.
func addHardware(file string, data []byte, s Settings, entries map[string]Hardware) ([]byte, Settings, error) {
	return insert(file, data, s, "hardware", func(want *Settings, indent string) (string, error) {
		var added strings.Builder
		for _, name := range slices.Sorted(maps.Keys(entries)) {
			if _, ok := want.Hardware[name]; ok {
				return "", fmt.Errorf("%s: hardware %q is there already", file, name)
			}
			if err := entries[name].check(name); err != nil {
				return "", fmt.Errorf("hardware %q: %w", name, err)
			}
			want.Hardware[name] = entries[name]
			added.WriteString(entries[name].render(name, indent))
		}
		return added.String(), nil
	})
}
