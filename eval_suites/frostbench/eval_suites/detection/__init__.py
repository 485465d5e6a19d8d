"""The suite `detection`: where in an image are things of the named classes or phrases?"""
