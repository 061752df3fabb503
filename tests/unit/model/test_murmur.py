"""The hash is the one that Guava prints."""

import pytest

from batuta.model.murmur import murmur3_text


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("", "00000000000000000000000000000000"),
        ("hello", "029bbd41b3a7d8cb191dae486a901e5b"),
        ("The quick brown fox jumps over the lazy dog", "6c1b07bc7bbc4be347939ac4a93c437a"),
    ],
)
def test_known_texts(text: str, digits: str) -> None:
    assert murmur3_text(text) == digits


def test_every_length_of_the_last_block_counts() -> None:
    texts = ["ä" * length for length in range(40)]
    assert len({murmur3_text(text) for text in texts}) == len(texts)
