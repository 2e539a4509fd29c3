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
	registering  = regexp.MustCompile(`(?i)component_register|register_component|register_config_only_component|idf_component_mock`)
)

// Registered reports whether a component's CMakeLists.txt registers it for a
// chip. It follows what such files do before that: set, and if with NOT, AND, OR,
// STREQUAL and IN_LIST. A variable that is set otherwise has no value, as the
// options of the project have none when the build asks. A file that leaves it to
// another one, by include, is taken to register it.
func Registered(text, target string) bool {
	c := &cmake{variables: map[string]string{"IDF_TARGET": target, "IDF_TARGET_ARCH": arch(target)}}
	for _, m := range cmakeCommand.FindAllStringSubmatch(cmakeRemark.ReplaceAllString(text, ""), -1) {
		switch name := strings.ToLower(m[1]); {
		case c.block(name, m[2]) || !c.runs():
		case name == "return":
			return false
		case registering.MatchString(name):
			return true
		default:
			c.command(name, c.words(m[2]))
		}
	}
	return !registering.MatchString(text)
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

// runs reports whether commands have an effect here.
func (c *cmake) runs() bool {
	return !slices.ContainsFunc(c.blocks, func(b branch) bool { return !b.taken })
}

// block follows a command that opens, divides or ends blocks, and reports whether
// it is one. What functions and loops do is left out.
func (c *cmake) block(name, condition string) bool {
	last := len(c.blocks) - 1
	switch name {
	case "if":
		taken := c.condition(c.words(condition))
		c.blocks = append(c.blocks, branch{taken, taken})
	case "function", "macro", "foreach", "while":
		c.blocks = append(c.blocks, branch{})
	case "elseif", "else":
		if last >= 0 {
			b := &c.blocks[last]
			b.taken = !b.done && (name == "else" || c.condition(c.words(condition)))
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
	case name == "idf_build_get_property" && len(words) == 2:
		c.variables[words[0]] = c.variables[words[1]]
	}
}

// words are the arguments of a command, variables replaced.
func (c *cmake) words(text string) (words []string) {
	text = strings.NewReplacer("(", " ( ", ")", " ) ").Replace(text)
	for _, w := range cmakeWord.FindAllString(text, -1) {
		w = strings.Trim(w, `"`)
		if name, ok := strings.CutPrefix(w, "${"); ok && strings.HasSuffix(name, "}") {
			w = c.variables[strings.TrimSuffix(name, "}")]
		}
		words = append(words, w)
	}
	return words
}

// condition evaluates what stands in an if. OR binds least, then AND, then NOT.
func (c *cmake) condition(words []string) bool {
	for _, op := range []string{"OR", "AND"} {
		if i := slices.Index(words, op); i >= 0 {
			left, right := c.condition(words[:i]), c.condition(words[i+1:])
			return op == "OR" && (left || right) || op == "AND" && left && right
		}
	}
	switch {
	case len(words) > 1 && words[0] == "NOT":
		return !c.condition(words[1:])
	case len(words) == 3 && words[1] == "STREQUAL":
		return c.value(words[0]) == c.value(words[2])
	case len(words) == 3 && words[1] == "IN_LIST":
		return slices.Contains(strings.Split(c.variables[words[2]], ";"), c.value(words[0]))
	case len(words) == 1:
		return !slices.Contains([]string{"", "0", "OFF", "NO", "FALSE", "N"}, strings.ToUpper(c.variables[words[0]]))
	}
	return false
}

// value is a variable's, or the word itself.
func (c *cmake) value(word string) string {
	if value, ok := c.variables[word]; ok {
		return value
	}
	return word
}
