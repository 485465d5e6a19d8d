"""Finding plugins, packs and settings."""
