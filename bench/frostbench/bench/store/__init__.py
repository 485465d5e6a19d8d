"""The store: writes and reads the folder of a run."""
