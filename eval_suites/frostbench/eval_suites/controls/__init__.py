"""Controls: floors and ceilings of the tables, and methods with something taken away."""
