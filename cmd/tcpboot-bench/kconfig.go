//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tcpboot/tcpboot/menuconfig/idf"
	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/menuconfig/kconfig/kconfigtest"
)

const (
	aimParse  = 50 * time.Millisecond
	aimChange = time.Millisecond
	parseRuns = 21
)

// kconfigJob parses and evaluates a tree of ESP-IDF's size, and the real one
// when IDF_PATH says where it lies.
func kconfigJob(options) ([]result, error) {
	results, err := measureTree("made-up tree", kconfig.Source{Files: kconfigtest.Files(), Root: kconfigtest.Root})
	if err != nil || os.Getenv("IDF_PATH") == "" {
		return results, err
	}
	src, err := idfSource(os.Getenv("IDF_PATH"))
	if err != nil {
		return nil, err
	}
	real, err := measureTree("ESP-IDF's", src)
	return append(results, real...), err
}

func measureTree(which string, src kconfig.Source) ([]result, error) {
	var parse, change []pace
	var tree *kconfig.Tree
	for range parseRuns {
		p, err := timed(func() (n int, err error) {
			if tree, err = kconfig.Parse(src); err != nil {
				return 0, err
			}
			tree.Settings()
			return 1, nil
		})
		if err != nil {
			return nil, err
		}
		parse = append(parse, p)
	}
	for range parseRuns {
		p, err := timed(func() (int, error) { return changeAll(tree) })
		if err != nil {
			return nil, err
		}
		change = append(change, p)
	}
	what := fmt.Sprintf("Kconfig, %s, %d symbols: ", which, len(tree.Symbols))
	return []result{
		{what + "parse, evaluate (CPU)", fmt.Sprintf("%.1f ms", median(parse, pace.micros)/1e3), "-", "-",
			fmt.Sprintf("≤ %d ms", aimParse.Milliseconds()), "reading words, and memory for what they mean"},
		{what + "a change (CPU)", fmt.Sprintf("%.1f µs", median(change, pace.micros)), "-", "-",
			fmt.Sprintf("≤ %d ms", aimChange.Milliseconds()), "what depends on the symbol"},
	}, nil
}

// changeAll changes every bool that somebody may change, and returns how many
// there are.
func changeAll(tree *kconfig.Tree) (changes int, err error) {
	s := tree.Settings()
	for _, sym := range tree.Symbols {
		if sym.Type != kconfig.TypeBool || !s.Visible(sym) {
			continue
		}
		if err := s.Set(sym.Name, kconfig.Bool(s.Value(sym).Text != "y")); err != nil {
			return changes, err
		}
		changes++
	}
	return changes, nil
}

// idfSource is the real tree, for the first of its chips.
func idfSource(path string) (kconfig.Source, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return kconfig.Source{}, err
	}
	nowhere := filepath.Join(path, "examples/none") // a project without options of its own
	return idf.Project{Files: os.DirFS("/"), Path: path, Dir: nowhere, Target: "esp32"}.Source()
}
