"""Our suites as tasks of lmms-eval."""
