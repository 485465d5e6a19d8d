"""Methods whose verbs run in a process of their own."""
