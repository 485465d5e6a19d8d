"""The pack's multimodal model."""
