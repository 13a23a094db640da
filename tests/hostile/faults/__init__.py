"""What a hostile or broken server may do, as a table of scenarios, and what a good client makes of each."""
