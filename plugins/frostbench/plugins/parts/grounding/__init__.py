"""Parts of methods that find a phrase in an image from a multimodal model's attention."""
