"""Tasks of lmms-eval as ours."""
