package site

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// SetKeys says in the settings file, and in s.Settings, where private keys are
// from now on; an empty URI takes the entry away, and the key is keys/NAME.pem
// again. What people wrote in the file stays as it is. Doing it twice does nothing
// more. After an error nothing has changed.
func (s *Site) SetKeys(uris map[string]string) error {
	file := s.Path(SettingsFile)
	data, settings, err := s.withKeys(uris)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if err := WriteFile(file, data, info.Mode().Perm()); err != nil {
		return err
	}
	s.Settings = settings
	return nil
}

// CanSetKeys says why SetKeys would fail, as far as it depends on the file.
func (s *Site) CanSetKeys(uris map[string]string) error {
	_, _, err := s.withKeys(uris)
	return err
}

func (s *Site) withKeys(uris map[string]string) ([]byte, Settings, error) {
	file := s.Path(SettingsFile)
	data, err := readOwn(file, os.Geteuid())
	if err != nil {
		return nil, Settings{}, err
	}
	return setKeys(file, data, uris)
}

// setKeys returns the file data with other keys, and what it then says.
func setKeys(file string, data []byte, uris map[string]string) ([]byte, Settings, error) {
	want, err := Parse(file, data)
	if err != nil {
		return nil, want, err
	}
	keys := make(map[string]string)
	maps.Copy(keys, want.Keys)
	for name, uri := range uris {
		if keys[name] = uri; uri == "" {
			delete(keys, name)
		}
	}
	if want.Keys = keys; len(keys) == 0 {
		want.Keys = nil
	}
	if err := want.Check(); err != nil {
		return nil, want, fmt.Errorf("%s: %w", file, err)
	}
	text, err := editKeys(file, data, uris)
	if err != nil {
		return nil, want, err
	}
	// What an editor of lines gets wrong says something else now.
	if got, err := Parse(file, text); err != nil || !reflect.DeepEqual(got, want) {
		return nil, want, fmt.Errorf("%s: its keys section is too unusual to change; write it with a line per key", file)
	}
	return text, want, nil
}

// editKeys changes the lines of the keys section, as far as it is written with a
// line per key.
func editKeys(file string, data []byte, uris map[string]string) ([]byte, error) {
	root, err := parser{file}.document(data)
	if err != nil {
		return nil, err
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(data), "\n")+"\n", "\n")
	lines = lines[:len(lines)-1] // behind the last line's end
	at, section := len(lines)+1, &yaml.Node{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "keys" {
			at, section = root.Content[i].Line, root.Content[i+1]
		}
	}
	for _, n := range append(section.Content, &yaml.Node{Line: at - 1}) {
		if n.Line > len(lines) { // YAML ends lines by more than "\n"
			return data, nil
		}
	}
	if at > len(lines) {
		lines = append(lines, "keys:\n")
	}
	return []byte(strings.Join(editEntries(lines, at, section, uris), "")), nil
}

// editEntries changes the entries of the section that begins in line at.
func editEntries(lines []string, at int, section *yaml.Node, uris map[string]string) []string {
	left := len(section.Content) / 2
	indent := "  "
	placed := make(map[string]bool)
	for i := 0; i+1 < len(section.Content); i += 2 {
		name, value := section.Content[i], section.Content[i+1]
		indent = strings.Repeat(" ", name.Column-1)
		uri, asked := uris[name.Value]
		if !asked {
			continue
		}
		placed[name.Value] = true
		if lines[name.Line-1] = ""; uri == "" {
			left--
			continue
		}
		lines[name.Line-1] = keyLine(indent, name.Value, uri, value.LineComment)
	}
	var added string
	for _, name := range slices.Sorted(maps.Keys(uris)) {
		if uris[name] != "" && !placed[name] {
			added += keyLine(indent, name, uris[name], "")
			left++
		}
	}
	head := "keys:\n"
	if left == 0 {
		head = "keys: {}\n"
	}
	if text := strings.TrimSpace(lines[at-1]); text == "keys:" || text == "keys: {}" {
		lines[at-1] = head
	}
	lines[at-1] += added
	return lines
}

func keyLine(indent, name, uri, comment string) string {
	line := indent + text(name) + ": " + text(uri)
	if comment != "" {
		line += " " + comment
	}
	return line + "\n"
}
