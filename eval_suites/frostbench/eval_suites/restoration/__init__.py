"""The suite `restoration`: does the frozen language model mend what is wrong with an image?"""
