# Two commands to know: `make demo` shows the whole story on your screen;
# `make test` installs what the tests need (Debian) and runs them all.

GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := v1.8.0
PEERS       := gcc libc6-dev git openssl sqlite3 freeradius freeradius-utils freeradius-postgresql eapoltest \
               postgresql hostapd wpasupplicant iproute2 softhsm2 opensc swtpm libpcsclite-dev pkg-config age docker-registry tmux \
               make clang libclang-rt-dev cppcheck libmbedtls-dev gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf
HELPERS     := cmd/sigstore-kms-pkcs11 cmd/sigstore-kms-tpm cmd/sigstore-kms-yubikey
# helpers on top of a cloud's own libraries, which take minutes to build
CLOUDS      := cmd/sigstore-kms-vault cmd/sigstore-kms-aws cmd/sigstore-kms-azure cmd/sigstore-kms-gcp
# tests that are Go modules of their own, because the peer that judges is heavy
ORACLES     := release/attest/sigstoretest
COSIGN      := github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
DESK        := templates/loader/host_test
# of cmd/tcpboot, what has goroutines of its own; the others run one process after
# another, and are raced by "make soak"
RACED       := ^Test(Depot|Fault|Hardware|Image|SecondSignal|Serve|Shelf|Sightings|SlowImage|Spool|Watch)
RIVALS      := nginx-light sqlite3 freeradius freeradius-postgresql eapoltest postgresql
SOAK        ?= 1m
LDFLAGS     := -s -w -X main.buildVersion=$(shell git describe --tags --always --dirty 2>/dev/null)
# without what turns help texts into manual pages, which nobody asks for: 250 kB
TAGS        := urfave_cli_no_docs
export CGO_ENABLED ?= 0

.PHONY: build
build: ## the binary: bin/tcpboot
	$(GO) build -trimpath -tags '$(TAGS)' -ldflags '$(LDFLAGS)' -o bin/tcpboot ./cmd/tcpboot

.PHONY: helpers
helpers: ## the helpers for key stores, beside it (cgo for tokens, YubiKeys, TPMs)
	@set -e; for h in $(HELPERS); do CGO_ENABLED=1 $(GO) build -C $$h -trimpath -ldflags '-s -w' -o $(CURDIR)/bin/$$(basename $$h) .; done
	@set -e; for h in $(CLOUDS); do $(GO) build -C $$h -trimpath -ldflags '-s -w' -o $(CURDIR)/bin/$$(basename $$h) .; done

.PHONY: demo
demo: build ## the whole story on your screen; APP=path/to/app.bin takes a real image
	@$(GO) run ./cmd/tcpboot-demo --tcpboot bin/tcpboot $(if $(APP),--app '$(APP)')

.PHONY: test
test: peers lint ## everything CI checks
	$(MAKE) -j2 -C $(DESK) test
	CGO_ENABLED=1 $(GO) test -race -timeout 18m $$($(GO) list ./... | grep -v '/cmd/tcpboot$$')
	CGO_ENABLED=1 $(GO) test -race -timeout 18m -run '$(RACED)' ./cmd/tcpboot
	$(GO) test -timeout 18m ./cmd/tcpboot
	@set -e; for h in cmd/sigstore-kms $(HELPERS); do CGO_ENABLED=1 $(GO) test -C $$h -race ./...; done
	@set -e; for m in $(CLOUDS); do $(GO) test -C $$m ./...; done
	@set -e; for m in $(ORACLES); do $(GO) test -C $$m -count 1 ./...; done # what they build is not in their cache key

.PHONY: lint
lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@set -e; for m in cmd/sigstore-kms $(HELPERS) $(ORACLES); do (cd $$m && CGO_ENABLED=1 $(GO) vet ./... && CGO_ENABLED=1 $(GO) run $(STATICCHECK) ./...); done
	@set -e; for m in $(CLOUDS); do $(GO) vet -C $$m ./...; done
	.ci/vulncheck $(GOVULNCHECK)

.PHONY: peers
peers: ## the programs that judge our output
	.ci/install $(PEERS)

.PHONY: cosign
cosign: peers ## stock cosign judges a release; it is built first, for minutes. RECORD=1 records what it says
	@set -e; dir=$$(mktemp -d); trap 'rm -rf $$dir' EXIT; \
	GOBIN=$$dir CGO_ENABLED=0 nice $(GO) install -trimpath -ldflags '-s -w' $(COSIGN); \
	TCPBOOT_COSIGN=$$dir/cosign TCPBOOT_RECORD=$(RECORD) $(GO) test -count 1 -run '^TestCosign' -v ./cmd/tcpboot

.PHONY: bench
bench: ## ratios against rivals and limits, measured in one run
	.ci/install $(RIVALS)
	$(GO) run ./cmd/tcpboot-bench

.PHONY: soak
soak: peers ## long runs: fuzz every reader of outside bytes for SOAK each
	@set -e; for p in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
			$(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(SOAK) $$p; \
		done; \
	done
	CGO_ENABLED=1 $(GO) test -race -count 5 ./...
	$(MAKE) -C $(DESK) soak fuzz FUZZTIME=300

.PHONY: help
help:
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10
