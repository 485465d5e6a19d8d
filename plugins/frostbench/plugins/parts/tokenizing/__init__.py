"""Steps from images to tokens that several methods share."""
