"""Packs that come with frostbench."""
