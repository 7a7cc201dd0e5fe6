"""From a network to a model file; needs PyTorch."""
