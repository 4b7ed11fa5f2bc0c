"""The demo: three brands with a year of history, made from a fixed seed."""
