//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The rival: nginx as one would set it up to send one file fast.
const nginxConf = `daemon off;
worker_processes %[3]d;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 4096; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	client_body_temp_path %[1]s/t; proxy_temp_path %[1]s/t; fastcgi_temp_path %[1]s/t;
	uwsgi_temp_path %[1]s/t; scgi_temp_path %[1]s/t;
	server { listen %[2]s backlog=4096; root %[1]s; }
}
`

const nginxWorkers = 2

type nginx struct {
	*exec.Cmd
	address string
	workers []int
}

// startNginx serves the file "image" of dir, and returns when it does.
func startNginx(dir string) (*nginx, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, address, nginxWorkers), 0o644); err != nil {
		return nil, err
	}
	n := &nginx{Cmd: exec.Command("nginx", "-e", filepath.Join(dir, "error.log"), "-c", conf, "-p", dir), address: address}
	n.Stderr = os.Stderr
	if err := n.Start(); err != nil {
		return nil, err
	}
	return n, n.await()
}

// await waits until all workers run and one answers.
func (n *nginx) await() (err error) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		if n.workers, err = children(n.Process.Pid); err != nil || len(n.workers) < nginxWorkers {
			continue
		}
		if conn, err := net.Dial("tcp4", n.address); err == nil {
			return conn.Close()
		}
	}
	n.stop()
	return errors.New("nginx does not answer")
}

func (n *nginx) stop() {
	n.Process.Signal(os.Interrupt)
	n.Wait()
}

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}
