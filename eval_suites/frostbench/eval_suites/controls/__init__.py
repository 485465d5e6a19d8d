"""Controls: the floor and the ceiling of every table, answered without a language model."""
