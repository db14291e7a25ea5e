"""Makes frozen dataclasses of JSON by their annotations. Unknown fields are ignored, missing ones are not."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Mismatch(ValueError):
    """The JSON does not fit; the message says where."""


def since(default: T) -> T:
    """Give a field that older engines do not send; the contract requires it of newer ones."""
    return dataclasses.field(default=default, metadata={"since": True})


def wire(*names: str, **more: Any) -> Any:
    """Give a field that is made of others, those of `names`, by its class' `from_wire`."""
    return dataclasses.field(metadata={"wire": names}, **more)


@functools.cache
def hints(kind: type) -> dict[str, Any]:
    """Give the resolved annotations of a dataclass."""
    return typing.get_type_hints(kind)


def decode(kind: type[T], value: object, where: str = "") -> T:
    """Make a `kind` of `value`, which is at the JSON pointer `where`."""
    return cast(T, _decode(kind, value, where))


def _decode(kind: Any, value: object, where: str) -> object:
    if dataclasses.is_dataclass(kind):
        return _dataclass(cast(type, kind), value, where)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType or origin is typing.Union:
        (inner,) = (arg for arg in args if arg is not type(None))
        return None if value is None else _decode(inner, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise _mismatch("an array", value, where)
        return tuple(_decode(args[0], item, f"{where}/{at}") for at, item in enumerate(value))
    if origin is Mapping:
        if not isinstance(value, dict):
            raise _mismatch("an object", value, where)
        return {name: _decode(args[1], item, f"{where}/{name}") for name, item in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    # By type, as True is an instance of int.
    if kind is not Any and type(value) is not kind:
        raise _mismatch(kind.__name__, value, where)
    return value


def _dataclass(kind: type, value: object, where: str) -> object:
    if not isinstance(value, dict):
        raise _mismatch("an object", value, where)
    given: dict[str, Any] = value
    from_wire = getattr(kind, "from_wire", None)
    if from_wire is not None:
        try:
            given = from_wire(value)
        except (KeyError, TypeError, ValueError) as error:
            raise Mismatch(f"{where or '/'}: {error!r}") from error
    found: dict[str, object] = {}
    for field in dataclasses.fields(kind):
        if field.name in given:
            found[field.name] = _decode(hints(kind)[field.name], given[field.name], f"{where}/{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Mismatch(f"{where}/{field.name} is missing")
    return kind(**found)


def _mismatch(wanted: str, value: object, where: str) -> Mismatch:
    return Mismatch(f"{where or '/'} is {value!r:.80}, expected {wanted}")
