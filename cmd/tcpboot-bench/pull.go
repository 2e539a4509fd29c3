//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/remote"
)

const (
	pulls     = 50
	pullBytes = 1 << 20
)

// pullJob fills the cache of a server that has never seen a registry before: it
// lists the releases and fetches every image. The rival asks the same registry for
// the bytes of the images, hashes and keeps them.
func pullJob(o options) ([]result, error) {
	dir, err := os.MkdirTemp(o.dir, "tcpboot-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	host, stop, err := startRegistry(dir)
	if err != nil {
		return nil, err
	}
	defer stop()
	at, err := remote.Open(remote.Reference{Host: host, Path: "bench/firmware"}, remote.Options{PlainHTTP: true})
	if err != nil {
		return nil, err
	}
	images, err := pushMany(dir, at)
	if err != nil {
		return nil, err
	}
	ours, err := timed(func() (int, error) { return pulls, pullAll(filepath.Join(dir, "cache"), at) })
	if err != nil {
		return nil, err
	}
	rival, err := timed(func() (int, error) { return pulls, getAll(filepath.Join(dir, "plain"), host, images) })
	if err != nil {
		return nil, err
	}
	job := fmt.Sprintf("pull %d releases of 1 MiB: ", pulls)
	return []result{
		{job + "time", seconds(ours), seconds(rival) + " for the images alone", ratio(ours.Seconds / rival.Seconds), "-", "the registry, and a sync per release"},
		{job + "CPU", fmt.Sprintf("%.2f s", ours.CPU), fmt.Sprintf("%.2f s", rival.CPU), ratio(ours.CPU / rival.CPU), "-", "SHA-256 and manifests"},
	}, nil
}

// pushMany cuts releases into the registry, and returns the digests of their images.
func pushMany(dir string, at *remote.Repository) (images []fleet.Digest, err error) {
	work := filepath.Join(dir, "cut")
	if err := os.Mkdir(work, 0o700); err != nil {
		return nil, err
	}
	c, err := newCutter(work)
	if err != nil {
		return nil, err
	}
	for i := range pulls {
		path, err := c.newImage(i, pullBytes)
		if err != nil {
			return nil, err
		}
		if err := c.cut(path, i); err != nil {
			return nil, err
		}
		packed, err := c.layout.Packed(context.Background(), fmt.Sprintf("1.0.%d", i), "")
		if err != nil {
			return nil, err
		}
		if _, err := at.Push(context.Background(), c.layout, fmt.Sprintf("1.0.%d", i), packed, "", trusted); err != nil {
			return nil, err
		}
	}
	all, err := c.layout.Releases(context.Background())
	for _, r := range all {
		images = append(images, r.Manifest.Image.Digest)
	}
	return images, err
}

// trusted takes every release: what a signature costs is no matter of the registry.
func trusted(*release.Release) error { return nil }

func pullAll(dir string, at *remote.Repository) error {
	cache, err := bundle.Create(dir)
	if err != nil {
		return err
	}
	if err := at.Mirror(context.Background(), cache, trusted); err != nil {
		return err
	}
	all, err := cache.Releases(context.Background())
	if err == nil && len(all) != pulls {
		err = fmt.Errorf("%d releases listed", len(all))
	}
	for _, r := range all {
		err = errors.Join(err, cache.Fill(context.Background(), at, r.Digest, pulls*pullBytes*2))
	}
	return err
}

// getAll is the rival.
func getAll(dir, host string, images []fleet.Digest) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, d := range images {
		answer, err := http.Get("http://" + host + "/v2/bench/firmware/blobs/" + d.String())
		if err != nil {
			return err
		}
		body, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			return err
		}
		if sha256.Sum256(body) != d {
			return fmt.Errorf("blob %s is another", d)
		}
		if err := writeLasting(filepath.Join(dir, d.Hex()), body); err != nil {
			return err
		}
	}
	return nil
}

var listensOn = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)

// startRegistry starts Debian's docker-registry on a folder of its own.
func startRegistry(dir string) (host string, stop func(), err error) {
	file := filepath.Join(dir, "config.yml")
	config := fmt.Sprintf("version: 0.1\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: \"127.0.0.1:0\"}\n", filepath.Join(dir, "blobs"))
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return "", nil, err
	}
	cmd := exec.Command("docker-registry", "serve", file)
	said, err := cmd.StderrPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("%w: install the Debian package docker-registry", err)
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed: nothing to learn from it
	}
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if m := listensOn.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, said) }()
			return m[1], stop, nil
		}
	}
	stop()
	return "", nil, errors.New("docker-registry ended before it was ready")
}
