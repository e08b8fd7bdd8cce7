.ONESHELL:
.SILENT:
.NOTPARALLEL:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

SUDO := $(shell [ $$(id -u) = 0 ] || echo sudo)
VENV := .venv
BIN := $(VENV)/bin
PYTHONS := $(PYTHON) python3 python3.13 python3.12 python3.11

# sudo drops these; HOME becomes that of root, so that nothing of root appears in the home of the caller.
KEPT := E2E_ANSIBLE_HOME E2E_APT_MIRROR E2E_PGDG_MIRROR E2E_PGDG_KEY http_proxy https_proxy no_proxy CI NO_COLOR PYTEST_ADDOPTS \
  STROPPY GOPROXY GONOPROXY GOPRIVATE GOSUMDB GONOSUMDB GOINSECURE GOAUTH NETRC GOFLAGS GOENV GOTOOLCHAIN CGO_ENABLED
AS_ROOT := $(if $(SUDO),$(SUDO) -H env $(foreach name,$(KEPT),$(if $($(name)),$(name)='$($(name))')))

# Most tests wait for nodes; one worker more than processors keeps those busy. A file of tests shares its nodes.
WORKERS ?= $(shell echo $$(( $$(nproc) < 6 ? $$(nproc) + 1 : 6 )))
PYTEST := -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# What root made in a checkout of somebody else (runs, caches) becomes theirs.
GIVE_BACK := [ "$$(stat -c %u Makefile)" = 0 ] || $(SUDO) find . -xdev -user 0 -exec chown -h --reference=Makefile {} +

# An environment does not survive a move of the checkout, nor the removal of its interpreter.
READY := $(shell grep -qsxF '$(CURDIR)' $(VENV)/.place && $(BIN)/python -c '' 2>/dev/null && echo yes)

.PHONY: help demo test lint bench collection sanity test-openstack test-vm test-upstream test-stroppy clean tools force

help: ## show this list
	sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' Makefile

demo: $(VENV)/.demo ## crash a node of a small PostgreSQL cluster on this machine (root or sudo, about 3 minutes)
	trap : INT
	status=0
	{ $(AS_ROOT) $(BIN)/e2e-ansible doctor --fix && $(AS_ROOT) $(BIN)/e2e-ansible run suites/quickstart.yaml; } || status=$$?
	$(GIVE_BACK)
	exit $$status

test: lint tools ## lint, then all tests, with real nodes (root or sudo)
	trap : INT
	status=0
	{ $(AS_ROOT) $(BIN)/e2e-ansible doctor --fix && $(AS_ROOT) $(BIN)/python $(PYTEST); } || status=$$?
	$(GIVE_BACK)
	exit $$status

lint: $(VENV)/.dev ## ruff, mypy and ansible-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PATH="$$PWD/$(BIN):$$PATH" ansible-lint --offline -q

bench: $(VENV)/.dev tools ## measure, and write benchmarks/results.md (root or sudo, about 35 minutes)
	trap : INT
	status=0
	{ $(AS_ROOT) $(BIN)/e2e-ansible doctor --fix && $(AS_ROOT) $(BIN)/python -m benchmarks; } || status=$$?
	$(GIVE_BACK)
	exit $$status

collection: $(VENV)/.demo ## build the Ansible collection into dist/
	rm -f dist/e2e_ansible-core-*.tar.gz
	$(BIN)/ansible-galaxy collection build --output-path dist

# A place outside of the checkout, because ansible-test looks only at what git has; the pip that it would fetch is here.
sanity: collection ## check the collection with ansible-test (a minute at first, then 15 seconds)
	place=$$(mktemp -d)
	trap 'rm -rf "$$place"' EXIT
	bin=$$PWD/$(BIN)
	export HOME=$$PWD/.ansible/sanity
	mkdir -p "$$HOME/.ansible/test/cache"
	echo 'import ensurepip; ensurepip.bootstrap()' >"$$HOME/.ansible/test/cache/get_pip_24_2.py"
	export ANSIBLE_COLLECTIONS_PATH=$$place
	"$$bin/ansible-galaxy" collection install --offline --collections-path "$$place" dist/e2e_ansible-core-*.tar.gz
	cd "$$place/ansible_collections/e2e_ansible/core"
	"$$bin/ansible-test" sanity --python "$$("$$bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"

test-openstack: $(VENV)/openstack/.ready ## the provider openstack against a real nova on this machine (about 5 minutes)
	E2E_OPENSTACK_PYTHON=$(VENV)/openstack/bin/python $(BIN)/python -m pytest tests/openstack/real_openstack.py

test-vm: $(VENV)/.dev tools ## what only virtual machines show: failover of kernels, rows that were never synced (root or sudo, about 20 minutes without KVM)
	trap : INT
	status=0
	{ $(AS_ROOT) $(BIN)/e2e-ansible doctor --fix && $(AS_ROOT) $(BIN)/python -m pytest -s tests/integration/libvirt_patroni.py tests/integration/libvirt_unsynced.py; } || status=$$?
	$(GIVE_BACK)
	exit $$status

