"""Questions to a run in SQL."""

from typing import Any

import duckdb

from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.sealed import table_of


def query(run: StoredRun, sql: str) -> list[dict[str, Any]]:
    """The rows that a DuckDB query answers, as mappings by column.

    Two views are there: `samples`, one row a record with the columns of `Record`, and `scores`,
    one row a score with `suite, task, protocol, method, control, sample, metric, value`.

    Raises:
        ValueError: DuckDB refuses the query; the message is its own.
    """
    with duckdb.connect() as connection:
        connection.register("samples", table_of(run.records()))
        connection.execute(
            "CREATE VIEW scores AS SELECT suite, task, protocol, method, control, sample, "
            "unnest(map_keys(scores)) AS metric, unnest(map_values(scores)) AS value FROM samples"
        )
        try:
            answer = connection.execute(sql)
            names = [column[0] for column in answer.description or ()]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
        except duckdb.Error as error:
            raise ValueError(f"the query cannot be answered: {error}") from error
