# make demo   everything a first look needs, and the main job run without a key or a network
# make test   everything the tests need, the checks, and all tests
SHELL := /bin/bash
SOURCES := pyproject.toml $(wildcard scripts/* codeact_kernel/kernelspec/*) \
  $(shell find labextension/src labextension/style labextension/schema -type f) \
  $(wildcard labextension/*.json)
NODE := command -v npm >/dev/null && node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' 2>/dev/null \
  || { echo "node 20 (or newer) and npm are needed to build the JupyterLab extension of a checkout." >&2; exit 1; }

.PHONY: demo test check build clean

demo: .venv/installed-demo
	@.venv/bin/codeact demo -o codeact-demo/quickstart.ipynb

test: .venv/installed-test labextension/node_modules/.package-lock.json
	@scripts/check; checked=$$?; scripts/test && exit $$checked

check: .venv/installed-test labextension/node_modules/.package-lock.json
	@scripts/check

build: .venv/installed-test
	@scripts/build

# A changed Python file needs no new installation, the .venv is editable; what the wheel copies elsewhere does.
.venv/installed-demo: $(SOURCES)
	@$(NODE)
	@scripts/install lab,demo
	@touch $@

.venv/installed-test: $(SOURCES)
	@$(NODE)
	@scripts/system
	@scripts/install lab,test
	@touch $@ .venv/installed-demo

labextension/node_modules/.package-lock.json: labextension/package-lock.json
	@. scripts/home && cd labextension && npm ci --silent --no-audit --no-fund
	@touch $@

clean:
	rm -rf .venv .venv-home dist artefacts labextension/{node_modules,lib,tsconfig.tsbuildinfo} codeact_kernel/labextension
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
