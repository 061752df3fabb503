"""Configurations: Kestra's tree, placeholders, the environment, and what is wrong with them."""

from pathlib import Path

import pytest

from batuta.cli.config import KEYS, Configuration, load
from batuta.cli.tree import ConfigurationError
from batuta.model.instant import MINUTE
from batuta.operations.settings import Settings
from tests.paths import ROOT

DOCS = ROOT / "docs" / "operate" / "configuration.md"


def read(text: str, **environment: str) -> Configuration:
    return load(text, "config.yml", environment=environment)


def test_an_empty_configuration_is_the_defaults() -> None:
    found = read("# nothing\n")
    assert found == Configuration(settings=Settings(plugin_settings={}))


def test_a_configuration_of_kestra_is_understood() -> None:
    found = read(
        """
datasources:
  sqlite: {url: "jdbc:sqlite:/var/lib/b.db", driverClassName: ignored}
kestra:
  repository: {type: sqlite}
  queue: {type: sqlite}
  storage: {type: local, local: {basePath: /var/lib/files}}
  server:
    basicAuth: {username: ops@example.org, password: Sup3rsecret, openUrls: [/ping]}
    terminationGracePeriod: 5m
    preview: {maxRows: "7"}
  url: https://flows.example.org/
  variables: {globals: {someName: {inner: 1}}}
  hidden-labels.prefixes: a., b.
  ee: {license: x}
micronaut:
  server: {port: 9090, contextPath: kestra/, maxRequestSize: 10MB}
"""
    )
    settings = found.settings
    assert (found.port, found.database, found.storage) == (
        9090,
        Path("/var/lib/b.db"),
        Path("/var/lib/files"),
    )
    assert settings.basic_auth is not None
    assert (settings.basic_auth.username, settings.open_urls) == ("ops@example.org", ("/ping",))
    assert (settings.context_path, settings.max_request_bytes) == ("/kestra", 10 << 20)
    assert (settings.termination_grace, settings.preview_max_rows) == (5 * MINUTE, 7)
    assert settings.globals == {"some-name": {"inner": 1}}
    assert settings.hidden_label_prefixes == ("a.", "b.")
    assert found.ignored == ("kestra.ee.license",)


def test_credentials_are_no_setting_of_plugins() -> None:
    found = read(
        "kestra: {encryption: {secret-key: abc}, server: {basic-auth: {password: x}}, a: {b: 1}}\n"
        "datasources: {pg: {password: secret}}\n"
    )
    assert found.settings.plugin_settings == {"kestra.a.b": 1}


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("batuta.worker.groups: {gpu: 1, cpuFast: 4, a.b: 2, rest: }", {"gpu": 1, "cpuFast": 4, "a.b": 2, "rest": 0}),
        ("batuta: {worker: {groups: [gpu, 'cpu=4']}}", {"gpu": 0, "cpu": 4}),
        ("batuta.worker.groups: gpu=2, cpu", {"gpu": 2, "cpu": 0}),
        ("", {}),
    ],
)  # fmt: skip
def test_worker_groups_keep_their_names(text: str, groups: dict[str, int]) -> None:
    assert read(text).settings.worker_groups == groups


@pytest.mark.parametrize(
    ("text", "environment", "port"),
    [
        ("micronaut.server.port: ${PORT}", {"PORT": "81"}, 81),
        ("micronaut.server.port: ${PORT:82}", {}, 82),
        ("micronaut.server.port: ${A:${B:83}}", {}, 83),
        ("micronaut.server.port: ${a.b}\na.b: 84", {}, 84),
        ("micronaut.server.port: 8${X}", {"X": "5"}, 85),
        ("micronaut.server.port: 1", {"MICRONAUT_SERVER_PORT": "86"}, 86),
        ("", {"MICRONAUT_SERVER_PORT": "87"}, 87),
    ],
)
def test_placeholders_and_the_environment(
    text: str, environment: dict[str, str], port: int
) -> None:
    assert read(text, **environment).port == port


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "micronaut:\n  server:\n    port: many",
            "micronaut.server.port: expected a whole number, found `'many'` (config.yml:3)",
        ),
        ("kestra: 5", "kestra: expected a map of keys, found `5` (config.yml:1)"),
        ("kestra.url: ${NOPE}", "kestra.url: `NOPE` is set neither"),
        ("kestra.url: ${kestra.url}", "kestra.url: `${kestra.url}` refers to itself"),
        ("kestra.url: ${A", "without its closing brace"),
        (
            "kestra.repository.type: postgres",
            "kestra.repository.type: `postgres` is not supported yet",
        ),
        ("kestra.repository.type: h2", "kestra.repository.type: `h2` is not supported yet"),
        ("kestra.queue.type: memory", "kestra.queue.type: `memory` must be the same"),
        ("kestra.storage.type: s3", "kestra.storage.type: `s3` is not supported yet"),
        ("datasources.sqlite.url: jdbc:postgresql://x", "datasources.sqlite.url"),
        ("kestra.server.termination-grace-period: soon", "expected a duration"),
        ("micronaut.server.max-request-size: big", "expected a size"),
        ("kestra.variables.recursive-rendering: maybe", "expected true or false"),
        ("kestra.plugins.defaults: {a: b}", "kestra.plugins.defaults: expected a list of maps"),
        ("kestra.plugins.defaults: text", "expected a list of maps"),
        ("kestra.url: [a]", "kestra.url: expected a text"),
        (
            "batuta.worker.groups: {gpu: many}",
            "batuta.worker.groups.gpu: expected KEY or KEY=NUMBER",
        ),
        ("batuta.worker.groups: [gpu=-1]", "batuta.worker.groups: expected KEY or KEY=NUMBER"),
        ("- a", "a configuration is a map of keys"),
        ("a: 1\na: 2", "config.yml"),
        ("a: [", "config.yml"),
    ],
)
def test_what_is_wrong_names_its_key(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert said in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read("micronaut.server.port: x\nkestra.storage.type: s3\n")
    assert len(caught.value.problems) == 2


def test_a_configured_account_that_breaks_the_rules_is_not_applied() -> None:
    found = read("kestra.server.basic-auth: {username: me, password: short}")
    assert found.settings.basic_auth is None
    assert len(found.settings.basic_auth_problems) == 2


def test_every_setting_is_documented() -> None:
    text = DOCS.read_text()
    assert [key.name for key in KEYS if f"`{key.name}`" not in text] == []


def test_every_setting_with_a_field_fills_one_that_exists() -> None:
    fields = set(Settings.__struct_fields__)
    assert [key.name for key in KEYS if key.field and key.field not in fields] == []
