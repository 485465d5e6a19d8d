"""The suite `understanding`: does the frozen language model read what the picture became?"""
