# The commands of the README: `make run`, `make test` and `make package`.

SHELL := /bin/bash
# Kept outside the checkout, so that one build of the dependencies serves every
# copy of the repository.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/halodi/target
HALODI := $(CARGO_TARGET_DIR)/release/halodi
PROFILE := --release --locked

# What Debian and Ubuntu need beside rustup and gcc: g++ builds the H.264 encoder, cmake HDF5, Mesa is
# a software Vulkan for machines without a GPU, Xvfb is a display for the tests
# of the window, and the X libraries are loaded by the window itself.
PACKAGES := g++ cmake libvulkan1 mesa-vulkan-drivers xvfb libxkbcommon-x11-0 libxcursor1 libxi6 libxrandr2

.PHONY: run build test lint package setup

run: build
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]; then \
		"$(HALODI)" view --demo; \
	else \
		echo "No display: running the demo headless."; \
		"$(HALODI)" predict --demo --out out/demo && \
		echo "The map, spectra and figures are in out/demo: open slices.png and spectrum.png."; \
	fi

build: setup
	cargo build $(PROFILE)

test: setup lint
	cargo test $(PROFILE)

lint: setup
	cargo fmt --check
	cargo clippy $(PROFILE) --all-targets -- -D warnings

# A .deb and a tarball that install without Rust, in out/.
package: build
	assets/package/make.sh "$(HALODI)" out

setup:
	@command -v cargo >/dev/null || { echo "Install Rust first: https://rustup.rs"; exit 1; }
	@if command -v apt-get >/dev/null; then \
		missing=$$(for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
		if [ -n "$$missing" ]; then \
			echo "Installing" $$missing; \
			sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
			$$sudo apt-get update -qq && \
			DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
		fi; \
	fi
