# Two commands do all the set-up:  make demo   make test
# Everything is installed into .venv; nothing else on the machine changes, except that `make test` installs
# qemu-user, bochs, valgrind, clang, strace, cmake and pkg-config through apt where it may (root or password-less sudo).

VENV        := .venv
BIN         := $(VENV)/bin
JOBS        ?= auto
PYTEST_ARGS ?=
CONSTRAINTS ?=
export CONSTRAINTS
BENCH_ARGS  ?=

.PHONY: demo test lint bench peers arm-peers arm-rpc clean help
.DEFAULT_GOAL := help

help:
	@echo "make demo   install into $(VENV), compile MobileNetV2 for this machine and for cortex-a76, run it"
	@echo "make test   install what the tests need and run them (PYTEST_ARGS='-m slow' for the long ones)"
	@echo "            (CONSTRAINTS=constraints.txt for the very packages of the tests: Linux, x86-64, CPython 3.11)"
	@echo "make lint   ruff and mypy"
	@echo "make bench  install the peers and print the tables of the README's section Performance (BENCH_ARGS=--help)"
	@echo "make peers  prepare .venv-peers, in which LiteRT runs for \`make bench\` and \`mnv2c bench --against litert\`"
	@echo "make arm-peers  prepare .arm-peers: the peers' ARM builds, for \`mnv2c bench --device emulator --against ...\`"
	@echo "make arm-rpc  prepare .arm-rpc: TVM's RPC server for ARM, which the slow tests of tuning run under qemu"
	@echo "make clean  remove $(VENV), build/ and caches"

demo: $(VENV)/.core
	$(BIN)/python examples/demo.py --output build/demo

test: $(VENV)/.test
	@sh tools/qemu.sh
	@sh tools/bochs.sh
	@sh tools/valgrind.sh
	@sh tools/strace.sh
	@sh tools/build_systems.sh
	@sh tools/clang.sh
	$(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)
	@sh tools/qemu.sh --report
	@sh tools/bochs.sh --report
	@sh tools/valgrind.sh --report
	@sh tools/strace.sh --report
	@sh tools/build_systems.sh --report
	@sh tools/clang.sh --report

lint: $(VENV)/.test
	$(BIN)/ruff check mnv2c tests examples tools bench
	$(BIN)/mypy

bench: $(VENV)/.bench
	@sh tools/qemu.sh
	$(BIN)/python bench/tables.py $(BENCH_ARGS)

peers:
	@sh tools/venv.sh .venv-peers litert-torch torch==2.13.0

arm-peers: $(VENV)/.bench
	@sh tools/qemu.sh
	@PYTHON=$(BIN)/python sh tools/arm_peers.sh .arm-peers

arm-rpc: $(VENV)/.tune
	@sh tools/qemu.sh
	@PYTHON=$(BIN)/python sh tools/arm_rpc.sh .arm-rpc

$(VENV)/.core: pyproject.toml tools/venv.sh
	@sh tools/venv.sh $(VENV) .
	@touch $@

$(VENV)/.test: $(VENV)/.core
	@sh tools/venv.sh $(VENV) '.[test]'
	@touch $@

$(VENV)/.bench: $(VENV)/.core
	@sh tools/venv.sh $(VENV) '.[bench]'
	@touch $@

$(VENV)/.tune: $(VENV)/.core
	@sh tools/venv.sh $(VENV) '.[tune]'
	@touch $@

clean:
	rm -rf $(VENV) .venv-peers .arm-peers .arm-peers.new .arm-rpc .arm-rpc.new build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
