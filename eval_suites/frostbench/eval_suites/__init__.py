"""Suites, tasks, metrics, controls and readers of data sets."""
