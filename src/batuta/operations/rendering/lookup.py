"""Rendering of inputs, and what their templates may look up: secrets, key-values, files; never the network.

Most inputs need nothing of this, so they are rendered at once on the event loop. A look-up that has to wait
interrupts that with `MustWaitError`; rendering is then repeated on a thread, where the look-up may block.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from batuta.expr import Context, LazyVars, render_typed, render_value
from batuta.expr.errors import EvaluationError, RuntimeFaultError
from batuta.expr.host import HttpRequest
from batuta.expr.host import Settings as ExprSettings
from batuta.expr.temporal import Instant as Moment
from batuta.expr.temporal import find_zone
from batuta.flow.inputs import Resolved, resolve_inputs
from batuta.flow.yaml import read_yaml
from batuta.operations import keyvalues
from batuta.operations.caller import Caller
from batuta.operations.cipher import cipher_of
from batuta.operations.rendering.place import file_uri
from batuta.operations.secret import find_secret
from batuta.operations.services import Services
from batuta.sdk.input import Input

T = TypeVar("T")
WAIT_SECONDS = 30.0


async def resolve_declared(
    caller: Caller,
    services: Services,
    namespace: str,
    *,
    declared: Sequence[Input],
    given: Mapping[str, Any],
    variables: Mapping[str, Any],
) -> Resolved:
    """Values of inputs, with their templates rendered over `variables` and the rights of the namespace."""
    cipher = cipher_of(services.settings, services.ids)

    def resolve(host: InputHost) -> Resolved:
        return resolve_inputs(
            declared,
            given,
            render=_Renderer(variables, host, lazy=services.settings.lazy_variables).render,
            encrypt=cipher.encrypt if cipher is not None else None,
        )

    try:
        return resolve(InputHost(caller, services, namespace))
    except MustWaitError:
        host = InputHost(caller, services, namespace, loop=asyncio.get_running_loop())
        return await asyncio.to_thread(resolve, host)


class _Renderer:
    """Templates of inputs over the variables that exist before an execution does (01 §2.4)."""

    def __init__(self, variables: Mapping[str, Any], host: "InputHost", *, lazy: bool) -> None:
        seen = dict(variables)
        self._context = context = Context(seen, host)
        if lazy:
            seen["vars"] = LazyVars(variables["vars"], lambda raw: render_value(raw, context))

    def render(self, template: Any, inputs: Mapping[str, Any]) -> Any:
        return _typed(template, self._context.with_variables({"inputs": inputs}))


def _typed(template: Any, context: Context) -> Any:
    if isinstance(template, str):
        return render_typed(template, context)
    if isinstance(template, Mapping):
        return {name: _typed(part, context) for name, part in template.items()}
    if isinstance(template, list):
        return [_typed(part, context) for part in template]
    return template


class MustWaitError(BaseException):
    """Not an error of the template: no handler inside the language may swallow it."""


class InputHost:
    """A `batuta.expr.Host` with the rights of a flow. `loop` None: on the event loop, where nothing may block."""

    def __init__(
        self,
        caller: Caller,
        services: Services,
        namespace: str,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._caller = caller
        self._services = services
        self._namespace = namespace
        self._loop = loop
        settings = services.settings
        self._settings = ExprSettings(
            zone=find_zone(settings.zone),
            recursive_rendering=settings.recursive_rendering,
            url=settings.url,
        )

    @property
    def settings(self) -> ExprSettings:
        return self._settings

    def now(self) -> Moment:
        return Moment.of_micros(self._services.clock.now())

    def random_bytes(self, count: int) -> bytes:
        return self._services.ids.entropy(count)

    def random_port(self) -> NoReturn:
        raise EvaluationError("The function `randomPort` is not available in inputs.")

    def secret(self, key: str, *, namespace: str | None) -> str:
        return find_secret(self._services, key)

    def kv(self, key: str, *, namespace: str | None, error_on_missing: bool) -> Any:
        find = keyvalues.find if namespace is None else keyvalues.get
        place = namespace or self._namespace
        found = self._wait(lambda: find(self._caller, self._services, place, key=key))
        if found is not None:
            return keyvalues.shown_value(found)
        if error_on_missing:
            raise EvaluationError(f"The key '{key}' does not exist in the namespace '{place}'.")
        return None

    def read(self, path: str, *, namespace: str | None) -> str:
        uri = self._uri(path, namespace)
        try:
            content = self._wait(lambda: self._services.storage.read(self._caller.tenant, uri))
        except FileNotFoundError:
            raise EvaluationError(f"Cannot read the file `{path}`: it does not exist.") from None
        return content.decode(errors="replace")

    def file_exists(self, path: str, *, namespace: str | None) -> bool:
        uri = self._uri(path, namespace)
        return self._wait(lambda: self._services.storage.exists(self._caller.tenant, uri))

    def file_size(self, path: str, *, namespace: str | None) -> int:
        uri = self._uri(path, namespace)
        try:
            found = self._wait(lambda: self._services.storage.attributes(self._caller.tenant, uri))
        except FileNotFoundError:
            raise EvaluationError(f"Cannot read the file `{path}`: it does not exist.") from None
        return found.size

    def http(self, request: HttpRequest) -> NoReturn:
        raise EvaluationError("The function `http` is not available in inputs.")

    def error_logs(self) -> NoReturn:
        raise EvaluationError("The function `errorLogs` is not available in inputs.")

    def parse_yaml(self, text: str) -> Any:
        return read_yaml(text).value

    def _uri(self, path: str, namespace: str | None) -> str:
        if path.startswith("kestra://"):
            # Files of executions: an execution that begins has none of its own.
            raise RuntimeFaultError(f"Cannot process the URI {path}: scheme not supported.")
        return file_uri(path, namespace=namespace, own=self._namespace)

    def _wait(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._loop is None:
            raise MustWaitError
        return asyncio.run_coroutine_threadsafe(begin(), self._loop).result(WAIT_SECONDS)
