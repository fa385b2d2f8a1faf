# make is the only door. What each target does stands behind its name; `make help` prints them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/reeve-scheduler/reeve/internal/cli.release=$(VERSION)
BUILD   := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'

.PHONY: help build demo test setup check fmt lint house generate generated cross bench fault fuzz clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

build: ## bin/reeve, one static binary
	@mkdir -p bin
	$(BUILD) -o bin/reeve ./cmd/reeve

demo: build ## a server and two agents on this machine, running the example nets; Ctrl-C ends it and leaves nothing behind
	@scripts/demo

setup: ## installs what the tests need and this machine lacks
	@scripts/setup

# Built all at once, run one package after the other: many start real servers, agents and browsers, and two cores are few.
test: setup ## all tests
	@go test -run '^$$' ./... >/dev/null
	go test -p 1 ./...

check: fmt lint generated cross test ## what CI runs: format, lint, house rules, generated files, cross-compilation, tests

fmt: ## fails where a file is not formatted
	@out=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); if [ -n "$$out" ]; then echo "not formatted (gofmt -w):"; echo "$$out"; exit 1; fi

lint: bin/golangci-lint ## static checks, each with its reason in .golangci.yaml
	go vet ./...
	bin/golangci-lint run ./...

bin/golangci-lint: tools/go.mod tools/go.sum
	@mkdir -p bin
	go build -C tools -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint

generate: ## writes the reference pages that come from code
	go test ./internal/docs -run 'TestReference' -update

generated: ## fails where a reference page differs from the code
	go test ./internal/docs -run 'TestReference'

cross: ## compiles for every platform, without cgo
	@for p in linux/amd64 linux/arm64 windows/amd64 darwin/arm64; do \
	  echo "cross: $$p"; GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 go build -trimpath -o /dev/null ./cmd/reeve || exit 1; done

bench: build ## measures the figures with the machine's own limits; writes docs/benchmarks.md
	go run ./test/bench -reeve bin/reeve -out docs/benchmarks.md
	go test ./internal/proof/end -run '^$$' -bench Matrix -benchtime 3x # 2,450 flows between 50 nodes: under 10 s

fault: build ## the fault campaign, longer than in the tests
	go test ./test/fault -count=1 -timeout 60m -rounds 20
	go test ./internal/calendar -count=1 -timeout 60m -run Oracle -v -rounds 1000000
	go test ./internal/callback -count=1 -timeout 20m -run 'First|Anywhere' -rounds 1000
	go test ./test/firewall -count=1 -timeout 60m -run 'Cuts|TakenAway|Heal' -v -rounds 1000
	go test ./internal/link -count=1 -timeout 60m -run 'BothEndsDialAtOnce' -rounds 1000
	go test ./ports/ledger -count=1 -parallel 1 -timeout 60m -run 'Kill|Starts|Allocators|Anywhere|Strangers' -v -rounds 1000

FUZZTIME ?= 30s
fuzz: ## every fuzz target for FUZZTIME each
	@go list ./... | while read -r p; do for f in $$(go test -list '^Fuzz' $$p 2>/dev/null | grep '^Fuzz'); do \
	  echo "fuzz: $$p $$f"; go test $$p -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) || exit 1; done; done

clean: ## removes what make built
	rm -rf bin
