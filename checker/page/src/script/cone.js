// The causal cone of an operation: messages that could carry its influence from its call to its return.
//
// A message is in the cone when something that happened after the call, and because of it at the earliest, was known to its sender, and
// its delivery could reach the client before the return. Of these the ones that bear the operation's own number are drawn strongly.

function coneOf(run, row) {
  const { operations } = run;
  const begin = operations.get("seq", row);
  const returned = operations.get("return_seq", row);
  const lane = run.clientLane(operations.get("tenant", row), operations.get("client", row));
  const end = returned === null ? Infinity : returned;
  const reached = forward(run, lane, begin, end);
  const reaching = returned === null ? null : backward(run, lane, begin, end);
  const all = [];
  const own = [];
  for (const message of reached) {
    if (reaching !== null && !reaching.has(message) && !isOwn(run, row, message)) continue;
    (isOwn(run, row, message) ? own : all).push(message);
  }
  return { own, all };
}

const node = (end) => (end === null ? "" : `${end[0]}${end[1]}`);

// Deliveries and sendings in one order: a sender knows what was delivered before.
function eventsBetween(run, begin, end) {
  const { messages } = run;
  const [seq, fate] = [messages.numbers("seq"), messages.numbers("fate_seq")];
  const delivered = run.words.fate.indexOf("delivered");
  const events = [];
  for (let row = lowerBound(seq, begin); row < messages.rows && seq[row] <= end; row += 1) {
    events.push([seq[row], row, false]);
    const arrives = messages.get("fate", row) === delivered && messages.get("reject_reason", row) === null && fate[row] <= end;
    if (arrives) events.push([fate[row], row, true]);
  }
  return events.sort((a, b) => a[0] - b[0]);
}

function forward(run, lane, begin, end) {
  const knows = new Set([`client${lane}`]);
  const cone = new Set();
  for (const [, row, arrives] of eventsBetween(run, begin, end)) {
    if (arrives) {
      if (cone.has(row)) knows.add(node(run.endOf(row, "to")));
    } else if (knows.has(node(run.endOf(row, "from")))) {
      cone.add(row);
    }
  }
  return cone;
}

function backward(run, lane, begin, end) {
  const matters = new Set([`client${lane}`]);
  const cone = new Set();
  for (const [, row, arrives] of eventsBetween(run, begin, end).reverse()) {
    if (!arrives) continue;
    if (matters.has(node(run.endOf(row, "to")))) {
      cone.add(row);
      matters.add(node(run.endOf(row, "from")));
    }
  }
  return cone;
}

// Whether a message bears an operation's request number, or its entry's place in the log.
function isOwn(run, row, message) {
  const { operations, messages } = run;
  const same = (name) => messages.get(name, message) === operations.get(name, row);
  const command = run.word("command", messages.get("command", message));
  if (command === "request" || command === "reply") return same("request_number") && same("tenant") && same("client");
  if (command !== "prepare" && command !== "prepare_ok") return false;
  // A read that took no entry of its own reports the position that it saw, which is another operation's.
  const op = operations.get("op", row);
  return op !== null && messages.get("op", message) === op && entriesOf(run).has(entryName(run.operations, row, op));
}

const entryName = (table, row, op) => ["tenant", "client", "request_number"].map((name) => table.get(name, row)).join("/") + "@" + op;

// Which requests became entries of the log, and where.
function entriesOf(run) {
  if (run.entries === undefined) {
    const { transitions } = run;
    const appended = run.words.event.indexOf("entry_appended");
    run.entries = new Set();
    for (let row = 0; row < transitions.rows; row += 1) {
      if (transitions.get("event", row) === appended) run.entries.add(entryName(transitions, row, transitions.get("op", row)));
    }
  }
  return run.entries;
}

// Messages around a row that is no operation: what caused it, or the row itself.
function neighboursOf(run, kind, row) {
  if (kind === "message") return { own: [row], all: [] };
  if (kind !== "transition") return { own: [], all: [] };
  const cause = run.transitions.get("cause", row);
  if (cause === null) return { own: [], all: [] };
  const id = run.messages.numbers("id");
  const own = [];
  for (let message = 0; message < id.length; message += 1) if (id[message] === cause) own.push(message);
  return { own: own.slice(0, 4), all: [] };
}
