package release

import (
	"bytes"
	"testing"
)

// TestMade: what Cut made is known by where it lies, and nothing else is taken for it.
func TestMade(t *testing.T) {
	good := mustCut(t, func(q *Request) { q.Others = map[string][]byte{"lamp": make([]byte, 9000)} })
	app, lamp := good.Manifest.Image, good.Manifest.Others[0]
	if !good.Made(app) || !good.Made(lamp) || good.program() == nil {
		t.Error("Cut does not know what it made")
	}
	image, list := good.Images["app"], good.Chunks["app"]
	stated := app
	stated.Digest = lamp.Digest
	for name, row := range map[string]struct {
		image, list []byte
		stated      Component
	}{
		"a copy of the image":      {bytes.Clone(image), list, app},
		"a copy of the chunk list": {image, bytes.Clone(list), app},
		"the image, shortened":     {image[:len(image)-1], list, app},
		"its end":                  {image[1:], list, app},
		"no image":                 {nil, list, app},
		"no chunk list":            {image, []byte{}, app},
		"another digest":           {image, list, stated},
		"another component":        {image, list, lamp},
	} {
		r := swapped(good, row.image)
		r.Chunks = map[string][]byte{"app": row.list}
		if r.Made(row.stated) {
			t.Errorf("%s: taken for what Cut made", name)
		}
	}
	if r := read(good); r.Made(app) || r.program() != nil {
		t.Error("what was read is taken for what Cut made")
	}
}
