"""The suite `restoration`: can a frozen language model repair a corrupted image?"""
