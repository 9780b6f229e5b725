// Rows in words.

// Large numbers hold several: they are told in parts of 16, 16 and 32 bits, which is exact and can be compared at a glance.
function short(value) {
  if (value === null) return "nothing";
  const big = BigInt(value);
  if (big < 1n << 32n) return String(value);
  return `${big >> 48n}.${(big >> 32n) & 0xffffn}.${big & 0xffffffffn}`;
}

// The same for the keys and values of a list.
function shortened(text) {
  return text.replace(/\b\d{10,20}\b/g, (digits) => short(BigInt(digits)));
}

// A colour for a value: equal values have equal colours wherever they appear.
function chip(value) {
  const big = BigInt(value);
  const hash = Number(BigInt.asUintN(32, (big ^ (big >> 32n)) * 2654435761n));
  return `hsl(${hash % 360} 85% ${45 + (hash >> 9) % 20}%)`;
}

// The single value that an operation wrote or was told.
function valueOf(run, row) {
  const name = run.word("function", run.operations.get("function", row));
  if (name === "read" || name === "read_modify_write") return run.operations.get("result", row);
  return ["write", "compare_and_set", "stream_append"].includes(name) ? run.operations.get("value", row) : null;
}

function opLabel(run, row) {
  const get = (name) => run.operations.get(name, row);
  const texts = (name) => (get(name) === null ? "" : shortened(run.operations.texts[get(name)]));
  const name = run.word("function", get("function"));
  const done = run.word("outcome", get("outcome")) === "ok";
  const told = done ? ` → ${get("results") === null ? short(get("result")) : `{${texts("results")}}`}` : "";
  const key = `${get("key")}`;
  const error = get("error") === null ? "" : ` ✗ ${run.word("error", get("error"))}`;
  switch (name) {
    case "write": return `write k${key} = ${short(get("value"))}${error}`;
    case "read": return `read k${key}${told}${error}`;
    case "read_modify_write": return `add ${short(get("value"))} to k${key}${told}${error}`;
    case "compare_and_set": return `cas k${key}: ${short(get("expected"))} ⇒ ${short(get("value"))}${told}${error}`;
    case "scan": return `scan k${key}..k${get("key_last")}${told}${error}`;
    case "stream_append": return `append ${short(get("value"))} to stream ${key}${told}${error}`;
    case "stream_read": return `read stream ${key} from ${get("value")}${told}${error}`;
    case "transfer": return `transfer ${get("value")}: a${key} ⇒ a${get("key_last")}${error}`;
    case "transaction": return `transaction reads [${texts("reads")}] writes [${texts("writes")}]${told}${error}`;
    default: return `${name.replaceAll("_", " ")} ${key}${told}${error}`;
  }
}

const ROLE_WORDS = { primary: "primary", backup: "backup", changing: "view change", recovering: "recovering", down: "down", paused: "paused" };

function spanText(span) {
  return span.role === "down" ? "down" : `${ROLE_WORDS[span.role]} · view ${span.view}`;
}

function faultText(run, row) {
  const get = (name) => run.faults.get(name, row);
  const name = run.word("fault", get("fault"));
  const members = (bits) => [...Array(32).keys()].filter((bit) => (bits >>> bit) & 1).join(", ");
  const end = (value) => (value >= CLIENTS_FROM ? `client ${value - CLIENTS_FROM}` : `${value}`);
  let at = "";
  if (name === "partition_full" && get("target") !== null) at = ` {${members(get("target"))}}`;
  else if (get("target") !== null) at = ` ${end(get("target"))}${get("peer") === null ? "" : ` – ${end(get("peer"))}`}`;
  const strength = get("magnitude_milli");
  const share = ["loss", "duplication"].includes(name) && strength !== null ? ` ${(strength / 10).toFixed(1)}%` : "";
  return `${name.replaceAll("_", " ")}${at}${share}`;
}

function endText(run, row, column) {
  const end = run.messages.get(column, row);
  if (end < CLIENTS_FROM) return `replica ${end}`;
  return `client ${run.messages.get("client", row)} of tenant ${run.messages.get("tenant", row)}`;
}

// Of a run whose rows have no times: how much of the axis a row takes.
let placeUs = null;

function seconds(time) {
  if (placeUs !== null && time !== null) return `row ${Math.round(time / placeUs)}`;
  return time === null || Number.isNaN(time) ? "never" : `${(time / 1e6).toFixed(6)} s`;
}

// What is known about a row: a headline and pairs of name and text.
function aboutRow(run, kind, row) {
  const table = run[{ operation: "operations", message: "messages", transition: "transitions", storage: "storage", fault: "faults" }[kind]];
  const get = (name) => table.get(name, row);
  const facts = [["row", `${kind} ${get("seq")}`], ["time", seconds(get("time"))]];
  const add = (names) => names.forEach((name) => get(name) !== null && facts.push([name.replaceAll("_", " "), String(get(name))]));
  if (kind === "operation") {
    const outcome = run.word("outcome", get("outcome"));
    facts.push(["client", `${get("client")} of tenant ${get("tenant")}`], ["returned", seconds(get("return_time"))]);
    facts.push(["outcome", outcome === "unknown" ? "unknown: it may or may not have happened" : outcome]);
    for (const name of ["value", "expected", "result"]) if (get(name) !== null) facts.push([name, `${short(get(name))} (${get(name)})`]);
    add(["session", "request_number", "op", "view", "replica", "attempts"]);
    return [opLabel(run, row), facts];
  }
  if (kind === "message") {
    facts.push(["from", endText(run, row, "from")], ["to", endText(run, row, "to")], ["fate", run.word("fate", get("fate"))]);
    facts.push(["arrived", seconds(get("fate_time"))]);
    if (get("reject_reason") !== null) facts.push(["refused", run.word("reject_reason", get("reject_reason"))]);
    if (get("mutation") !== null) facts.push(["changed on its way", run.word("mutation", get("mutation"))]);
    add(["id", "view", "op", "commit", "session", "request_number"]);
    return [run.word("command", get("command")), facts];
  }
  if (kind === "transition") {
    facts.push(["replica", String(get("replica"))], ["status", run.word("status", get("status"))]);
    if (get("quorum") !== null) facts.push(["quorum", [...Array(32).keys()].filter((bit) => (get("quorum") >>> bit) & 1).join(", ")]);
    if (get("detail") !== null) facts.push(["detail", run.word("detail", get("detail"))]);
    add(["view", "op", "commit", "incarnation", "tenant", "client", "session", "request_number", "cause"]);
    return [run.word("event", get("event")).replaceAll("_", " "), facts];
  }
  if (kind === "storage") {
    facts.push(["replica", String(get("replica"))], ["outcome", run.word("outcome", get("outcome"), "storage_outcome")]);
    add(["op"]);
    return [`${run.word("io", get("io"))} of ${run.word("zone", get("zone"))}`, facts];
  }
  add(["target", "peer"]);
  facts.push(["until", seconds(get("end_time"))]);
  return [faultText(run, row), facts];
}
