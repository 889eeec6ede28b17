# The verbs of the project. `make` alone lists them; uv is used if it is there, else fetched into .tools/.
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
PYTHON := $(UV) run --quiet python
ARGS ?=
SUBMISSION ?= assignment
GRADE = $(PYTHON) -m pytest grader --submission $(SUBMISSION) $(if $(CONFIG),--config $(CONFIG)) $(if $(K),-k "$(K)") $(ARGS)
# pytest's 1 is a verdict, checks that did not pass, and no error of make's; every other code is one
JUDGED = || { code=$$?; test $$code -eq 1 || exit $$code; }
WORDS = awk -f grader/makefile.awk
# make itself would ignore a mistyped variable; what a verb takes stands in its help line
ifeq ($(MAKELEVEL),0)
GIVEN := $(foreach v,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(v)))),$(v)))
WRONG := $(shell $(WORDS) -v checking=1 -v given="$(GIVEN)" -v goals="$(MAKECMDGOALS)" $(firstword $(MAKEFILE_LIST)))
$(if $(WRONG),$(error $(WRONG)))
endif

.DEFAULT_GOAL := help
.PHONY: help env demo demo-bonus train sample test-level1 test-level2 test-level3 test-level4 test-level5 test-level6 \
        grade report submit clean

##@ Students

help:  ## list the verbs
	@$(WORDS) -v columns=$${COLUMNS:-80} $(MAKEFILE_LIST)
##: CONFIG=configs/fashion_mnist.yaml chooses the data set, SUBMISSION=folder is graded instead of assignment/,
##: K=shapes runs only the checks with that in their name, ARGS='training.epochs=2' adds arguments, and PYTHON=python
##: takes a Python of your own, as after pip.

demo: env  ## train the reference on small digits, draw samples, grade it: minutes on a CPU
	$(PYTHON) main.py --config configs/digits.yaml --solution
	$(PYTHON) -m grader reference --config configs/digits.yaml --trusted

demo-bonus: env  ## levels 5 and 6: train the reference with labels, draw each class, compare few steps: CONFIG=…
	$(PYTHON) main.py --config $(or $(CONFIG),configs/digits_conditional.yaml) --solution --sampler ddim \
	  training.resume=true
	$(PYTHON) -m grader.demo_bonus --config $(or $(CONFIG),configs/digits_conditional.yaml)

train: env  ## train assignment/model.py, then draw samples: CONFIG=…, ARGS=…
	$(PYTHON) main.py --config $(or $(CONFIG),configs/digits.yaml) $(ARGS)

sample: env  ## draw samples from the weights of an earlier run: CONFIG=…, ARGS=…
	$(PYTHON) main.py --config $(or $(CONFIG),configs/digits.yaml) $(ARGS) training.resume=true training.max_minutes=0

test-level1: env  ## grade your network, and samples of what you trained: SUBMISSION=…, CONFIG=…, K=…, ARGS=…
	@$(GRADE) -m level1 $(JUDGED)

test-level2: env  ## grade the loss of what you trained, against the reference's: SUBMISSION=…, CONFIG=…, K=…, ARGS=…
	@$(GRADE) -m level2 $(JUDGED)

test-level3: env  ## grade samples of what you trained on CIFAR-10: SUBMISSION=…, CONFIG=…, K=…, ARGS=…
	@$(GRADE) -m level3 $(JUDGED)

test-level4: env  ## grade your sampler: SUBMISSION=…, CONFIG=…, K=…, ARGS=…
	@$(GRADE) -m level4 $(JUDGED)

test-level5: env  ## grade your DDIM sampler, which is optional: SUBMISSION=…, CONFIG=…, K=…, ARGS=…
	@$(GRADE) -m level5 $(JUDGED)

test-level6: env  ## grade labels and guidance, which are optional: SUBMISSION=…, CONFIG=…, K=…, ARGS=…
	@$(GRADE) -m level6 $(JUDGED)

grade: env  ## grade all levels: the contract, then training, then the rest: SUBMISSION=…, CONFIG=…, ARGS=…
	$(PYTHON) -m grader $(SUBMISSION) --train $(if $(CONFIG),--config $(CONFIG)) $(ARGS)

report: env  ## show the last grading in the browser: each check, its hint, pictures: ARGS=…
	$(PYTHON) -m grader report --open $(ARGS)

