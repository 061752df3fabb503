"""Inputs of a request: parts of a form, or a map of JSON (03 §8.2)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import PurePosixPath
from typing import Any

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from batuta.operations.errors import BadRequestError
from batuta.operations.files import Upload
from batuta.web.request import Ask, UnsupportedMediaError

MAX_PARTS = 1000
MAX_TEXT_PART_BYTES = 16 << 20
_CHUNK = 256 * 1024
_OLD_STYLE = "files"


class Given(msgspec.Struct, frozen=True):
    """Texts (or JSON values) and files by the id of the input. The last of several parts wins."""

    values: Mapping[str, Any] = {}
    uploads: Mapping[str, Upload] = {}


@asynccontextmanager
async def read_inputs(ask: Ask) -> AsyncIterator[Given]:
    """The files can be read inside the context only."""
    match ask.media_type:
        case "multipart/form-data" | "application/x-www-form-urlencoded":
            form = await _form(ask)
            try:
                yield _given(form)
            finally:
                await form.close()
        case "application/json":
            yield Given(await ask.json(dict[str, Any]) if ask.has_body() else {})
        case "":
            yield Given()
        case other:
            if ask.has_body():
                raise UnsupportedMediaError(f"Content Type [{other}] not allowed")
            yield Given()


@asynccontextmanager
async def open_upload(ask: Ask, part: str) -> AsyncIterator[Upload]:
    """The one file of a form; it can be read inside the context only."""
    if ask.media_type != "multipart/form-data":
        raise UnsupportedMediaError(f"Content Type [{ask.media_type}] not allowed")
    form = await _form(ask)
    try:
        file = form.get(part)
        if not isinstance(file, UploadFile):
            raise BadRequestError(f"Required Part [{part}] not specified")
        yield _upload(part, file)
    finally:
        await form.close()


async def read_upload(ask: Ask, part: str) -> tuple[str, bytes]:
    """Name and content of the one file of a form, as imports send it."""
    async with open_upload(ask, part) as file:
        return file.file_name, b"".join([chunk async for chunk in file.open()])


async def _form(ask: Ask) -> FormData:
    try:
        return await ask.request.form(
            max_files=MAX_PARTS, max_fields=MAX_PARTS, max_part_size=MAX_TEXT_PART_BYTES
        )
    except (HTTPException, MultiPartException) as error:
        reason = error.detail if isinstance(error, HTTPException) else error.message
        raise BadRequestError(f"The form cannot be read: {reason}") from None


def _given(form: FormData) -> Given:
    values: dict[str, Any] = {}
    uploads: dict[str, Upload] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            values[name] = value
        elif name == _OLD_STYLE and value.filename:
            # The file's name is the input's id in the form of old clients (01 §2.6).
            uploads[value.filename] = _upload(value.filename, value)
        else:
            uploads[name] = _upload(name, value)
    return Given(values, uploads)


def _upload(name: str, file: UploadFile) -> Upload:
    async def chunks() -> AsyncIterator[bytes]:
        await file.seek(0)
        while chunk := await file.read(_CHUNK):
            yield chunk

    return Upload(name=name, file_name=_file_name(file), size=file.size or 0, open=chunks)


def _file_name(file: UploadFile) -> str:
    """The last part of what the client calls it; never a path."""
    name = PurePosixPath((file.filename or "").replace("\\", "/")).name
    return name if name not in {"", ".", ".."} else "file"
