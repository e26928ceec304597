# `make test` and `make demo` set up all that they need, environments included: see tools/environments.py.

IN := python3 tools/environments.py

# What `make test` runs on the oldest Python: the engine, which reads code with what that Python knows of the language;
# each command once, the errors that people cause, and the package.
ON_OLDEST := $(addprefix tests/test_,edit.py pattern.py plan.py source.py patchset.py patch_folder.py positions.py \
	packaging.py errors.py endings.py cli.py::test_there_and_back)

# Which releases `make matrix` goes through; all of them by default.
RELEASES := all

# The folder whose checkouts `make forks` examines.
DIR := .

.DEFAULT_GOAL := help
.PHONY: help demo test thorough lint format matrix forks fuzz faults breaks speed cost learning learning-check gpu installs pictures clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo:  ## patch a real release, distill a student with it in three modes, and take it all back
	$(IN) main python tools/demo.py

test: lint  ## lint, type-check, and test on every Python and PyTorch that is promised
	$(IN) cli-oldest python -m pytest -n auto -m "not slow" $(ON_OLDEST)
	$(IN) cli-newest python -m pytest -n auto -m "not training and not one_python and not slow"
	$(IN) runtime-oldest python -m pytest tests/test_losses.py tests/test_later_losses.py tests/test_response.py
	$(IN) main python -m pytest -n auto --durations 10 -m "(training or one_python) and not slow"

thorough: test  ## the same, with a release of every shape, and all that runs on the newest Python on the oldest
	$(IN) cli-oldest python -m pytest -n auto -m "not training and not one_python"
	$(IN) main python -m pytest -n auto --durations 10 -m slow

lint:  ## check style and types
	$(IN) main ruff check
	$(IN) main ruff format --check
	$(IN) main mypy

format:  ## rewrite the code in the project's style
	$(IN) main ruff check --fix
	$(IN) main ruff format

matrix:  ## check every ultralytics release, or RELEASES="8.3.0 8.4.0"
	$(IN) main python tools/matrix.py $(RELEASES)

forks:  ## show what distillpatch does with each checkout below DIR=FOLDER
	$(IN) main python tools/forks.py $(DIR)

fuzz:  ## try 10,000 broken files, states and journals each, and 500 edited checkouts
	DISTILLPATCH_FUZZ=10000 $(IN) main python -m pytest -n auto --dist worksteal --hypothesis-profile fuzz --durations 10 \
		tests/test_fuzz_engine.py tests/test_variants.py tests/test_state.py tests/test_journal.py tests/test_revert.py \
		-m "not training"

faults:  ## have every read of every run and recovery fail, once and for good
	DISTILLPATCH_FAULTS=1 $(IN) main python -m pytest -n auto --dist worksteal -rP tests/test_reads.py tests/test_failing_disks.py

breaks:  ## break each promise in a copy of the project, and require that a test notices
	$(IN) main python tools/breaks.py

speed:  ## measure how long a step takes with a teacher, compared with what it has to take
	$(IN) main python tools/step_time.py

cost:  ## measure what commands take, and how that grows with the size of a file
	$(IN) main python tools/startup.py
	$(IN) main python tools/cost.py

learning:  ## measure what students learn alone and from a teacher, and write docs/learning.md; goes on where it stopped
	$(IN) main python tools/learning.py run $(RUNS)

learning-check:  ## the same, short: fail if the default distillation makes students worse than alone
	$(IN) main python tools/learning.py check

gpu:  ## measure on a GPU what no CPU can show, and write docs/gpu.md; needs CUDA, takes 8 minutes
	$(IN) main python tools/gpu.py

installs:  ## install the clone by pipx, uv and pip, as README says, and use what that has installed
	$(IN) installers python tools/installs.py

pictures:  ## draw docs/pictures from what the commands print
	$(IN) main python tools/pictures.py

clean:  ## remove what the other targets left in the clone
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
