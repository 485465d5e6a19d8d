"""Controls: the floor and the ceiling of every table, and methods with something taken away."""
