package site

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxSettings bounds the settings file.
const MaxSettings = 256 << 10

// Parse reads a settings file; file is what errors call it, and they name the
// line and column. It is strict: a key that is unknown or there twice is an
// error, and so is a value of another type than text, or one that Check would
// refuse. Keys with a default may be missing.
func Parse(file string, data []byte) (Settings, error) {
	p := parser{file: file}
	root, err := p.document(data)
	if err != nil {
		return Settings{}, err
	}
	s := Defaults()
	s.Name, s.Hardware = "", nil
	if err := p.settings(root, &s); err != nil {
		return Settings{}, err
	}
	if err := s.Check(); err != nil {
		return Settings{}, p.errorf(root, "%w", err)
	}
	return s, nil
}

type parser struct{ file string }

func (p parser) errorf(n *yaml.Node, format string, args ...any) error {
	return &settingsError{file: p.file, line: n.Line, column: n.Column, err: fmt.Errorf(format, args...)}
}

var yamlLine = regexp.MustCompile(`^yaml: (line (\d+): )?`)

// document returns the one value that data holds.
func (p parser) document(data []byte) (*yaml.Node, error) {
	if len(data) > MaxSettings {
		return nil, fmt.Errorf("%s: larger than %d bytes", p.file, MaxSettings)
	}
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc, more yaml.Node
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: empty", p.file)
	}
	if err != nil {
		return nil, p.notYAML(err)
	}
	if err := d.Decode(&more); err == nil {
		return nil, p.errorf(&more, "a second document")
	} else if !errors.Is(err, io.EOF) {
		return nil, p.notYAML(err)
	}
	return doc.Content[0], nil
}

// notYAML puts the YAML package's error into our words.
func (p parser) notYAML(err error) error {
	why := err.Error()
	m := yamlLine.FindStringSubmatch(why)
	if m == nil || m[2] == "" {
		return fmt.Errorf("%s: not YAML: %s", p.file, strings.TrimPrefix(why, "yaml: "))
	}
	return fmt.Errorf("%s:%s: not YAML: %s", p.file, m[2], why[len(m[0]):])
}

func (p parser) settings(n *yaml.Node, s *Settings) error {
	keys := p.texts(s.fields())
	keys["radius"] = func(n *yaml.Node) error { return p.radius(n, &s.RADIUS) }
	keys["penalty"] = func(n *yaml.Node) error { return p.mapping(n, p.texts(s.Penalty.fields())) }
	keys["hardware"] = func(n *yaml.Node) error {
		return p.named(n, checkName, func(name string, n *yaml.Node) error { return p.hardware(n, name, s) })
	}
	keys["keys"] = func(n *yaml.Node) error {
		return p.named(n, anyName, func(name string, n *yaml.Node) error { return p.key(n, name, s) })
	}
	return p.mapping(n, keys, "name", "ssid", "server", "hardware")
}

func (p parser) radius(n *yaml.Node, r *RADIUS) error {
	keys := p.texts(r.fields())
	keys["clients"] = func(n *yaml.Node) error {
		return p.list(n, func(n *yaml.Node) error { return p.client(n, r) })
	}
	return p.mapping(n, keys)
}

// list hands each value of n to read.
func (p parser) list(n *yaml.Node, read func(*yaml.Node) error) error {
	if n.Kind != yaml.SequenceNode || n.Anchor != "" {
		return p.errorf(n, "want a list")
	}
	for i, n := range n.Content {
		if err := read(n); err != nil {
			return in(strconv.Itoa(i), err)
		}
	}
	return nil
}

func (p parser) client(n *yaml.Node, r *RADIUS) error {
	var c Client
	keys := p.texts(c.fields())
	keys["disconnect"] = func(n *yaml.Node) error { return p.disconnect(n, &c) }
	if err := p.mapping(n, keys, "name", "address", "secret_file"); err != nil {
		return err
	}
	if err := c.checkDisconnect(); err != nil {
		return p.errorf(n, "%w", err)
	}
	if slices.ContainsFunc(r.Clients, func(o Client) bool { return o.Name == c.Name }) {
		return p.errorf(n, "name %q is another's already", c.Name)
	}
	r.Clients = append(r.Clients, c)
	return nil
}

func (p parser) disconnect(n *yaml.Node, c *Client) error {
	return p.list(n, func(n *yaml.Node) error {
		var at string
		if err := p.text(n, field{to: &at, check: checkAddress}); err != nil {
			return err
		}
		c.Disconnect = append(c.Disconnect, at)
		return nil
	})
}