submit: env  ## check your work, and pack it with its trained weights: outputs/submission.zip; SUBMISSION=…, CONFIG=…, ARGS=…
	$(PYTHON) -m grader submit $(SUBMISSION) $(if $(CONFIG),--config $(CONFIG)) $(ARGS)

# PYTHON=python: one of your own, with requirements.txt installed; uv isn't used then, and nothing is set up
ifneq ($(origin PYTHON),command line)
env: $(UV)  ## set up the environment, as every other verb does by itself; TORCH=cpu, TORCH=cuda: another build of torch
	@test -d .venv -a -z "$(TORCH)" || $(UV) run --no-project --quiet python grader/set_up.py $(UV) $(TORCH)
else
env: ;
endif

clean:  ## remove caches; outputs, data and the environment stay
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
	rm -rf .pytest_cache .ruff_cache .mypy_cache

# instructors: what follows, up to the closing mark, is not in what students receive
.PHONY: handout gradescope classroom50 reference reference-all reference-status features \
        test test-ci test-all prove attacks calibrate-checks calibrate-quality lint bench

##@ Instructors

handout: env  ## write what students receive, as an archive or a folder: TARGET=outputs/handout.zip, ARGS=…
	$(PYTHON) -m grader handout $(or $(TARGET),outputs/handout.zip) $(ARGS)

gradescope: env  ## write the zip to upload to Gradescope, which judges levels 1 and 4 without training: ARGS=…
	$(PYTHON) -m grader gradescope $(ARGS)

classroom50: env  ## write the same for Classroom 50, as a folder: TARGET=CLASSROOM/autograders/ASSIGNMENT
	$(PYTHON) -m grader classroom50 $(or $(TARGET),outputs/classroom50)

reference: env  ## train the reference and record what levels 1 to 3 compare with: CONFIG=…, ARGS='--seeds 3'
	$(PYTHON) -m grader.recording --config $(or $(CONFIG),configs/digits.yaml) $(ARGS)

reference-all: env  ## finish every provisional reference on this machine; says beforehand how long it takes: ARGS=…
	$(PYTHON) -m grader.recording --all $(ARGS)

reference-status: env  ## list what is recorded of the reference, and what of it is provisional
	$(PYTHON) -m grader.recording --status

features: env  ## train what samples are judged by, classifiers and the detector of damaged images: ARGS=digits
	$(PYTHON) -m grader.metrics.train_classifier $(ARGS)
	$(PYTHON) -m grader.metrics.train_damage $(ARGS)

##@ Developers of this project

test: env  ## run the project's own tests, on all cores
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest tests -n auto --dist loadfile --no-loadscope-reorder

test-ci: env  ## the same with what takes minutes: a student's training to full marks, a class on Slurm
	EVERY=ci $(MAKE) test

test-all: env  ## everything, before a release: with each attack within each wall, a GPU run rehearsed; an hour
	EVERY=1 $(MAKE) test

prove: env  ## is the grader right? grade the whole bank of right and wrong submissions
	$(PYTHON) -m tests.proof.prove

attacks: env  ## is it hard to cheat? grade all hostile submissions, within each wall and without
	EVERY=1 OMP_NUM_THREADS=1 $(PYTHON) -m pytest tests/submission/test_hostile.py \
	  tests/submission/test_training_ends.py tests/suite/test_secret.py

calibrate-checks: env  ## how often does chance fail a right submission? an hour; resumes where it stopped: ARGS=…
	$(PYTHON) -m tests.proof.calibrate $(ARGS)

calibrate-quality: env  ## how often are trained networks misjudged? half an hour, on digits; resumes where it stopped
	$(PYTHON) -m tests.proof.calibrate_quality

lint: env  ## check style and formatting
	$(UV) run --quiet ruff check . && $(UV) run --quiet ruff format --check . && $(UV) run --quiet mypy

bench: env  ## measure speed beside a plain baseline: CONFIG=…, ARGS='--beside 4'
	$(PYTHON) -m tests.bench --config $(or $(CONFIG),configs/digits.yaml) $(ARGS)

# /instructors

.tools/bin/uv:
	@echo "uv is not installed: fetching a copy of our own into .tools/"
	@python3 -m venv .tools || { echo "python3 -m venv failed: install uv, or your system's python3-venv package" >&2; exit 1; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv
