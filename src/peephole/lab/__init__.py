"""Convolution held in the hands: the ball, the echo, the image kernel, X or O."""
