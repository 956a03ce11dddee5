# barrage: every task of the project. `make` alone lists them; CI runs `test` and `lint`, nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
BUILD    := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'
GOLANGCI := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.2
VULN     := go run golang.org/x/vuln/cmd/govulncheck@v1.8.0
TAGS     := e2e,load,reliability,clients,players

# Which tests of `make clients`, as a pattern of names.
CLIENT ?= ^(TestClients|TestOBS)

# Which tests of `make players`, as a pattern of names (TestPlayersPlay/players/mpv), and how long the players play.
PLAYER ?= ^TestPlayers
FOR    ?= 1m

# Rows of `make reliability`, as a pattern of test names; what `make fuzz` runs, and for how long.
ROWS     ?= ^(TestR[0-9][0-9]|TestProbe)
FUZZ     ?= ingest|chat
FUZZTIME ?= 5s
RELIABILITY_TABLE := bin/reliability.md

STATE  ?= var
ROOM   ?= live
SERVER ?= rtmp://127.0.0.1:1935/live
export STATE ROOM SERVER

PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
PAGE_SRC   = $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -type f ! -name '*.go' -print)

# What the tests need beyond Go and Node, as PACKAGE:PROOF; the proof is a command or a file.
TEST_TOOLS := ffmpeg:ffmpeg curl:curl util-linux:prlimit redis-server:redis-server chromium:chromium prometheus:promtool gcc:gcc libc6-dev:/usr/include/stdlib.h \
  fonts-dejavu-core:/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf fonts-noto-cjk:/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc

# What `make clients` needs on top: the encoders people use.
CLIENT_TOOLS := obs-studio:obs obs-plugins:/usr/share/obs/obs-plugins xvfb:xvfb-run xauth:xauth gstreamer1.0-tools:gst-launch-1.0 \
  $(foreach p,base good bad ugly,gstreamer1.0-plugins-$(p):/usr/share/doc/gstreamer1.0-plugins-$(p)) libgl1-mesa-dri:/usr/share/doc/libgl1-mesa-dri

# What `make players` needs on top: the players people use.
PLAYER_TOOLS := vlc-bin:cvlc vlc-plugin-base:/usr/share/doc/vlc-plugin-base mpv:mpv gstreamer1.0-tools:gst-launch-1.0 \
  gstreamer1.0-libav:/usr/share/doc/gstreamer1.0-libav $(foreach p,base good bad,gstreamer1.0-plugins-$(p):/usr/share/doc/gstreamer1.0-plugins-$(p))

##@ Use

.PHONY: run
run: build ## build everything and start the server; prints the OBS settings and the links
	@exec bin/barrage serve -banner -state-dir $(STATE)

.PHONY: demo
demo: build bin/chatters ## run, plus a test card and 200 chatters: a party to look at
	@exec e2e/load/demo.sh

.PHONY: run-split
run-split: build ## the production shape on this machine: Redis, barrage media, two barrage chat
	@exec deploy/run-split.sh

.PHONY: publish
publish: ## send the test card to a running server (SERVER, ROOM, STATE)
	@exec e2e/load/testcard.sh "$(SERVER)/$$(bin/barrage key $(ROOM) -state-dir $(STATE))"

.PHONY: obs
obs: ## stream from a real OBS without a screen (SERVER, ROOM, STATE, DURATION=40, KEYINT=60)
	@exec e2e/obs/run.sh "$(SERVER)" "$$(bin/barrage key $(ROOM) -state-dir $(STATE))" "$${DURATION:-40}" "$${KEYINT:-60}"

.PHONY: load-publishers
load-publishers: bin/publishers ## many RTMP publishers (N=60 KBPS=4200 FOR=60s CHUNK=4096 ADDR STATE PID)
	@exec e2e/load/publishers.sh

.PHONY: load-viewers
load-viewers: bin/viewers ## many players (MODE=ll|plain|blocked|latency N=100 HTTP=1.1|2 URL FOR=30s PID); see e2e/load
	@exec e2e/load/viewers.sh

.PHONY: load-chat
load-chat: build bin/crowd ## many writers and readers of a room (WATCH=2000 WRITE=50 RATE=50 NODES=1 BROKER=redis|memory FOR=30s); see e2e/load
	@exec e2e/load/crowd.sh

