// One run as lanes: who led when, how far each replica had committed, which client waited for what.

const CLIENTS_FROM = 1000;
const LOUD = new Set(["view_entered", "crashed", "restarted", "vote_cast", "abdicated", "corruption_detected", "state_installed", "paused", "resumed"]);

class Run {
  constructor(about, words, buffer) {
    this.about = about;
    this.words = words;
    for (const [name, spec] of Object.entries(about.tables)) this[name] = new Table(spec, buffer);
    this.end = Math.max(about.end_us, 1);
    this.delivered = words.fate.indexOf("delivered");
    this.unknown = words.outcome.indexOf("unknown");
    this.primaries = primariesOf(this);
    this.clients = clientsOf(this);
    this.replicas = [];
    for (let id = 0; id < this.replicaCount(); id += 1) this.replicas.push(replicaOf(this, id));
    this.bands = bandsOf(this);
    this.latency = longestFlight(this);
  }

  replicaCount() {
    let count = this.about.replicas;
    for (const id of this.transitions.numbers("replica")) if (id >= count) count = id + 1;
    return count;
  }

  word(name, code, dictionary = name) {
    return code === null ? "" : this.words[dictionary][code] || "other";
  }

  // When an operation stops being drawn as a bar; for one that never returned, when it began.
  opEnd(row) {
    const end = this.operations.numbers("return_time")[row];
    return Number.isNaN(end) ? this.operations.numbers("time")[row] : end;
  }

  isUnknown(row) {
    return this.operations.get("outcome", row) === this.unknown;
  }

  isFailed(row) {
    return this.word("outcome", this.operations.get("outcome", row)) !== "ok";
  }

  clientLane(tenant, client) {
    const found = this.clientIndex.get(`${tenant}/${client}`);
    return found === undefined ? -1 : found;
  }

  // The lane of one end of a message: ["replica", n], ["client", n], or null for an end that has none.
  endOf(row, column) {
    const end = this.messages.get(column, row);
    if (end < CLIENTS_FROM) return end < this.replicas.length ? ["replica", end] : null;
    const lane = this.clientLane(this.messages.get("tenant", row), this.messages.get("client", row));
    return lane < 0 ? null : ["client", lane];
  }
}

// Which replica leads a view: the one that prepares in it, else the one whose turn it is.
function primariesOf(run) {
  const known = new Map();
  const { messages } = run;
  const leading = new Set(["prepare", "commit", "start_view"].map((word) => run.words.command.indexOf(word)));
  for (let row = 0; row < messages.rows; row += 1) {
    const view = messages.get("view", row);
    const usable = view !== null && leading.has(messages.get("command", row)) && messages.get("mutation", row) === null;
    if (usable && !known.has(view)) known.set(view, messages.get("from", row));
  }
  const voters = Math.max(run.about.voters, 1);
  return (view) => (known.has(view) ? known.get(view) : Number(view) % voters);
}

function clientsOf(run) {
  const { operations } = run;
  const found = new Map();
  for (let row = 0; row < operations.rows; row += 1) {
    const [tenant, client] = [operations.get("tenant", row), operations.get("client", row)];
    const name = `${tenant}/${client}`;
    if (!found.has(name)) found.set(name, { tenant, client, rows: [] });
    found.get(name).rows.push(row);
  }
  const lanes = [...found.values()].sort((a, b) => a.tenant - b.tenant || a.client - b.client);
  run.clientIndex = new Map(lanes.map((lane, index) => [`${lane.tenant}/${lane.client}`, index]));
  for (const lane of lanes) lane.starts = lane.rows.map((row) => operations.numbers("time")[row]);
  return lanes;
}

function replicaOf(run, id) {
  const { transitions } = run;
  const [replica, time, view, commit] = ["replica", "time", "view", "commit"].map((name) => transitions.numbers(name));
  const lane = { id, rows: [], times: [], loud: [], spans: [], steps: [] };
  let [state, last] = [null, ""];
  for (let row = 0; row < transitions.rows; row += 1) {
    if (replica[row] !== id) continue;
    lane.rows.push(row);
    lane.times.push(time[row]);
    if (LOUD.has(run.word("event", transitions.get("event", row)))) lane.loud.push(time[row]);
    state = roleAfter(run, row, id, state);
    const name = `${state}/${view[row]}`;
    if (name !== last) {
      if (lane.spans.length > 0) lane.spans[lane.spans.length - 1].to = time[row];
      lane.spans.push({ from: time[row], to: run.end, role: state, view: view[row] });
      last = name;
    }
    const step = lane.steps[lane.steps.length - 1];
    const down = state === "down";
    if (!down && (step === undefined || step.commit !== commit[row])) lane.steps.push({ time: time[row], commit: commit[row] });
  }
  lane.stepTimes = lane.steps.map((step) => step.time);
  return lane;
}

// What a replica is after a transition.
function roleAfter(run, row, id, before) {
  const event = run.word("event", run.transitions.get("event", row));
  if (event === "crashed") return "down";
  if (event === "paused") return "paused";
  if (before === "down" && event !== "restarted" && event !== "started") return "down";
  if (before === "paused" && event !== "resumed") return "paused";
  const status = run.word("status", run.transitions.get("status", row));
  if (status === "normal") return run.primaries(run.transitions.get("view", row)) === id ? "primary" : "backup";
  return status === "view_change" ? "changing" : "recovering";
}

// Faults as bands, packed into as few rows as their overlaps allow.
function bandsOf(run) {
  const { faults } = run;
  const rows = [];
  const bands = [];
  const heal = run.about.heal_us === null ? run.end : run.about.heal_us;
  for (let row = 0; row < faults.rows; row += 1) {
    const from = faults.numbers("time")[row];
    const end = faults.numbers("end_time")[row];
    const lasting = ["loss", "duplication", "partition_full", "partition_partial", "partition_asymmetric", "partition_one_way"];
    const open = lasting.includes(run.word("fault", faults.get("fault", row)));
    let to = from;
    if (!Number.isNaN(end)) to = end;
    else if (open) to = heal;
    // A point is given a little room, so that its neighbours do not cover it.
    const room = Math.max(to, from + run.end / 400);
    let line = rows.findIndex((until) => until <= from);
    if (line < 0) line = rows.length < BAND_LINES_MAX ? rows.push(0) - 1 : BAND_LINES_MAX - 1;
    rows[line] = Math.max(rows[line], room);
    bands.push({ row, from, to, line, cut: cutBy(run, row) });
  }
  bands.lines = rows.length;
  return bands;
}

const BAND_LINES_MAX = 6;

// The replicas that a fault keeps from others.
function cutBy(run, row) {
  const { faults } = run;
  const [name, target, peer] = [run.word("fault", faults.get("fault", row)), faults.get("target", row), faults.get("peer", row)];
  if (target === null) return new Set();
  if (name === "partition_full") return new Set([...Array(32).keys()].filter((bit) => (target >>> bit) & 1));
  if (name === "partition_asymmetric" || name === "gray_unresponsive") return new Set([target]);
  return new Set(name === "partition_partial" || name === "partition_one_way" ? [target, peer] : []);
}

function longestFlight(run) {
  const [from, to] = [run.messages.numbers("time"), run.messages.numbers("fate_time")];
  let longest = 0;
  for (let row = 0; row < from.length; row += 1) if (to[row] - from[row] > longest) longest = to[row] - from[row];
  return longest;
}
