"""The clients that are compared, one module each, by task: `streams`, `providers` and `jobs`.

The modules beside these folders are shared. Each client's `run` takes a base URL, a model, the number of streams (or
answers, or jobs), and a callback; a module with several variants has `run_over(variant)`, which returns such a `run`.
"""
