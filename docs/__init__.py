"""The pages, and the code that writes those that the code itself can say."""
