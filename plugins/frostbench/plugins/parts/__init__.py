"""What several methods build on."""
