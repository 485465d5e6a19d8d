"""Words to look at: what methods make of one image, in the terminal and on a page."""
