"""Requests that TensorFlow Serving answers while it loads a SavedModel, so that the first of a user is not slow."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tfnlp._backend import tf

FILE = Path("assets.extra") / "tf_serving_warmup_requests"  # where the server looks
_FIELD = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "tfnlp.serving"


def write_warm_up(directory: Path, signature: str, inputs: Mapping[str, Any]) -> None:
    """Write a request beside a SavedModel, as TFRecord of `PredictionLog` (`tensorflow_serving/apis/*.proto`).

    Args:
        directory: of the SavedModel.
        signature: its name.
        inputs: tensors by names of the signature's inputs.
    """
    log = _prediction_log()()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    path = directory / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString(deterministic=True))


@cache
def _prediction_log() -> Any:
    """Return the class of `tensorflow.serving.PredictionLog`, with those of its fields that a request for answers has.

    The numbers are those of the public definitions. `tensorflow-serving-api`, which has the class, would be a
    dependency for this alone.
    """
    tensor = tf.make_tensor_proto(0).DESCRIPTOR.file
    file = descriptor_pb2.FileDescriptorProto(
        name="tfnlp/prediction_log.proto", package=_PACKAGE, syntax="proto3", dependency=[tensor.name]
    )
    _add_message(file, "ModelSpec", signature_name=(3, None))
    request = _add_message(file, "PredictRequest", model_spec=(1, f".{_PACKAGE}.ModelSpec"))
    entry = request.nested_type.add(name="InputsEntry")
    entry.options.map_entry = True
    _add_field(entry, "key", 1, None)
    _add_field(entry, "value", 2, ".tensorflow.TensorProto")
    _add_field(request, "inputs", 2, f".{_PACKAGE}.PredictRequest.InputsEntry", label=_FIELD.LABEL_REPEATED)
    _add_message(file, "PredictLog", request=(1, f".{_PACKAGE}.PredictRequest"))
    _add_message(file, "PredictionLog", predict_log=(6, f".{_PACKAGE}.PredictLog"))
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.PredictionLog"))


def _add_message(file: Any, name: str, **fields: tuple[int, str | None]) -> Any:
    message = file.message_type.add(name=name)
    for field, (number, kind) in fields.items():
        _add_field(message, field, number, kind)
    return message


def _add_field(message: Any, name: str, number: int, kind: str | None, label: int = _FIELD.LABEL_OPTIONAL) -> None:
    """Add a field; `kind` is the name of a message, None: a string."""
    type_ = _FIELD.TYPE_STRING if kind is None else _FIELD.TYPE_MESSAGE
    message.field.add(name=name, number=number, label=label, type=type_, type_name=kind)
