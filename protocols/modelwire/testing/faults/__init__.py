"""Tables of the faults that the kit tries: events, responses, inputs, broken connections."""
