-- One view per kind of row. Generated from the table of columns; do not edit.
--
-- Say first which histories to look at, by a path or a pattern:
--     set variable histories = 'histories/*.parquet';

create or replace view runs as
select
    filename as file, scenario, seed,
    "run"."replicas" as "replicas",
    "run"."standbys" as "standbys",
    "run"."clients" as "clients",
    "run"."tenants" as "tenants",
    "run"."bug" as "bug",
    "run"."options" as "options",
    "run"."plan" as "plan",
    "run"."streams_version" as "streams_version",
    "run"."end_time_ns" as "end_time_ns",
    "run"."heal_time_ns" as "heal_time_ns",
    "run"."events" as "events",
    "run"."rows_operation" as "rows_operation",
    "run"."rows_message" as "rows_message",
    "run"."rows_transition" as "rows_transition",
    "run"."rows_storage" as "rows_storage",
    "run"."rows_fault" as "rows_fault",
    "run"."operations_ok" as "operations_ok",
    "run"."operations_error" as "operations_error",
    "run"."operations_unknown" as "operations_unknown",
    lower(hex("run"."digest")) as "digest",
    "run"."ended" as "ended",
    "run"."ended_detail" as "ended_detail"
from read_parquet(getvariable('histories'), filename = true)
where kind = 'run';

create or replace view operations as
select
    filename as file, scenario, seed, seq, time_ns,
    "operation"."client" as "client",
    "operation"."session" as "session",
    "operation"."request_number" as "request_number",
    "operation"."tenant" as "tenant",
    "operation"."function" as "function",
    "operation"."key" as "key",
    "operation"."key_last" as "key_last",
    "operation"."value" as "value",
    "operation"."expected" as "expected",
    "operation"."reads" as "reads",
    "operation"."writes" as "writes",
    "operation"."result" as "result",
    "operation"."results" as "results",
    "operation"."outcome" as "outcome",
    "operation"."error" as "error",
    "operation"."return_seq" as "return_seq",
    "operation"."return_time_ns" as "return_time_ns",
    "operation"."op" as "op",
    "operation"."view" as "view",
    "operation"."replica" as "replica",
    "operation"."attempts" as "attempts"
from read_parquet(getvariable('histories'), filename = true)
where kind = 'operation';

create or replace view messages as
select
    filename as file, scenario, seed, seq, time_ns,
    "message"."id" as "id",
    "message"."copy" as "copy",
    "message"."command" as "command",
    "message"."from" as "from",
    "message"."to" as "to",
    "message"."view" as "view",
    "message"."last_normal_view" as "last_normal_view",
    "message"."op" as "op",
    "message"."commit" as "commit",
    "message"."entry_hash" as "entry_hash",
    "message"."log_first" as "log_first",
    "message"."log_count" as "log_count",
    "message"."size_bytes" as "size_bytes",
    "message"."checksum" as "checksum",
    "message"."tenant" as "tenant",
    "message"."client" as "client",
    "message"."session" as "session",
    "message"."request_number" as "request_number",
    "message"."epoch" as "epoch",
    "message"."mutation" as "mutation",
    "message"."fate" as "fate",
    "message"."fate_seq" as "fate_seq",
    "message"."fate_time_ns" as "fate_time_ns",
    "message"."reject_reason" as "reject_reason"
from read_parquet(getvariable('histories'), filename = true)
where kind = 'message';

create or replace view transitions as
select
    filename as file, scenario, seed, seq, time_ns,
    "transition"."replica" as "replica",
    "transition"."incarnation" as "incarnation",
    "transition"."event" as "event",
    "transition"."status" as "status",
    "transition"."view" as "view",
    "transition"."last_normal_view" as "last_normal_view",
    "transition"."op" as "op",
    "transition"."commit" as "commit",
    "transition"."epoch" as "epoch",
    "transition"."entry_hash" as "entry_hash",
    "transition"."previous_hash" as "previous_hash",
    "transition"."entry_view" as "entry_view",
    "transition"."state_hash" as "state_hash",
    "transition"."timestamp" as "timestamp",
    "transition"."tenant" as "tenant",
    "transition"."client" as "client",
    "transition"."session" as "session",
    "transition"."request_number" as "request_number",
    "transition"."quorum" as "quorum",
    "transition"."cause" as "cause",
    "transition"."detail" as "detail",
    "transition"."clock_low_ns" as "clock_low_ns",
    "transition"."clock_high_ns" as "clock_high_ns"
from read_parquet(getvariable('histories'), filename = true)
where kind = 'transition';

create or replace view storage as
select
    filename as file, scenario, seed, seq, time_ns,
    "storage"."replica" as "replica",
    "storage"."io" as "io",
    "storage"."zone" as "zone",
    "storage"."op" as "op",
    "storage"."started_seq" as "started_seq",
    "storage"."size_bytes" as "size_bytes",
    "storage"."outcome" as "outcome",
    "storage"."latency_ns" as "latency_ns"
from read_parquet(getvariable('histories'), filename = true)
where kind = 'storage';

create or replace view faults as
select
    filename as file, scenario, seed, seq, time_ns,
    "fault"."family" as "family",
    "fault"."fault" as "fault",
    "fault"."target" as "target",
    "fault"."peer" as "peer",
    "fault"."end_time_ns" as "end_time_ns",
    "fault"."magnitude" as "magnitude",
    "fault"."plan_index" as "plan_index"
from read_parquet(getvariable('histories'), filename = true)
where kind = 'fault';