# The line with k6 wants more than the nodes of the suites have.
STROPPY_TESTS := $(addprefix tests/integration/,test_run_stroppy.py $(if $(filter k6,$(STROPPY)),,test_load_suites.py))
test-stroppy: $(VENV)/.dev tools ## the tests that load with Stroppy, by the real program only: STROPPY=PATH or a commit, else the pinned one (root or sudo, about 5 minutes)
	trap : INT
	status=0
	{ $(AS_ROOT) $(BIN)/e2e-ansible doctor --fix && $(AS_ROOT) env STROPPY='$(or $(STROPPY),pinned)' $(BIN)/python -m pytest $(STROPPY_TESTS); } || status=$$?
	$(GIVE_BACK)
	exit $$status

test-upstream: $(VENV)/upstream/.ready $(VENV)/openstack/.ready ## the inventory plugins of newer collections (root or sudo, about 10 minutes)
	$(AS_ROOT) env E2E_UPSTREAM=$(VENV)/upstream $(BIN)/python -m pytest tests/integration/upstream_inventories.py
	E2E_UPSTREAM=$(VENV)/upstream E2E_OPENSTACK_PYTHON=$(VENV)/openstack/bin/python $(BIN)/python -m pytest tests/openstack/upstream_inventory.py

clean: ## remove the environment, caches and packages; runs and nodes stay
	rm -rf $(VENV) dist build .coverage .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find e2e_ansible plugins roles tests -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.demo: pyproject.toml $(if $(READY),,force)
	$(environment)
	echo "installing e2e-ansible into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.dev: pyproject.toml $(if $(READY),,force)
	$(environment)
	echo "installing e2e-ansible and the tools of its developers into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

$(VENV)/openstack/.ready: tests/openstack/requirements.txt $(VENV)/.dev
	echo "installing keystone, placement, glance, neutron and nova into $(VENV)/openstack"
	$(BIN)/python -m venv --clear $(VENV)/openstack
	$(VENV)/openstack/bin/python -m pip install --quiet --disable-pip-version-check -r tests/openstack/requirements.txt
	touch $@

# The bundle is for Python 3.12; these collections in it are for any that ansible-core 2.19 runs on.
UPSTREAM := ansible==13.8.0
$(VENV)/upstream/.ready: $(VENV)/.dev
	echo "bringing newer collections of clouds into $(VENV)/upstream"
	rm -rf $(VENV)/upstream
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.12 \
	  --dest $(VENV)/upstream '$(UPSTREAM)'
	$(BIN)/python tests/integration/upstream_bundle.py $(VENV)/upstream
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target $(VENV)/upstream/python libvirt-python
	$(BIN)/python -m venv $(VENV)/upstream/azure # its SDKs are older than ours
	$(VENV)/upstream/azure/bin/python -m pip install --quiet --disable-pip-version-check 'ansible-core<2.20' \
	  -r $(VENV)/upstream/ansible_collections/azure/azcollection/requirements.txt
	touch $@

# What the tests need beside nodes: servers of PostgreSQL, which they start themselves, so the package is kept from making
# a cluster; a daemon of libvirt with an emulator; and Go.
LIBVIRT := libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 qemu-utils dnsmasq-base genisoimage
tools:
	packages=
	if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
	  packages+=" postgresql"
	  if [ ! -e /etc/postgresql-common ]; then
	    $(SUDO) mkdir /etc/postgresql-common
	    echo 'create_main_cluster = false' | $(SUDO) tee /etc/postgresql-common/createcluster.conf >/dev/null
	  fi
	fi
	for program in virsh libvirtd qemu-system-x86_64 qemu-img dnsmasq genisoimage; do
	  PATH=$$PATH:/usr/sbin:/sbin type -P "$$program" >/dev/null || { packages+=" $(LIBVIRT)"; break; }
	done
	# Built by Go is what notes its lines: that needs 1.20 or later.
	PATH=$$PATH:/usr/local/go/bin type -P go >/dev/null || packages+=" golang-go"
	[ -z "$$packages" ] && exit
	$(call install,$$packages)

# apt waits for the lock of dpkg, but not for that of the lists, which a fresh machine holds for its first minutes.
define install
APT="$(SUDO) env LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq"
echo "installing" $(1) "with apt-get"
until said=$$($$APT update 2>&1) || [[ $$said != *"Could not get lock"* ]] || ((SECONDS > 300)); do sleep 2; done
$$APT -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold \
  install --yes --no-install-recommends --no-remove $(1) >/dev/null
endef

# A new environment in $(VENV), unless there is one that works.
define environment
usable() { "$$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
choose() { for python in $(PYTHONS); do if usable "$$python"; then return; fi; done; return 1; }
if [ -z '$(READY)' ]; then
  if ! choose; then
    $(call install,python3)
    choose || { echo "no Python 3.11 to 3.13 here; name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
  fi
  if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=$$("$$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')
    $(call install,"$$package")
  fi
  "$$python" -m venv --clear $(VENV)
  echo '$(CURDIR)' >$(VENV)/.place
fi
endef
