"""What several methods do on the way from images to tokens."""