# Three comments are what chat.burst lets one author say at once: so many authors, and all of theirs are accepted.
.PHONY: balse
balse: build bin/crowd ## one second of balse: 143,199 comments at once, a browser in the room, bin/balse.png (NODES=3 WRITE=47733)
	@NODES=$${NODES:-3} WATCH=$${WATCH:-0} WRITE=$${WRITE:-47733} RATE=143199 BURST=1 BATCH=3 TEXT=balse FOR=$${FOR:-15s} RAMP=$${RAMP:-30s} \
	  PICTURE=bin/balse.png exec e2e/load/crowd.sh

##@ Build

.PHONY: build
build: toolchain page ## the page and bin/barrage
	@$(BUILD) -o bin/barrage ./cmd/barrage

.PHONY: page
page: web/node_modules/.built

web/node_modules/.built: web/node_modules/.package-lock.json $(PAGE_SRC)
	@npm --prefix web run --silent build
	@touch $@

# npm writes this file itself; it is older than package-lock.json when packages changed.
web/node_modules/.package-lock.json: web/package-lock.json
	@npm --prefix web ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: hlscheck
hlscheck: bin/hlscheck ## hold a live HLS stream of any server against the rules (URL=…/index.m3u8 FOR=10m)
	@exec bin/hlscheck -url "$${URL:-http://127.0.0.1:8080/hls/$(ROOM)/index.m3u8}" -for "$${FOR:-1m}"

.PHONY: bin/chatters bin/crowd bin/hlscheck bin/publishers bin/sink bin/viewers
bin/chatters bin/crowd bin/hlscheck bin/publishers bin/sink bin/viewers:
	@$(BUILD) -tags load -o $@ ./e2e/load/$(@F)

