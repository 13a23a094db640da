"""The subcommands of `modelwire`, one file each."""
