"""The pack's CLIP, trained on scenes and their captions."""
