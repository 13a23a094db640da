"""The clients that are compared, one file each: `run` reads streams and hands on each piece of text."""
