"""A table of scenarios: the faults of a hostile or broken server, and how a good client ends in each."""
