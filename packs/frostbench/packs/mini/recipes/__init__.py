"""Recipes that train the parts of the `mini` pack."""
