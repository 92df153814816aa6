"""The file of a record with log p of every test datapoint: its columns, written and read back."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

DATAPOINTS_FILE = "datapoints.parquet"
DATAPOINTS_SCHEMA = pa.schema(
    [("replicate", pa.int32()), ("datapoint", pa.int32()), ("log_p", pa.float32())]
)
_ENCODING = {"datapoint": "DELTA_BINARY_PACKED", "log_p": "BYTE_STREAM_SPLIT"}


def datapoints_content(values: Mapping[int, NDArray[np.float32]]) -> bytes:
    """The content of the file: by replicate, log p `[N]` of every test datapoint in nats."""
    columns = [
        np.repeat(list(values), [len(of_one) for of_one in values.values()]),
        np.concatenate([np.arange(0), *(np.arange(len(of_one)) for of_one in values.values())]),
        np.concatenate([np.empty(0, np.float32), *values.values()]),
    ]
    arrays = [
        pa.array(column.astype(field.type.to_pandas_dtype()))
        for column, field in zip(columns, DATAPOINTS_SCHEMA, strict=True)
    ]
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(
        pa.table(arrays, schema=DATAPOINTS_SCHEMA),
        sink,
        compression="zstd",
        use_dictionary=["replicate"],
        column_encoding=_ENCODING,
    )
    return bytes(sink.getvalue().to_pybytes())


def datapoints_of(content: bytes) -> dict[int, NDArray[np.float32]]:
    """By replicate, log p `[N]` in the order of the test data. Raises `ValueError` if unreadable.

    The datapoints of every replicate must be 0 .. N - 1, each once, in any order.
    """
    try:
        table = pyarrow.parquet.ParquetFile(pa.BufferReader(content)).read()
        table = table.select(DATAPOINTS_SCHEMA.names).cast(DATAPOINTS_SCHEMA)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ValueError(str(error).splitlines()[0]) from None
    if any(column.null_count for column in table.columns):
        raise ValueError("a column has null values")
    replicates, datapoints, log_p = (table[name].to_numpy() for name in table.column_names)
    values = {}
    for replicate in np.unique(replicates).tolist():
        own = replicates == replicate
        order = np.argsort(datapoints[own], kind="stable")
        if not np.array_equal(datapoints[own][order], np.arange(own.sum())):
            raise ValueError(f"the datapoints of replicate {replicate} are not 0, 1, 2, ...")
        values[replicate] = log_p[own][order]
    return values
