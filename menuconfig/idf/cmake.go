package idf

import (
	"regexp"
	"slices"
	"strings"
)

var (
	cmakeRemark  = regexp.MustCompile(`#[^\n]*`)
	cmakeCommand = regexp.MustCompile(`(?s)([A-Za-z_][A-Za-z0-9_]*)[ \t]*\(((?:[^()]|\([^()]*\))*)\)`)
	cmakeWord    = regexp.MustCompile(`"[^"]*"|[^\s"]+`)
	cmakeValue   = regexp.MustCompile(`\$(?:ENV)?\{[A-Za-z0-9_]+\}`)
	registering  = regexp.MustCompile(`(?i)component_register|register_component|register_config_only_component|idf_component_mock`)
)

// Registered reports whether a component's CMakeLists.txt registers it for a
// chip. It follows what such files do before that: set, and if with NOT, AND, OR,
// STREQUAL and IN_LIST. A variable that is set otherwise has no value, as the
// options of the project have none when the build asks. A file that leaves it to
// another one, by include, is taken to register it.
func Registered(text, target string) bool {
	c := &cmake{variables: map[string]string{"IDF_TARGET": target, "IDF_TARGET_ARCH": arch(target)}}
	registered := !registering.MatchString(text)
	c.follow(text, func(name string) bool {
		registered = registered || registering.MatchString(name)
		return !registering.MatchString(name) && name != "return"
	})
	return registered
}

// extraDirs are the EXTRA_COMPONENT_DIRS of a project's CMakeLists.txt.
func extraDirs(text, dir, espidf, target string) []string {
	c := &cmake{variables: map[string]string{"IDF_TARGET": target, "IDF_PATH": espidf}}
	for _, name := range []string{"CMAKE_CURRENT_LIST_DIR", "CMAKE_CURRENT_SOURCE_DIR", "CMAKE_SOURCE_DIR"} {
		c.variables[name] = dir
	}
	c.follow(text, func(name string) bool { return name != "return" })
	return strings.FieldsFunc(c.variables["EXTRA_COMPONENT_DIRS"], func(r rune) bool { return r == ';' || r == ' ' })
}

// arch is the processor of a chip: the build has it in a list of its own.
func arch(target string) string {
	switch target {
	case "linux":
		return ""
	case "esp32", "esp32s2", "esp32s3":
		return "xtensa"
	}
	return "riscv"
}

// A cmake is how far a file was followed.
type cmake struct {
	variables map[string]string
	blocks    []branch
}

// A branch is an if that is open: whether the part is taken that we are in, and
// whether one was before.
type branch struct{ taken, done bool }

// follow goes through a file. It asks goOn for each command that has an effect
// whether to go on behind it.
func (c *cmake) follow(text string, goOn func(name string) bool) {
	for _, m := range cmakeCommand.FindAllStringSubmatch(cmakeRemark.ReplaceAllString(text, ""), -1) {
		name := strings.ToLower(m[1])
		switch {
		case c.block(name, m[2]) || !c.runs():
		case !goOn(name):
			return
		default:
			c.command(name, c.words(m[2]))
		}
	}
}

// runs reports whether commands have an effect here.
func (c *cmake) runs() bool {
	return !slices.ContainsFunc(c.blocks, func(b branch) bool { return !b.taken })
}

// block follows a command that opens, divides or ends blocks, and reports whether
// it is one. What functions and loops do is left out.
func (c *cmake) block(name, test string) bool {
	last := len(c.blocks) - 1
	switch name {
	case "if":
		taken := c.holds(c.words(test))
		c.blocks = append(c.blocks, branch{taken, taken})
	case "function", "macro", "foreach", "while":
		c.blocks = append(c.blocks, branch{})
	case "elseif", "else":
		if last >= 0 {
			b := &c.blocks[last]
			b.taken = !b.done && (name == "else" || c.holds(c.words(test)))
			b.done = b.done || b.taken
		}
	case "endif", "endfunction", "endmacro", "endforeach", "endwhile":
		if last >= 0 {
			c.blocks = c.blocks[:last]
		}
	default:
		return false
	}
	return true
}

func (c *cmake) command(name string, words []string) {
	switch {
	case name == "set" && len(words) > 0:
		c.variables[words[0]] = strings.Join(words[1:], ";")
	case name == "list" && len(words) > 1 && words[0] == "APPEND":
		c.variables[words[1]] = strings.TrimPrefix(c.variables[words[1]]+";"+strings.Join(words[2:], ";"), ";")
	case name == "idf_build_get_property" && len(words) == 2:
		c.variables[words[0]] = c.variables[words[1]]
	}
}

// words are the arguments of a command, variables replaced.
func (c *cmake) words(text string) (words []string) {
	text = strings.NewReplacer("(", " ( ", ")", " ) ").Replace(text)
	for _, w := range cmakeWord.FindAllString(text, -1) {
		words = append(words, cmakeValue.ReplaceAllStringFunc(strings.Trim(w, `"`), func(v string) string {
			_, name, _ := strings.Cut(v, "{")
			return c.variables[strings.TrimSuffix(name, "}")]
		}))
	}
	return words
}

// A condition is what is left of the words in an if. OR binds least, then AND,
// then NOT.
type condition struct {
	*cmake
	words []string
}

func (c *cmake) holds(words []string) bool { return (&condition{c, words}).or() }

// next takes a word if it comes next.
func (c *condition) next(word string) bool {
	if len(c.words) == 0 || c.words[0] != word {
		return false
	}
	c.words = c.words[1:]
	return true
}

func (c *condition) or() bool {
	v := c.and()
	for c.next("OR") {
		right := c.and()
		v = v || right
	}
	return v
}

func (c *condition) and() bool {
	v := c.not()
	for c.next("AND") {
		right := c.not()
		v = v && right
	}
	return v
}

func (c *condition) not() bool {
	switch {
	case c.next("NOT"):
		return !c.not()
	case c.next("("):
		v := c.or()
		c.next(")")
		return v
	}
	return c.comparison()
}

// comparison takes X STREQUAL Y, X IN_LIST LIST, or a variable alone.
func (c *condition) comparison() bool {
	if len(c.words) >= 3 {
		left, op, right := c.words[0], c.words[1], c.words[2]
		switch op {
		case "STREQUAL":
			c.words = c.words[3:]
			return c.value(left) == c.value(right)
		case "IN_LIST":
			c.words = c.words[3:]
			return slices.Contains(strings.Split(c.variables[right], ";"), c.value(left))
		}
	}
	if len(c.words) == 0 {
		return false
	}
	word := c.words[0]
	c.words = c.words[1:]
	return !slices.Contains([]string{"", "0", "OFF", "NO", "FALSE", "N"}, strings.ToUpper(c.variables[word]))
}

// value is a variable's, or the word itself.
func (c *cmake) value(word string) string {
	if value, ok := c.variables[word]; ok {
		return value
	}
	return word
}
