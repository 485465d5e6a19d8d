"""What methods share that read from a multimodal model's attention where a phrase is seen."""
