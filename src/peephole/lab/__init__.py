"""Convolution in one's hands: a ball dropped twice, an echo, an image kernel; NumPy and SciPy only."""
