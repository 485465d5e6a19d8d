"""Images of the `mini` pack: glyph scenes, glyph portraits and photo crops, made on demand."""