.PHONY: cross
cross: toolchain page ## bin/barrage-OS-ARCH for every platform
	@for p in $(PLATFORMS); do \
	  out=bin/barrage-$${p%/*}-$${p#*/}; [[ $$p == windows/* ]] && out+=.exe; \
	  GOOS=$${p%/*} GOARCH=$${p#*/} $(BUILD) -o $$out ./cmd/barrage && ls -sh $$out; \
	done

.PHONY: clean
clean: ## remove what make made (not the state in $(STATE))
	@rm -rf bin web/node_modules
	@find web/dist -mindepth 1 ! -name placeholder.txt -delete

##@ Check

.PHONY: test
test: toolchain test-tools page ## everything: unit tests with the race detector, the page's tests, end-to-end tests
	@echo '== page' && npm --prefix web test --silent
	@echo '== vet' && go vet ./... && go vet -tags $(TAGS) ./...
	@echo '== unit' && go test -race -shuffle=on ./... && go test -race -tags load ./e2e/load/...
	@cd e2e/hlscheck/peer && go vet ./... && go test ./...
	@$(MAKE) e2e

.PHONY: e2e
e2e: toolchain test-tools page ## only the tests that need ffmpeg, Redis or Chromium
	@echo '== end to end' && go test -tags e2e -p 1 -shuffle=on -timeout 15m \
	  $$(grep -rl --include='*_test.go' '^//go:build e2e' . | xargs -n1 dirname | sort -u)

.PHONY: clients
clients: TEST_TOOLS += $(CLIENT_TOOLS)
clients: toolchain test-tools ## real encoders against the server: is everything they sent served? (CLIENT=name, BARRAGE_RACE=1)
	@mkdir -p bin; result=0; go test -tags clients -count=1 -timeout 10m -parallel 6 -v -run '$(CLIENT)' ./e2e >bin/clients.log 2>&1 || result=$$?; \
	  printf '| Client | Video | Audio |\n|---|---|---|\n'; sed -n 's/^ *clients_[a-z_]*\.go:[0-9]*: |/|/p' bin/clients.log | sort; \
	  grep -E '^ *--- |^(ok|FAIL|panic)' bin/clients.log; (( result == 0 )) || { cat bin/clients.log >&2; exit $$result; }

.PHONY: players
players: TEST_TOOLS += $(PLAYER_TOOLS)
players: toolchain test-tools page ## real players watch: stalls, errors, latency, changes (FOR=10m PLAYER=pattern)
	@mkdir -p bin; result=0; FOR=$(FOR) go test -tags players -count=1 -timeout 60m -parallel 8 -v -run '$(PLAYER)' ./e2e >bin/players.log 2>&1 || result=$$?; \
	  sed -n 's/^ *players_[a-z_]*\.go:[0-9]*: |/|/p' bin/players.log; \
	  grep -E '^ *--- |^(ok|FAIL|panic)|hls-parser' bin/players.log; (( result == 0 )) || { cat bin/players.log >&2; exit $$result; }

.PHONY: contact-sheet
contact-sheet: toolchain test-tools page ## a picture of every page in every state, two sizes, two languages: bin/contact-sheet.html
	@go test -tags players -count=1 -timeout 20m -run '^TestContactSheet$$' ./e2e && ls bin/contact-sheet.html

# The table goes into a file as the rows end, and is printed sorted, whatever the result.
.PHONY: reliability
reliability: toolchain test-tools page ## attack a running server, row by row; prints a table with what was measured
	@mkdir -p bin && rm -f $(RELIABILITY_TABLE); result=0; \
	  RELIABILITY_TABLE=$(CURDIR)/$(RELIABILITY_TABLE) go test -tags reliability -count=1 -timeout 40m -run '$(ROWS)' ./e2e || result=$$?; \
	  printf '\n| Row | What | Result | Measured |\n|---|---|---|---|\n' && sort $(RELIABILITY_TABLE) && exit $$result

# Little is spent on making inputs small: what goroutines do beside is not the same twice, and trying to get it again takes a minute each.
# FUZZTIME counts seconds (10s) or executions (10000000x), for each target whose package matches FUZZ.
.PHONY: fuzz
fuzz: toolchain ## fuzz what strangers send (FUZZTIME=5s or 10000000x, FUZZ='ingest|chat')
	@grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | grep -E '$(FUZZ)' | sort | while IFS=: read -r file _ name; do \
	  echo "== $$(dirname $$file) $${name#func }"; \
	  go test -run '^$$' -fuzz "^$${name#func }\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "./$$(dirname $$file)" </dev/null | tail -3; \
	done

.PHONY: lint
lint: toolchain page ## golangci-lint, formatting, go.mod, TypeScript
	@$(GOLANGCI) run --build-tags $(TAGS) ./...
	@$(GOLANGCI) fmt --diff ./...
	@go mod tidy -diff
	@npm --prefix web run --silent check

.PHONY: fmt
fmt: ## format the Go code
	@$(GOLANGCI) fmt ./...

.PHONY: bench
bench: toolchain ## Go benchmarks
	@go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-bullets
bench-bullets: toolchain web/node_modules/.package-lock.json ## frames of a real Chromium, slowed down, with 300 bullets on it (ARGS="--throttle 4 --seconds 20")
	@npm --prefix web run --silent bench -- $(ARGS)

.PHONY: vuln
vuln: toolchain page ## known vulnerabilities in what we depend on
	@$(VULN) ./...
	@npm --prefix web audit --omit=dev

##@ Parts

.PHONY: toolchain
toolchain: ## say plainly when Go or Node is missing or too old
	@v=$$(go env GOVERSION 2>/dev/null || true); v=$${v#go}; \
	  IFS=. read -r major minor _ <<<"$${v:-0.0}"; minor=$${minor%%[!0-9]*}; \
	  if (( major < 1 || (major == 1 && minor < 26) )); then \
	    echo "barrage needs Go 1.26 or newer, and found $${v:-none}: install it from https://go.dev/dl/" >&2; exit 1; fi
	@v=$$(node --version 2>/dev/null || true); v=$${v#v}; \
	  if (( $${v%%.*}+0 < 20 )) || ! command -v npm >/dev/null; then \
	    echo "barrage needs Node.js 20 or newer with npm to build its page, and found $${v:-none}: install it from https://nodejs.org/" >&2; exit 1; fi

.PHONY: test-tools
test-tools: ## install what the tests need (as root), or say what to install
	@missing=(); for t in $(TEST_TOOLS); do \
	    proof=$${t#*:}; [[ -e $$proof ]] || command -v "$$proof" >/dev/null || missing+=("$${t%%:*}"); done; \
	  (( $${#missing[@]} )) || exit 0; \
	  if (( EUID == 0 )) && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}"; \
	  else echo "The tests need more: sudo apt-get install --no-install-recommends $${missing[*]}" >&2; exit 1; fi

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {sub(/:.*/, "", $$1); printf "  make %-11s %s\n", $$1, $$2}' Makefile
