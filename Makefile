# Two commands matter: `make trial` and `make test`. Each sets up all it needs by itself.
# Make itself ends with 2 whenever something fails; scripts/trial has the exact status (style: 1 violated, 2 inconclusive ...).
.DEFAULT_GOAL := help
.PHONY: help trial test test-full check bench kill lab down lock setup
RUN = PATH="$$PWD/.venv/bin:$$PATH:$$(scripts/setup)" &&

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

trial: ## bring a real cloud core up on this machine, try it, report, take it down
	@scripts/trial

test: ## the tests of the project: those of `check`, then those on a lab of each size
	@scripts/test

test-full: ## all tests on a lab of size full, the long ones too
	@scripts/test-full

check: ## what needs no lab: lint, types, layers, unit and property tests
	@scripts/check

bench: ## measure the lab and the harness on a lab
	@$(RUN) python benchmarks/run.py

kill: ## kill COUNT trials (20) at random moments on the lab that is up, undo them, and compare
	@$(RUN) python -m tests.lab.kill --count $(or $(COUNT),20) --seed $(or $(SEED),1)

lab: ## bring the lab up and leave it up
	@$(RUN) seatrial-lab up

down: ## take the lab down
	@$(RUN) seatrial-lab down

setup: ## the locked environment, and everything that a boot needs
	@$(RUN) seatrial-lab build

lock: ## renew all lock files
	@$(RUN) uv lock --upgrade
	@$(RUN) for wanted in lab/openstack/*.in; do uv pip compile --quiet --upgrade --python /usr/bin/python3 --generate-hashes \
		--no-annotate --no-emit-index-url --custom-compile-command "make lock" \
		--override lab/openstack/overrides $$wanted -o $${wanted%.in}.txt; done
