"""lmms-eval, both ways: our methods as its models, our suites as its tasks, its tasks as ours.

Nothing here is imported where the extra `lmms` is missing, but for the entry point, which lmms-eval
itself loads, and the reader of its results, which needs it not.
"""
