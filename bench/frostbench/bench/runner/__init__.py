"""The runner: a plan executed once, into a folder that can be resumed, scored again, verified."""
