"""Training in steps that survive being killed, and the folders that keep its results."""
