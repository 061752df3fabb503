"""Lines of a script that are messages, and those that are not (06 §2)."""

from typing import Any

import pytest

from batuta.plugins.script.output import LineCutter
from batuta.plugins.script.stdout import ScriptMetric, parse_line


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "::not json::",
        'before ::{"outputs":{"n":6}}:: after',
        '::{"outputs":{"n":1}}',
        '{"outputs":{"n":1}}::',
        ' ::{"outputs":{"n":1}}::',
        '::{"outputs":{"n":1}}:: ',
        "::set-output name=::x",
        "::set-output x=1::y",
        "##{}##",
        "",
    ],
)
def test_an_ordinary_line_is_no_message(line: str) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize(
    ("line", "outputs"),
    [
        (
            '::{"outputs":{"n":5,"l":[1,2],"m":{"a":true},"z":null}}::',
            {"n": 5, "l": [1, 2], "m": {"a": True}, "z": None},
        ),
        ('::{"outputs":{"text":"a::b}::c"}}::', {"text": "a::b}::c"}),
        ("::{}::", {}),
        ('::{"state":"FAILED","other":1}::', {}),
        ("::set-output name=K::V", {"K": "V"}),
        ("::set-output name=some-key::a::b c", {"some-key": "a::b c"}),
        ("::set-output name=empty::", {"empty": ""}),
    ],
)
def test_a_message_gives_outputs(line: str, outputs: dict[str, Any]) -> None:
    message = parse_line(line)
    assert message is not None
    assert message.outputs == outputs


def test_a_message_gives_metrics_and_logs() -> None:
    message = parse_line(
        '::{"metrics":[{"name":"rows","type":"counter","value":3,"tags":{"a":"b","n":1}},'
        '{"name":"t","type":"timer","value":"PT1M0.5S"},{"name":"t","type":"timer","value":2.5},'
        '{"name":"g","type":"gauge","value":"7"}],"logs":[{"level":"warn","message":"slow"}]}::'
    )
    assert message is not None
    assert message.metrics == (
        ScriptMetric("counter", "rows", 3, {"a": "b", "n": "1"}),
        ScriptMetric("timer", "t", 60.5, {}),
        ScriptMetric("timer", "t", 2.5, {}),
        ScriptMetric("gauge", "g", 7, {}),
    )
    assert message.logs == (("WARN", "slow"),)


@pytest.mark.parametrize(
    "line",
    [
        "::{broken}::",
        '::{"outputs":[1]}::',
        '::{"metrics":[{"name":"x","type":"histogram","value":1}]}::',
        '::{"metrics":[{"type":"counter","value":1}]}::',
        '::{"metrics":[{"name":"x","type":"counter","value":"many"}]}::',
        '::{"metrics":{"name":"x"}}::',
        '::{"metrics":[{"name":"x","type":"counter","value":1,"tags":[1]}]}::',
        '::{"outputs":' + '{"a":' * 5000 + "1" + "}" * 5000 + "}::",
        '::{"logs":[{"level":"LOUD","message":"x"}]}::',
    ],
)
def test_a_message_that_nobody_understands_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_line(line)


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a", b"b\nc"], ["ab", "c"]),
        ([b"\n\n"], ["", ""]),
        ([b"a\r\n", b"b\r"], ["a", "b"]),
        (["ä€".encode()[:1], "ä€".encode()[1:3], "ä€".encode()[3:] + b"\n"], ["ä€"]),
        ([b"\xff\n"], ["\ufffd"]),
        ([], []),
    ],
)
def test_bytes_are_cut_into_lines(chunks: list[bytes], lines: list[str]) -> None:
    found: list[str] = []
    cutter = LineCutter(found.append)
    for chunk in chunks:
        cutter.feed(chunk)
    cutter.close()
    assert found == lines
