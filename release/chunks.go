package release

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// ChunkList returns the SHA-256 of each chunk of image, one after the other. Each half
// of a large image has a core of its own.
func ChunkList(image []byte, chunkSize int) []byte {
	half := len(image) / 2 / chunkSize * chunkSize
	var first []byte
	var other sync.WaitGroup
	other.Go(func() { first = chunkList(image[:half], chunkSize) })
	second := chunkList(image[half:], chunkSize)
	other.Wait()
	return append(first, second...)
}

func chunkList(image []byte, chunkSize int) []byte {
	list := make([]byte, 0, (len(image)+chunkSize-1)/chunkSize*sha256.Size)
	for chunk := range slices.Chunk(image, chunkSize) {
		sum := sha256.Sum256(chunk)
		list = append(list, sum[:]...)
	}
	return list
}

// state returns the component that image is, whose digest is whole, and its chunk list.
func state(name string, image []byte, whole fleet.Digest, chunkSize int) (Component, []byte, error) {
	if err := checkChunkSize(chunkSize); err != nil {
		return Component{}, nil, err
	}
	list := ChunkList(image, chunkSize)
	c := Component{
		Name: name, Size: int64(len(image)), Digest: whole,
		ChunkSize: chunkSize, Chunks: fleet.Sum(list),
	}
	if err := c.check(); err != nil {
		return Component{}, nil, fmt.Errorf("component %.20s: %w", name, err)
	}
	return c, list, nil
}

// checkImage says why image is not what c states.
func (c Component) checkImage(image []byte) error {
	if int64(len(image)) != c.Size {
		return fmt.Errorf("component %s: image of %d bytes, the manifest states %d: %w", c.Name, len(image), c.Size, Mismatch)
	}
	if got := fleet.Sum(image); got != c.Digest {
		return fmt.Errorf("component %s: image is %v, the manifest states %v: %w", c.Name, got, c.Digest, Mismatch)
	}
	return nil
}

// CheckList says why list is not the chunk list that c states.
func (c Component) CheckList(list []byte) error {
	if got := fleet.Sum(list); got != c.Chunks {
		return fmt.Errorf("component %s: chunk list is %v, the manifest states %v: %w", c.Name, got, c.Chunks, Mismatch)
	}
	return nil
}

// checkChunks says why list, though stated, is not that of image.
func (c Component) checkChunks(image, list []byte) error {
	if !bytes.Equal(ChunkList(image, c.ChunkSize), list) {
		return fmt.Errorf("component %s: the stated chunk list is not that of the image: %w", c.Name, Mismatch)
	}
	return nil
}
