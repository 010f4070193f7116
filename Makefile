# Thermie. `make demo` runs the main job, `make test` the tests; `make help` lists the rest.

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
BINARIES := thermie thermie-gateway thermie-verify
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

.PHONY: demo
demo: bin/thermie ## build and start a whole fictional port; prints the address to open
	./bin/thermie demo $(DEMO)

.PHONY: build
build: $(addprefix bin/,$(BINARIES)) ## build the three programs for this machine

bin/%: FORCE
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

FORCE:

.PHONY: test
test: ## every test that needs no outside server, with the race detector
	$(GO) test -race -timeout 15m ./...

.PHONY: test-integration
test-integration: ## tests against a real Mosquitto, InfluxDB and Chromium (found, or installed)
	servers=$$(integration/setup) && eval "$$servers" && \
	$(GO) test -tags integration -timeout 40m -count=1 ./integration/... ./series/influx/...

.PHONY: check
check: ## gofmt, vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not formatted:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./... && $(GO) vet -tags integration ./...
	$(GO) run $(STATICCHECK) ./...

.PHONY: cross
cross: ## every program for linux amd64, arm64 and armv7, into dist/
	@set -e; for target in amd64: arm64: arm:7; do \
	  arch=$${target%%:*}; arm=$${target##*:}; \
	  for b in $(BINARIES); do \
	    echo "build $$b linux/$$arch$${arm:+v$$arm}"; \
	    CGO_ENABLED=0 GOOS=linux GOARCH=$$arch GOARM=$$arm $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/linux-$$arch$${arm:+v$$arm}/$$b ./cmd/$$b; \
	  done; done

.PHONY: bench
bench: ## the benchmarks of docs/benchmarks.md
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
