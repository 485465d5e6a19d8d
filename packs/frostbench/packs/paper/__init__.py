"""The parts of the published packs, and the settings of published tables; no weights."""
