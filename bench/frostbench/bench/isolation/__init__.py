"""`isolate=true`: methods whose code runs in a process of its own."""
