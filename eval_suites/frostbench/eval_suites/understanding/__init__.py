"""The suite `understanding`: can a frozen language model understand an image's tokens?"""