func (p parser) hardware(n *yaml.Node, name string, s *Settings) error {
	h := DefaultHardware("")
	if err := p.mapping(n, p.texts(h.fields()), "chip"); err != nil {
		return err
	}
	if err := h.checkFit(); err != nil {
		return p.errorf(n, "%w", err)
	}
	if s.Hardware == nil {
		s.Hardware = make(map[string]Hardware)
	}
	s.Hardware[name] = h
	return nil
}

func (p parser) key(n *yaml.Node, name string, s *Settings) error {
	var uri string
	if err := p.text(n, field{to: &uri, check: func(s string) error { return checkKey(name, s) }}); err != nil {
		return err
	}
	if s.Keys == nil {
		s.Keys = make(map[string]string)
	}
	s.Keys[name] = uri
	return nil
}

// texts makes a handler for each of fields.
func (p parser) texts(fields []field) map[string]func(*yaml.Node) error {
	keys := make(map[string]func(*yaml.Node) error)
	for _, f := range fields {
		keys[f.key] = func(n *yaml.Node) error { return p.text(n, f) }
	}
	return keys
}

// text reads one value, and refuses what YAML takes for something else: an
// SSID 0123 or true wants quotes, and someone should say so.
func (p parser) text(n *yaml.Node, f field) error {
	tag := n.ShortTag()
	number := f.number && (tag == "!!int" || tag == "!!float")
	switch {
	case n.Kind != yaml.ScalarNode || n.Anchor != "":
		return p.errorf(n, "want a text")
	case tag != "!!str" && !number:
		return p.errorf(n, "YAML reads %s as %s, not as text; put it in quotes", clip(n.Value), strings.TrimPrefix(tag, "!!"))
	}
	*f.to = n.Value
	if n.Value == "" && f.optional {
		return nil
	}
	if err := f.check(n.Value); err != nil {
		return p.errorf(n, "%w", err)
	}
	return nil
}

// mapping hands each value of n to the handler of its key.
func (p parser) mapping(n *yaml.Node, keys map[string]func(*yaml.Node) error, required ...string) error {
	seen := make(map[string]bool)
	err := p.pairs(n, func(key, value *yaml.Node) error {
		read, ok := keys[key.Value]
		if !ok {
			return p.errorf(key, "unknown key %q; the keys here are %s", clip(key.Value), strings.Join(slices.Sorted(maps.Keys(keys)), ", "))
		}
		seen[key.Value] = true
		return in(key.Value, read(value))
	})
	if err != nil {
		return err
	}
	for _, key := range required {
		if !seen[key] {
			return p.errorf(n, "%s is missing", key)
		}
	}
	return nil
}

// named hands each value of n to read, with a name that people chose.
func (p parser) named(n *yaml.Node, check func(string) error, read func(string, *yaml.Node) error) error {
	return p.pairs(n, func(key, value *yaml.Node) error {
		if err := check(key.Value); err != nil {
			return p.errorf(key, "%w", err)
		}
		return in(key.Value, read(key.Value, value))
	})
}

// anyName leaves the judgement to the value's own check.
func anyName(string) error { return nil }

// pairs walks a mapping, in which no key may be there twice.
func (p parser) pairs(n *yaml.Node, do func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode || n.Anchor != "" {
		return p.errorf(n, "want keys with values")
	}
	lines := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Anchor != "" {
			return p.errorf(key, "a key must be a word")
		}
		if first, ok := lines[key.Value]; ok {
			return p.errorf(key, "key %q is on line %d already", clip(key.Value), first)
		}
		lines[key.Value] = key.Line
		if err := do(key, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// A settingsError is something wrong at one place of a settings file.
type settingsError struct {
	file         string
	line, column int
	key          string // "radius.kind", or "" for the file as a whole
	err          error
}

func (e *settingsError) Error() string {
	at := fmt.Sprintf("%s:%d:%d: ", e.file, e.line, e.column)
	if e.key != "" {
		at += e.key + ": "
	}
	return at + e.err.Error()
}

func (e *settingsError) Unwrap() error { return e.err }

// in puts a key in front of the one that err names.
func in(key string, err error) error {
	if e := new(settingsError); errors.As(err, &e) {
		e.key = strings.TrimSuffix(key+"."+e.key, ".")
	}
	return err
}
