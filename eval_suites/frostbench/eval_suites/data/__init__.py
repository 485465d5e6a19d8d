"""Readers of data sets: published ones in their own layouts, and users' own. No downloads."""
