# Everything a contributor or a curious visitor runs. `make demo` and `make test` need only Python 3.11 and make.

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
LIVE   := .dev/personvit
# The page tests want a browser; where there is none they are left out, and CI installs one.
NO_BROWSER := $(if $(or $(CI),$(shell command -v chromium)),,PERSONVIT_NO_BROWSER=1)
# So with an ssh server, to which bundles are pushed.
NO_SSHD := $(if $(or $(CI),$(shell PATH=$$PATH:/usr/sbin command -v sshd)),,PERSONVIT_NO_SSHD=1)

# A machine that is lent may have a GPU and no package index: there the system's Python does.
GPU_PYTHON ?= $(or $(wildcard $(BIN)/python),python3)
ON_GPU = PYTHONPATH=$(CURDIR)/.dev $(GPU_PYTHON) -m
GRAPHS := build/gpu-graphs

# Data and runs of bench-train: kept, so that an interrupted call goes on.
TRAINED := build/bench-train

# A board has no development environment: there the installed command does.
JETSON_COMMAND ?= $(or $(wildcard $(BIN)/personvit-deploy),personvit-deploy)

.PHONY: demo test check format nightly parity bench-train gpu-test gpu-bench jetson-acceptance native native-test native-nightly clean

demo: $(READY)  ## generate pedestrians, fine-tune a small model, evaluate it, show the result
	$(BIN)/personvit demo

test: $(READY)  ## the whole test suite
	$(NO_BROWSER) $(NO_SSHD) $(BIN)/pytest -n 2 --dist worksteal -m "not slow"

nightly: $(READY)  ## the long proofs too
	$(BIN)/pytest

parity: $(READY)  ## embeddings and a pre-training step against the official code: make parity PEERS=/path/to/checkouts
	$(BIN)/python tests/parity/official_parity.py $(PEERS)
	$(BIN)/python -W ignore tests/parity/pretrain_parity.py $(PEERS)

bench-train: $(READY)  ## what pre-training and teachers are worth on synthetic pedestrians, over 3 seeds: hours
	$(BIN)/personvit-benchmark pretraining --work $(TRAINED)/pretraining -o benchmark/results
	$(BIN)/personvit-benchmark distillation --work $(TRAINED)/distillation --size 64x32 --student vit-tiny \
		--epochs 40 --set augment.pad=3 --set optimiser.lr=2e-3 --amp bf16 -o benchmark/results

gpu-test: $(LIVE)  ## what needs an NVIDIA GPU; one sentence and exit code 3 where there is none
	$(ON_GPU) personvit.benchmark.gpu_here gpu
	$(ON_GPU) pytest tests/engines/test_contract.py tests/gpu/cuda_checks.py

gpu-bench: $(LIVE)  ## our models by everyone who can run them, and a training step: benchmark/results/GPU.md
	$(ON_GPU) personvit.benchmark.gpu_here gpu
	$(ON_GPU) personvit.export.speed_graphs $(GRAPHS)
	$(ON_GPU) personvit.benchmark.gpu_bench --minutes 6 -o benchmark/results --graphs $(GRAPHS)
	$(ON_GPU) personvit.benchmark.pretrain_speed --device cuda --batch 64 --steps 20 --rounds 1 --compile -o benchmark/results

native:  ## the C++ runtime, into build/host (docs/cpp.md says what to install first)
	cmake --preset host
	cmake --build --preset host

native-test: native  ## its unit tests
	ctest --preset host

native-nightly: $(READY)  ## sanitizers, a million runs of each fuzzer, endurance, aarch64 under qemu
	$(BIN)/pytest -m slow tests/deploy_jetson/runtime

jetson-acceptance:  ## on a board, as root: make jetson-acceptance BUNDLE=model.pvb [ARGS="--mode all"]
	@test -n "$(BUNDLE)" || { echo "say which bundle: make $@ BUNDLE=model.pvb" >&2; exit 1; }
	$(JETSON_COMMAND) acceptance $(BUNDLE) -o benchmark/results $(ARGS)

check: $(READY) $(LIVE)  ## formatter, linter, types, import directions, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	cd .dev && ../$(BIN)/mypy --config-file ../pyproject.toml -p personvit
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

$(LIVE):
	mkdir -p .dev
	ln -sfn .. $@

clean:
	rm -rf $(VENV) .dev build dist *.egg-info demo-out
