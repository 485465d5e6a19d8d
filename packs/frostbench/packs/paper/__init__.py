"""What the published packs consist of, and the settings behind published tables; no weights."""
