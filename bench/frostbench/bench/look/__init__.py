"""Words to look at: what methods make of one picture, in the terminal and on a page."""
