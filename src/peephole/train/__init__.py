"""From arrays to a trained network; needs PyTorch."""
