"""`python -m peephole` is the `peephole` command."""

from peephole.cli.main import main

main()
