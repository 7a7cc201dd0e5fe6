"""The networks, drawn from named blocks; needs PyTorch."""
