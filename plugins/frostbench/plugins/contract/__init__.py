"""What crosses the interface between methods, tasks, metrics, packs and the bench."""
