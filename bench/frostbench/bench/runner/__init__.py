"""The runner: executes a plan into a folder that can be resumed, rescored and verified."""
