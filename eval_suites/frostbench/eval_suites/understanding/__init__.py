"""The suite `understanding`: does the frozen language model read what the image became?"""
