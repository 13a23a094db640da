# `make bench` measures everything and writes docs/benchmarks.md; `make bench-NAME` runs benchmarks/NAME.py alone.
# An environment with modelwire[all] in it.
PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)
BENCHMARKS = event_streams engine snapshots imports first_text providers image_jobs one_event_a_write end_to_end transports

.PHONY: bench guard $(BENCHMARKS:%=bench-%)

bench: $(BENCHMARKS:%=bench-%)

$(BENCHMARKS:%=bench-%): bench-%:
	$(PYTHON) benchmarks/$*.py

# Whether something has become slow; a minute at most, and no other library is needed.
guard:
	$(PYTHON) benchmarks/guard.py
