"""lmms-eval in both directions: our methods and tasks in it, its tasks and results here.

Nothing here is imported where the extra `lmms` is missing, but for the entry point, which lmms-eval
itself loads, and the reader of its results, which needs it not.
"""
