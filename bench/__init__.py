"""One script per figure that peephole claims: `make bench`, or `python -m bench NAME...`; README.md here says how to read them."""
