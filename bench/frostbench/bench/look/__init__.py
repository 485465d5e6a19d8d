"""`frostbench look`: one image in the words of methods, in the terminal and on a page."""
