"""Controls: floors and ceilings of the tables, and methods from which something is taken away."""
