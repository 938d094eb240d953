# `make` lists what there is to make. Everything a target needs is fetched or
# built by it: Debian packages, npm packages, the native build.

# The runtimes themselves, which npm unpacks here even where it may not run
# install scripts. Looked up when used: a fresh clone has none yet.
DENO = $(abspath $(shell ls node_modules/@deno/*/deno 2>/dev/null | head -n 1))
BUN = $(abspath $(shell ls node_modules/@oven/bun-*/bin/bun \
	node_modules/bun/bin/bun.exe 2>/dev/null | head -n 1))
DPRINT = $(shell ls node_modules/@dprint/*/dprint 2>/dev/null | head -n 1)

PACKAGES = native/build/.debian-packages
MODULES = node_modules/.package-lock.json
C_FILES = $(shell find native -name 'build*' -prune -o -name '*.[ch]' -print)

# A finding of a sanitizer ends the test.
SANITIZE = -Doptimization=1 \
	-Dc_args='-fno-sanitize-recover=all -fno-omit-frame-pointer'

FUZZ_TARGETS = $(patsubst %_fuzz.c,%,$(notdir $(wildcard native/*/*_fuzz.c)))

RUN_TESTS = MACHNET_DENO=$(DENO) MACHNET_BUN=$(BUN) \
	$(DENO) run -A --no-check src/testing/run.ts

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | \
		awk -F '\t' '{ printf "make %-20s %s\n", $$1, $$2 }'

.PHONY: build
build: native/build/build.ninja ## build the libraries, machnetd and the fabric
	ninja -C native/build

.PHONY: demo
demo: build $(MODULES) ## build, then run examples/demo.ts
	$(DENO) run -A examples/demo.ts

.PHONY: bench
bench: build $(MODULES) ## build, then measure against sockets, and operations
	@$(DENO) run -A bench/system.ts
	@for script in javascript operations; do \
		echo && $(DENO) run -A bench/$$script.ts && \
		echo && $(BUN) bench/$$script.ts || exit; \
	done

.PHONY: bench-quick
bench-quick: build $(MODULES) ## build, then measure the core of that, in 90 s
	@$(DENO) run -A bench/system.ts --quick

.PHONY: bench-transport
bench-transport: build $(MODULES) ## build, then measure what the transport promises
	@native/tools/install-debian-packages.sh valgrind
	@$(DENO) run -A bench/transport.ts

.PHONY: bench-rss
bench-rss: build $(MODULES) ## build, then measure how connections find their engines
	@$(DENO) run -A bench/rss.ts

.PHONY: bench-rss-simulation
bench-rss-simulation: build $(MODULES) ## build, then make the figures of docs/rss.md anew
	@$(DENO) run -A bench/rss_simulation.ts

.PHONY: fuzz
fuzz: build-fuzz ## run each fuzz target for SECONDS (60)
	@for target in $(FUZZ_TARGETS); do \
		native/tools/fuzz.sh $(or $(SECONDS),60) $$target \
			native/build-fuzz/corpus/$$target || status=1; \
	done; exit $$status

.PHONY: fuzz-corpus
fuzz-corpus: build-fuzz ## take what `make fuzz` learned into the repository
	@for target in $(FUZZ_TARGETS); do \
		native/tools/fuzz-corpus.sh $$target || exit; \
	done

.PHONY: sim
sim: build ## replay the simulation of a SEED, or of SEEDS many from it on
	@MACHNET_SEED=$(SEED) MACHNET_SEEDS=$(SEEDS) \
		native/build/transport/simulation_test

.PHONY: packages
packages: build-package $(MODULES) ## make the npm packages, in dist
	packages/build.sh $(DENO)

.PHONY: test
test: $(MODULES) ## run every test: C, sanitizers, fuzzing, Deno, Bun, packages
	@$(RUN_TESTS)

.PHONY: test-native test-asan test-tsan test-fuzz test-deno test-bun test-packages
test-native: $(MODULES) ## run the C tests
test-asan: $(MODULES) ## run the C tests under ASan and UBSan
test-tsan: $(MODULES) ## run the C tests of threads under TSan
test-fuzz: $(MODULES) ## run each fuzz target for 30 s, on the same inputs each time
test-deno: build $(MODULES) ## run the TypeScript tests under Deno
test-bun: build $(MODULES) ## run the TypeScript tests under Bun
test-packages: $(MODULES) ## make the npm packages, and test them
test-native test-asan test-tsan test-fuzz test-deno test-bun test-packages:
	@$(RUN_TESTS) $(@:test-%=%)

.PHONY: check
check: build lint ## check types, examples in documents, format, symbols, version
	$(DENO) check --doc .
	node_modules/.bin/tsc -p tsconfig.bun.json
	$(DENO) doc --lint mod.ts
	$(DPRINT) check
	clang-format --dry-run -Werror $(C_FILES)
	native/tools/check-symbols.sh native/build/client/libmachnet.so machnet.h
	native/tools/check-symbols.sh native/build/sidecar/libmachnet_engine.so engine.h
	native/tools/check-version.sh

.PHONY: lint
lint: $(MODULES) ## lint the TypeScript
	$(DENO) lint

.PHONY: fmt
fmt: $(MODULES) $(PACKAGES) ## format everything
	$(DPRINT) fmt
	clang-format -i $(C_FILES)

.PHONY: clean
clean: ## remove what was built; npm packages stay
	rm -rf native/build* test-results dist

.PHONY: build-asan build-tsan build-fuzz build-package
build-asan: native/build-asan/build.ninja
	ninja -C native/build-asan
build-tsan: native/build-tsan/build.ninja
	ninja -C native/build-tsan
build-fuzz: native/build-fuzz/build.ninja
	ninja -C native/build-fuzz fuzz
build-package: native/build-package/build.ninja
	ninja -C native/build-package package

native/build/build.ninja: | $(PACKAGES)
	meson setup native/build native

native/build-asan/build.ninja: | $(PACKAGES)
	meson setup native/build-asan native $(SANITIZE) \
		-Db_sanitize=address,undefined

native/build-tsan/build.ninja: | $(PACKAGES)
	meson setup native/build-tsan native $(SANITIZE) \
		-Db_sanitize=thread -Ddpdk=disabled

native/build-package/build.ninja: | $(PACKAGES)
	meson setup native/build-package native --native-file native/package.ini

native/build-fuzz/build.ninja: | $(PACKAGES)
	native/tools/install-debian-packages.sh clang libclang-rt-14-dev
	CC=clang meson setup native/build-fuzz native -Dfuzz=true \
		-Ddpdk=disabled -Doptimization=2 -Db_lundef=false

$(PACKAGES): native/tools/install-debian-packages.sh
	native/tools/install-debian-packages.sh
	@mkdir -p $(@D) && touch $@

# Without install scripts: all they do is copy the binaries found above. A link
# does what Bun's would, so that node_modules/.bin/bun works, too.
$(MODULES): package-lock.json
	npm ci --ignore-scripts
	ln -f node_modules/@oven/bun-*/bin/bun node_modules/bun/bin/bun.exe
	@touch $@
