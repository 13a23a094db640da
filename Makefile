# `make bench` runs every benchmark and writes the tables of docs/benchmarks.md and docs/transports.md.
# `make bench-NAME` runs benchmarks/NAME.py alone.
# PYTHON is the interpreter of an environment with modelwire[all].
PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)
BENCHMARKS = event_streams engine snapshots imports first_text providers image_jobs one_event_a_write end_to_end transports

.PHONY: bench guard $(BENCHMARKS:%=bench-%)

bench: $(BENCHMARKS:%=bench-%)

$(BENCHMARKS:%=bench-%): bench-%:
	$(PYTHON) benchmarks/$*.py

# Check that nothing has become slow. Takes a minute at most, and needs no other library.
guard:
	$(PYTHON) benchmarks/guard.py
