"""The suite `grounding`: where in an image is what the words refer to?"""
