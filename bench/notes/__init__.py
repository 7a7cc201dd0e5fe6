"""What the course notes claim, one file per claim; `python -m bench claims` measures them all."""
