"""Text from outside on one line: what would end a line, move a cursor or turn the writing round is spelt out."""

__all__ = ["one_line"]


def one_line(text: str) -> str:
    """Return `text` with every letter that does not print spelt out by its code, so that no name can forge a line of a log or a screen."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _spelt(ord(letter)) for letter in text)


def _spelt(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
