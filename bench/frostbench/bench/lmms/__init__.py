"""lmms-eval in both directions: our methods and tasks in it, its tasks and results here.

Without the extra `lmms` nothing here is imported except the entry point, which lmms-eval itself
loads, and the reader of its results, which does not need it.
"""
