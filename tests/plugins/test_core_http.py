"""HTTP tasks in flows: what goes out comes from storage, what comes back is read by later tasks (05 §5, §10)."""

from collections.abc import Iterator
from threading import Thread

import pytest

from tests.plugins.flows import Case, Done, run_all
from tests.unit.plugins.core.conftest import Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ran(tasks: str, server: Server) -> Done:
    return run_all({"case": Case(tasks.replace("URL", server.url))})["case"]


def test_an_encrypted_body_is_plain_in_templates_only(server: Server) -> None:
    done = ran(
        """
  - {id: call, type: http.Request, uri: URL/status/200, encryptBody: true}
  - {id: r, type: debug.Return, format: "{{ outputs.call.encryptedBody }} {{ outputs.call.body ?? 'none' }}"}""",
        server,
    )
    assert done.outputs["r"] == {"value": "the reason none"}
    kept = done.outputs["call"]["encryptedBody"]
    assert kept["type"] == "io.kestra.datatype:aes_encrypted"
    assert "the reason" not in str(done.outputs["call"])


def test_a_download_is_read_and_sent_on(server: Server) -> None:
    done = ran(
        """
  - {id: d, type: io.kestra.plugin.fs.http.Download, uri: URL/status/200}
  - {id: w, type: storage.Write, content: "1,2", extension: csv}
  - id: up
    type: http.Request
    uri: "URL/echo?a=1"
    method: POST
    contentType: multipart/form-data
    params: {b: "{{ flow.id }}"}
    formData: {t: "{{ read(outputs.d.uri) }}", f: {name: r.csv, content: "{{ outputs.w.uri }}"}}
  - {id: q, type: debug.Return, format: "{{ fromJson(outputs.up.body).query }}"}
  - {id: b, type: debug.Return, format: "{{ fromJson(outputs.up.body).body }}"}""",
        server,
    )
    assert done.state == "SUCCESS", done.says
    assert done.outputs["d"]["code"] == 200
    assert done.outputs["d"]["length"] == len("the reason")
    assert done.outputs["q"] == {"value": '[["a","1"],["b","f"]]'}
    sent = done.outputs["b"]["value"]
    assert "the reason" in sent
    assert 'filename="r.csv"' in sent
    assert "1,2" in sent


def test_a_failure_may_be_allowed(server: Server) -> None:
    done = ran(
        """
  - {id: ok, type: http.Request, uri: URL/status/404, options: {allowFailed: true}}
  - {id: r, type: debug.Return, format: "{{ outputs.ok.code }} {{ outputs.ok.headers | keys | length > 0 }}"}
  - {id: bad, type: io.kestra.plugin.fs.http.Request, uri: URL/status/500, retry: {type: constant, interval: PT0.01S, maxAttempts: 2}}""",
        server,
    )
    assert done.state == "FAILED"
    assert done.outputs["r"] == {"value": "404 true"}
    assert done.says == ["Failed http request with response code '500' and body:\nthe reason"] * 2
