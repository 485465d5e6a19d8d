"""The pack's glyphs and photographs, cut and packed."""
