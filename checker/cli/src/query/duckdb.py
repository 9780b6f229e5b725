# Answers one query with the duckdb wheel: a JSON object on standard input, rows as JSON lines on standard output.
import json
import sys

import duckdb

question = json.load(sys.stdin)
connection = duckdb.connect()
try:
    for statement in question["before"]:
        connection.execute(statement)
    answer = connection.execute(question["sql"])
    columns = [column[0] for column in answer.description or []]
    left = question["rows_max"]
    while left > 0 and (rows := answer.fetchmany(min(left, 1000))):
        left -= len(rows)
        for row in rows:
            print(json.dumps(dict(zip(columns, row)), default=str))
except duckdb.Error as error:
    sys.exit(str(error))
