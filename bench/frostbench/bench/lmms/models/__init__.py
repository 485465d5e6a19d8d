"""Our methods as models of lmms-eval."""
