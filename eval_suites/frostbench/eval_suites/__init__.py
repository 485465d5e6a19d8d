"""Suites, tasks, metrics, data sets; the runner, the store, statistics, leaderboard and CLI."""
