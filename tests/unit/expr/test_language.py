"""Rules of the language beyond the recorded cases: one template, its variables and its result in a row."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from batuta.expr import Context, EnumName, ExpressionError, NullHost, compile_template, render
from batuta.expr.temporal import (
    Duration,
    Instant,
    LocalDate,
    LocalDateTime,
    ZonedDateTime,
    find_zone,
)
from batuta.expr.temporal.calendar import from_epoch_day

PARIS = find_zone("Europe/Paris")
VALUES: dict[str, Any] = {
    "text": "aBc ",
    "rows": ["a", "b"],
    "m": {"a": 1, "b": {"c": [1, {"d": "x"}]}},
    "n": 5,
    "f": 2.5,
    "d": Decimal("10.50"),
    "on": True,
    "nothing": None,
    "state": EnumName("RUNNING"),
    "zoned": ZonedDateTime.of(Instant(1_709_615_228, 123_456_789), PARIS),
    "instant": Instant(1_709_615_228, 123_456_789),
    "day": LocalDate.of(2024, 2, 29),
    "local": LocalDateTime(LocalDate.of(2024, 3, 5), 3_600_000_000_000 * 7),
    "span": Duration(93_784, 500_000_000),
    "back": Duration(-5, 500_000_000),
    "data": b"abc",
    "slash": "\\",
}

RESULTS = [
    # members
    ("{{ text.length }} {{ text.trim() }} {{ text.strip() }}", "4 aBc aBc"),
    ("[{{ text.stripTrailing() }}] {{ text.isBlank }} {{ text.isEmpty() }}", "[aBc] false false"),
    ("{{ 'abc'.concat('d') }} {{ 'abc'.indexOf('c') }} {{ 'a😀c'.indexOf('c') }}", "abcd 2 3"),
    ("{{ 'abc'.replaceAll('[ab]', '<$0>') }} {{ 'abc'.matches('[a-c]+') }}", "<a><b>c true"),
    ("{{ 'abc'.hashCode() }} {{ 'ABC'.equalsIgnoreCase('abc') }}", "96354 true"),
    ("{{ rows.size() }} {{ rows.first }} {{ rows.last }} {{ rows.indexOf('z') }}", "2 a b -1"),
    ("{{ m.keySet() }} {{ m.values() | length }} {{ m.containsKey('a') }}", '["a","b"] 2 true'),
    ("{{ m.get('zz') is null }} {{ m.containsValue(1) }} {{ m.isEmpty() }}", "true false false"),
    (
        "{{ n.longValue() | className }} {{ f.intValue }} {{ n.doubleValue() }}",
        "java.lang.Long 2 5.0",
    ),
    (
        "{{ f.isNaN }} {{ f.isInfinite() }} {{ n.floatValue() | className }}",
        "false false java.lang.Float",
    ),
    (
        "{{ state.name }} {{ state ~ '' }} {{ [state] }} {{ on.booleanValue() }}",
        'RUNNING RUNNING ["RUNNING"] true',
    ),
    (
        "{{ zoned.year }} {{ zoned.month }} {{ zoned.dayOfYear }} {{ zoned.hour }}",
        "2024 MARCH 65 6",
    ),
    (
        "{{ zoned.minute }} {{ zoned.second }} {{ zoned.nano }} {{ zoned.offset }}",
        "7 8 123456789 +01:00",
    ),
    (
        "{{ zoned.zone }} {{ zoned.toInstant() }} {{ zoned.toEpochSecond() }}",
        "Europe/Paris 2024-03-05T05:07:08.123456789Z 1709615228",
    ),
    (
        "{{ zoned.toLocalDateTime() }} {{ zoned.toLocalTime() }}",
        "2024-03-05T06:07:08.123456789 06:07:08.123456789",
    ),
    (
        "{{ instant.epochSecond }} {{ instant.toEpochMilli() }} {{ instant.nano }}",
        "1709615228 1709615228123 123456789",
    ),
    (
        "{{ day.lengthOfMonth() }} {{ day.isLeapYear() }} {{ day.leapYear }} {{ day.toEpochDay() }}",
        "29 true true 19782",
    ),
    ("{{ local.toLocalDate() }} {{ local.hour }} {{ local }}", "2024-03-05 7 2024-03-05T07:00"),
    (
        "{{ span }} {{ span.toHours() }} {{ span.toMinutes() }} {{ span.toDays() }}",
        "PT26H3M4.5S 26 1563 1",
    ),
    (
        "{{ span.toMillis() }} {{ span.seconds }} {{ span.isZero }} {{ back }} {{ back.negative }}",
        "93784500 93784 false PT-4.5S true",
    ),
    ("{% for e in m.entrySet() %}{{ e.key }}{{ e.getKey() }}{% endfor %}", "aabb"),
    # operators
    ("{{ d + 1 }} {{ d * 2 }} {{ d / 4 }} {{ d % 3 }} {{ d - 0.5 }}", "11.5 21.00 2.625 1.5 10.0"),
    ("{{ -d }} {{ +d }} {{ -f }} {{ +n }} {{ -n }}", "-10.50 10.50 -2.5 5 -5"),
    ("{{ '1.5' | number + '2.5' | number }} {{ -('1.5' | number) }}", "4.0 -1.5"),
    ("{{ 5.5 % 2 }} {{ -5.5 % 2 }} {{ 1.0 % 0.0 }}", "1.5 -1.5 NaN"),
    ("{{ n / 2 }} {{ n % 2 }} {{ n * 2 }} {{ n - 7 }}", "2 1 10 -2"),
    ("{{ rows - rows }} {{ [1, 2, 1] - 1 }} {{ [1, 2, 3] - [1, 3] }}", "[] [2,1] [2]"),
    ("{{ f > 2 }} {{ f <= 2.5 }} {{ d == 10.5 }} {{ n != 5 }}", "true true true false"),
    (
        "{{ [1, [2, {'a': 3}]] == [1, [2, {'a': 3}]] }} {{ m == m }} {{ rows == 'a' }}",
        "true true false",
    ),
    (
        "{{ {'a': 1} == {'a': 2} }} {{ {'a': 1} == {'b': 1} }} {{ {'a': 1} == [1] }}",
        "false false false",
    ),
    ("{{ ('a,b' | split(',')) == ('a,b' | split(',')) }}", "false"),
    (
        "{{ state == 'RUNNING' }} {{ 'RUNNING' == state }} {{ 'x' == ('x' | first) }}",
        "true false false",
    ),
    ("{{ rows contains 'a' }} {{ m contains 'a' }} {{ {1: 2} contains 1 }}", "true true true"),
    (
        "{{ nothing contains 'a' }} {{ 'abc' contains n }} {{ rows contains rows }}",
        "false false true",
    ),
    ("{{ n isIn {5: 'x'} }} {{ 'x' isIn {5: 'x'} }} {{ n isIn 'abc5' }}", "true true false"),
    (
        "{{ f ? 'y' : 'n' }}{{ 0.0 ? 'y' : 'n' }}{{ nothing ? 'y' : 'n' }}{{ 'x' ? 'y' : 'n' }}",
        "ynny",
    ),
    ("{{ on and n }} {{ '' or nothing is null }} {{ not nothing is null }}", None),
    ("{{ 1..n }} {{ 'a'..'c' }} {{ 5..1 }}", '[1,2,3,4,5] ["a","b","c"] []'),
    # access
    ("{{ m.b.c[1].d }} {{ m['b']['c'][0] }} {{ m.b.c['1'].d }}", "x 1 x"),
    ("{{ {1: 'a', 2: 'b'} | length }} {{ ({1.5: 'a'})[1.5] }}", "2 a"),
    (
        "{{ m.zz ?? 'd' }} {{ m.b.zz.y ?? 'd' }} {{ rows[7] ?? 'd' }} {{ text.zz ?? 'd' }}",
        "d d d d",
    ),
    ("{{ m.b.c.d ?? 'd' }} {{ n.x.y.z ?? 'd' }} {{ nothing.a.b.c ?? 'd' }}", "d d d"),
    # tags
    ("{% for x in rows %}{{ x | upper }}{{ loop.last ? '' : ',' }}{% endfor %}", "A,B"),
    (
        "{% for x in [{'k': 1}, {'k': 'b'}] %}{{ x.k }}{{ loop.revindex }}{{ loop.length }}{{ loop.first }} {% endfor %}",
        "112true b02false ",
    ),
    ("{% for x in rows %}{{ n }}{{ x }}%{{ loop.last }}{% endfor %}", "5a%false5b%true"),
    ("{% for x in rows %}{{ x | slice(0, 1) | upper }}-{% endfor %}", "A-B-"),
    ("{% for x in [1, null, 2.5, [1]] %}[{{ x }}]{% endfor %}", "[1][][2.5][[1]]"),
    ("{% for x in rows %}{{ 'k' }}{{ m.a }}{% endfor %}", "k1k1"),
    ("{% for x in rows %}{% endfor %}{% for x in rows %}-{% endfor %}", "--"),
    (
        "{% for x in rows %}{% for y in rows %}{{ x }}{{ y }}{{ loop.index }} {% endfor %}{% endfor %}",
        "aa0 ab1 ba0 bb1 ",
    ),
    (
        "{% for x in m %}{{ x.key }}={{ x.value }} {% endfor %}{{ x ?? 'gone' }}",
        'a=1 b={"c":[1,{"d":"x"}]} gone',
    ),
    ("{% for loop in rows %}{{ loop }}{% endfor %}", None),
    (
        "{% for x in rows %}{% set y = x %}{{ render('{' ~ '{ loop.index }' ~ '}') }}{% endfor %}",
        "01",
    ),
    ("{% set x = 1 %}{% for x in rows %}{{ x }}{% endfor %}{{ x }}", "ab1"),
    ("{% macro f(a, b=a) %}{{ a }}{{ b }}{{ nothing2 ?? '' }}{% endmacro %}{{ f(1) }}", "11"),
    (
        "{% macro f() %}{{ [1, null] }}{{ null }}{{ d2 ?? 1.50 }}{% endmacro %}{{ f() }}",
        "[1, null]1.5",
    ),
    ("{% block a %}{{ rows }}{% endblock %} {{ block('a') }}{{ block(5) }}", '["a","b"] [a, b]'),
    ("{% block 'q' %}x{% endblock q %}{{ block('q') }}", "xx"),
    ("{% filter length %}abc{% for x in rows %}{{ x }}{% endfor %}{% endfilter %}", "5"),
    ("{% if n > 3 and on %}{% if not on %}a{% else %}b{% endif %}{% elseif on %}c{% endif %}", "b"),
    ("{% set x %}", None),
    ('{{ "#{n}#{text}-#{nothing}" }}{{ "\\\\" }}', "5aBc -\\\\"),
    ("a{#- x -#} b {%- if on -%} c {%- endif -%} d", "abcd"),
    # filters
    ("{{ ['b', 'a'] | sort | first }}{{ [2.5, 0.0 / 0, 1.0] | sort }}", 'a[1.0,2.5,"NaN"]'),
    ("{{ [day, day] | sort }}", '["2024-02-29","2024-02-29"]'),
    (
        "{{ [1.5, 1.5, [1], [1], {'a': 1}, null, null, 1, 1] | distinct }}",
        "[1.5,[1],{},null,1]".replace("{}", '{"a":1}'),
    ),
    ("{{ 'a-b_c  d' | slugify }} {{ '' | slugify }}", "a-b-c-d "),
    ("{{ 'abc' | substringAfter('') }} {{ 'abc' | substringBefore('') }}|", "abc |"),
    ("{{ 'abc' | substringAfterLast('') }}|{{ 'abc' | substringBeforeLast('') }}", "|abc"),
    ("{{ 'abc' | substringBefore(null) }}|{{ 'abc' | substringAfter(null) }}|", "abc||"),
    ("{{ 'ab' | split('') | join('|') }} {{ 'a1b2' | split('[0-9]', -1) | length }}", "a|b 3"),
    (
        "{{ 'aXbX' | split('X') }} {{ 'XaX' | split('X') }} {{ 'abc' | split('z') }}",
        '["a","b"] ["","a"] ["abc"]',
    ),
    (
        "{{ 'x' | replace({'x': '\\$'}, true) }} {{ 'ab' | replace({'(?<n>a)': '${n}!'}, true) }}",
        "$ a!b",
    ),
    (
        "{{ 'abc' | replace({'\\w': '.'}, true) }} {{ 'a.b' | replace({'\\.': ''}, true) }}",
        "... ab",
    ),
    ("{{ 'É' | urlencode }} {{ '%C3%89+x' | urldecode }}", "%C3%89 É x"),
    (
        "{{ '0x10' | number }} {{ '-0x10' | number }} {{ '0xFFFFFFFF' | number | className }}",
        "16 -16 java.lang.Long",
    ),
    (
        "{{ '0xFFFFFFFFFFFFFFFFF' | number | className }} {{ '12l' | number | className }}",
        "java.math.BigInteger java.lang.Long",
    ),
    (
        "{{ '99999999999999999999L' | number | className }} {{ '1.5d' | number }} {{ '1e400d' | number | className }}",
        "java.math.BigInteger 1.5 java.math.BigDecimal",
    ),
    (
        "{{ '1e39f' | number | className }} {{ '012' | number }} {{ '-012' | number }}",
        "java.lang.Double 10 -10",
    ),
    (
        "{{ '5' | number('LONG') | className }} {{ '5' | number('BIGINTEGER') + 1 }}",
        "java.lang.Long 6",
    ),
    (
        "{{ 'NaN' | number('DOUBLE') }} {{ '-Infinity' | number('FLOAT') }} {{ '1.5' | number('BIGDECIMAL') }}",
        "NaN -Infinity 1.5",
    ),
    (
        "{{ '1.5f' | number('DOUBLE') }} {{ -5 | abs }} {{ n | abs }} {{ '-1.5' | number | abs }} {{ d | abs }}",
        "1.5 5 5 1.5 10.50",
    ),
    (
        "{{ data | toJson }} {{ [state, day, local, span] | toJson }}",
        '"YWJj" ["RUNNING","2024-02-29","2024-03-05T07:00:00",93784.500000000]',
    ),
    (
        "{{ {'a': [1, {'b': null}], 'c': {}, 'd': []} | yaml }}",
        "a:\n - 1\n -\n  b: null\nc: {}\nd: []\n",
    ),
    (
        "{{ [[1, [2]], day, 1.0, 'a: b', '', true] | yaml }}",
        ' -\n   - 1\n   -\n     - 2\n - 2024-02-29\n - 1.0\n - "a: b"\n - ""\n - true\n',
    ),
    (
        "{{ '- x' | yaml }}{{ 'a\t' | yaml }}{{ 'l1\nl2\n' | yaml }}{{ ' x\ny' | yaml }}",
        '\'- x\'\n"a\\t"\n|\n  l1\n  l2\n" x\\ny"\n',
    ),
    (
        "{{ {'a b': [1.5, null, 'x'], 'null': {}} | toIon }} {{ [] | toIon }}",
        "{'a b':[1.5e0,null,\"x\"],'null':{}} []",
    ),
    ("{{ d | toIon }} {{ 1.0E2 ?? 1 }}", None),
    (
        "{{ [data, day] | toIon }} {{ (1.0 / 0) | toIon }} {{ (0.0 / 0) | toIon }}",
        '[{{YWJj}},"2024-02-29"] +inf nan',
    ),
    ("{{ fromIon(\"{a: 1, 'b c': [2.5, 1e2, 0x1F, 0b11, 1_000], // x\\n d: null.int}\") }}", None),
    (
        "{{ fromIon('{a: 1, \"b\": [2.5, 1e2, 0x1F, 0b11, 1_000, (x y)], /* c */ d: null.int, e: t::5, f: 2d1}') }}",
        '{"a":1,"b":[2.5,100.0,31,3,1000,["x","y"]],"e":5,"f":2E+1}',
    ),
    (
        "{{ fromIon('[true, false, nan, +inf, -inf, 2024-01-01T, 2024-01-01T10:00Z, a::\"x\"]') }}",
        '[true,false,"NaN","Infinity","-Infinity","2024-01-01","2024-01-01T10:00Z","x"]',
    ),
    (
        "{{ fromIon('\"a\\n\\x41\\u00e9\\\\\"') }} {{ fromIon('{{YWJj}}') }} {{ fromIon('{{\"ab\"}}') }}",
        'a\nAé\\ "YWJj" "YWI="',
    ),
    (
        "{{ fromIon(\"'''long ''' '''text'''\") }} {{ fromIon(\"'sym'\") }} {{ fromIon('\"x\"::5') }}",
        "long text sym 5",
    ),
    # functions
    ("{{ max(1.5, n, nothing) }} {{ min(n, 2) }} {{ range('c', 'a', -1) }}", '5 2 ["c","b","a"]'),
    (
        "{{ i18n is defined }}{{ uuid() | length }}{{ id() | length }}{{ ksuid() | length }}",
        "false362227",
    ),
    (
        "{{ iterationOutput('t') is null }}{{ appLink(baseUrl='http://h') }}",
        "truehttp://h/ui/main/executions/None/None/None",
    ),
    ("{{ fromJson('  {\"a\": [1.0, 1e2, 12345678901]} x') }}", '{"a":[1.0,100.0,12345678901]}'),
    # numbers by pattern
    (
        "{{ 0.5 | numberFormat('#.##') }} {{ 0 | numberFormat('0.') }} {{ 5 | numberFormat('#,##0.###') }}",
        "0.5 0. 5",
    ),
    (
        "{{ 1234.5 | numberFormat(\"'#'#,##0.0 'x'''\") }} {{ 0.1234 | numberFormat('0.0‰') }}",
        "#1,234.5 x' 123.4‰",
    ),
    (
        "{{ (0.0 / 0) | numberFormat('0') }} {{ (1.0 / 0) | numberFormat('0') }} {{ (-1.0 / 0) | numberFormat('0') }}",
        "NaN ∞ -∞",
    ),
    (
        "{{ 12345 | numberFormat('00.###E0') }} {{ 0 | numberFormat('0.0E0') }} {{ 0.00001 | numberFormat('##0.#E0') }}",
        "12.345E3 0.0E0 10E-6",
    ),
    (
        "{{ d | numberFormat('0.0') }} {{ -1 | numberFormat('0;0') }} {{ -1 | numberFormat('0-') }}",
        "10.5 -1 -1-",
    ),
]


@pytest.mark.parametrize(("text", "expected"), RESULTS, ids=range(len(RESULTS)))
def test_a_template_gives(text: str, expected: str | None) -> None:
    context = Context(VALUES, NullHost(now=Instant(1_700_000_000)))
    if expected is None:
        # A result or an error: what counts is that nothing else is raised.
        with suppress(ExpressionError):
            compile_template(text).render(context)
    else:
        assert render(text, context) == expected


FAILURES = [
    ("{{ text.getClass() }}", "evaluation"),
    ("{{ text.foo() }}", "missing_variable"),
    ("{{ nothing.foo() }}", "missing_variable"),
    ("{{ text.startsWith(1) }}", "missing_variable"),
    ("{{ text.startsWith(x=1) }}", "syntax"),
    ("{{ text.replaceAll('(', '') }}", "runtime"),
    ("{{ [].first }}", "syntax"),
    ("{{ ([]).first }}", "runtime"),
    ("{{ m[1] }}", "evaluation"),
    ("{{ ({})[1] }}", "runtime"),
    ("{{ m[null] }}", "runtime"),
    ("{{ m[rows] }}", "missing_variable"),
    ("{{ {rows: 1} }}", "runtime"),
    ("{{ n() }}", "evaluation"),
    ("{{ 'a' - 1 }}", "evaluation"),
    ("{{ +'a' }}", "runtime"),
    ("{{ d / 0 }}", "evaluation"),
    ("{{ (1.0 / 0) + d }}", "evaluation"),
    ("{{ rows > 1 }}", "evaluation"),
    ("{{ not rows }}", "evaluation"),
    ("{{ rows and on }}", "runtime"),
    ("{{ on or nothing and rows }}{{ nothing and on }}", "evaluation"),
    ("{% if rows %}{% endif %}", "evaluation"),
    ("{% for x in n %}{% endfor %}", "evaluation"),
    ("{% for x in rows %}{{ x.k }}{% endfor %}", "missing_variable"),
    ("{% for x in rows %}{{ x | abs }}{% endfor %}", "evaluation"),
    ("{% for x in rows %}{{ x | nope }}{% endfor %}", "evaluation"),
    ("{% for x in rows %}{{ x | default(1, 2) }}{% endfor %}", "evaluation"),
    ("{{ 1..'a' }}", "evaluation"),
    ("{{ range(1, 2, 'x') }}", "evaluation"),
    ("{{ range(1, 9999999) }}", "evaluation"),
    ("{{ 'a' is even }}", "runtime"),
    ("{{ null is odd }}", "evaluation"),
    ("{{ 1 is json }}", "runtime"),
    ("{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "evaluation"),
    ("{% macro f(a) %}{% endmacro %}{{ f(b=2) }}", "evaluation"),
    ("{% macro f %}{% endmacro %}", "syntax"),
    ("{% block a %}", "runtime"),
    ("{% if on %}{% else %}", "syntax"),
    ("{% for x in rows %}", "syntax"),
    ("{% verbatim %}", "syntax"),
    ("{# x", "syntax"),
    ('{{ "a#{1', "syntax"),
    ('{{ "a#{1}', "syntax"),
    ("{{ (1 }}", "syntax"),
    ("{{ 1) }}", "syntax"),
    ("{{ [1) }}", "syntax"),
    ("{{ a(1", "syntax"),
    ("{{ 'x' | split }}", "evaluation"),
    ("{{ 'x' | split(',', 'a') }}", "runtime"),
    ("{{ 'x' | replace({'x': '$9'}, true) }}", "runtime"),
    ("{{ 'x' | replace({'x': slash}, true) }}", "runtime"),
    ("{{ 'x' | replace({'x': '${a'}, true) }}", "runtime"),
    ("{{ 'x' | replace({'x': '${a}'}, true) }}", "runtime"),
    ("{{ 'x' | replace({'x': 'y'}, 'z') }}", "runtime"),
    ("{{ 'x' | replace({'x{a}': ''}, true) }}", "runtime"),
    ("{{ 'x' | replace({'x{99999}': ''}, true) }}", "runtime"),
    ("{{ 'x' | replace({'[x': ''}, true) }}", "runtime"),
    ("{{ 'x' | replace({'[]x]': ''}, true) }}", "runtime"),
    ("{{ 'x' | replace({'\\p{': ''}, true) }}", "runtime"),
    ("{{ 'x' | replace({'\\k': ''}, true) }}", "runtime"),
    ("{{ 'x' | replace({'\\y': ''}, true) }}", "runtime"),
    ("{{ 'x' | indent('a') }}", "runtime"),
    ("{{ 5 | number }}", "evaluation"),
    ("{{ '1.x' | number }}{{ 1 }}", "runtime"),
    ("{{ '099' | number }}", "runtime"),
    ("{{ 'xf' | number }}", "runtime"),
    ("{{ '1x' | number('DOUBLE') }}", "runtime"),
    ("{{ '1x' | number('BIGDECIMAL') }}", "runtime"),
    ("{{ '1.5' | number('BIGINTEGER') }}", "runtime"),
    ("{{ '9999999999' | number('INT') }}", "runtime"),
    ("{{ 'a' | base64decode }}", "evaluation"),
    ("{{ '====' | base64decode }}", "evaluation"),
    ("{{ 5 | numberFormat('0#') }}", "runtime"),
    ("{{ 5 | numberFormat('#0#0.') }}", "runtime"),
    ("{{ 5 | numberFormat('#,') }}", "runtime"),
    ('{{ 5 | numberFormat("\'x0") }}', "runtime"),
    ("{{ 5 | numberFormat('0.0.0') }}", "runtime"),
    ("{{ 5 | numberFormat('0 0') }}", "runtime"),
    ("{{ rows | slice('a') }}", "runtime"),
    ("{{ m | slice(1) }}", "evaluation"),
    ("{{ rows | merge(5) }}", "evaluation"),
    ("{{ m | merge(5) }}", "runtime"),
    ("{{ ('a' | split(',')) | merge(rows) }}", "evaluation"),
    ("{{ 5 | merge(rows) }}", "evaluation"),
    ("{{ [m, m] | sort }}", "runtime"),
    ("{{ [rows, rows] | sort }}", "runtime"),
    ("{{ m | rsort }}", "runtime"),
    ("{{ fromIon('') }}", "evaluation"),
    ("{{ fromIon('{a 1}') }}", "evaluation"),
    ("{{ fromIon('{1: 1}') }}", "evaluation"),
    ("{{ fromIon('[1 2]') }}", "evaluation"),
    ("{{ fromIon('\"x') }}", "evaluation"),
    ("{{ fromIon('\"\\q\"') }}", "evaluation"),
    ("{{ fromIon('{{x') }}", "evaluation"),
    ("{{ fromIon(\"'''x\") }}", "evaluation"),
    ("{{ fromIon('%') }}", "evaluation"),
    ("{{ fromIon('" + "[" * 200 + "') }}", "evaluation"),
    ("{{ fromJson('" + "[" * 5000 + "') }}", "evaluation"),
    ("{{ encrypt('AA==', 'x') }}", "evaluation"),
    ("{{ decrypt('AAECAwQFBgcICQoLDA0ODw==', 'AAAA') }}", "runtime"),
    (
        "{{ decrypt('AAECAwQFBgcICQoLDA0ODw==', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA') }}",
        "evaluation",
    ),
    ("{{ secret('X') }}", "runtime"),
    ("{% set flow = {'namespace': 'a'} %}{{ secret('X') }}", "evaluation"),
    ("{% set flow = {'namespace': 'a'} %}{{ kv('X') }}", "evaluation"),
    ("{% set flow = {'namespace': 'a'} %}{{ kv('X', 5) }}", "runtime"),
    ("{% set flow = {'namespace': 'a'} %}{{ read('X') }}", "evaluation"),
    ("{% set flow = {'namespace': 'a'} %}{{ fileSize('X') }}", "evaluation"),
    ("{% set flow = {'namespace': 'a'} %}{{ isFileEmpty('X') }}", "evaluation"),
    ("{{ http('http://x', query='a') }}", "evaluation"),
    ("{{ http('http://x', query={'a': 1}) }}", "evaluation"),
    ("{{ yaml('a') }}", "evaluation"),
    ("{{ parent() }}", "evaluation"),
    ("{{ i18n('b', 'k') }}", "runtime"),
    ("{{ appLink() }}", "evaluation"),
    ("{{ iterationOutput(5) }}", "evaluation"),
    ("{{ nanoId(1, 2, 3) }}", "evaluation"),
    ("{{ data.x }}", "missing_variable"),
]


@pytest.mark.parametrize(("text", "kind"), FAILURES, ids=range(len(FAILURES)))
def test_a_template_fails(text: str, kind: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        render(text, Context(VALUES))
    assert caught.value.kind == kind, caught.value.pointer()


def test_days_are_counted_over_any_year() -> None:
    assert from_epoch_day(LocalDate.of(-4, 2, 29).epoch_day) == (-4, 2, 29)
    assert str(LocalDate.of(12_345, 1, 1)) == "+12345-01-01"
    assert str(LocalDate.of(-1, 1, 1)) == "-0001-01-01"
