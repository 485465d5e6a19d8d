"""The suite `detection`: what is where in an image, of the classes or phrases that are named?"""
