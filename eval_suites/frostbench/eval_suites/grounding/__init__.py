"""The suite `grounding`: where in a picture is what the words speak of?"""
