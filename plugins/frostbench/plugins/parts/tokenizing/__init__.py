"""From images to tokens, as several methods do it."""
