// Draws what of a run lies in the window. Of marks that would fall on one pixel only the first is drawn, so that a frame costs no more for a
// run of a million rows than for what a screen can show.

const GUTTER = 132;
const AXIS = 26;
const OVERVIEW = 34;
const CLIENT = 28;
const REPLICA = 66;
const STRETCH_MAX = 2;
const BAND = 17;
const MESSAGES_MAX = 6000;
const READS = new Set(["read", "scan", "stream_read", "balance"]);
const GROUPS = {
  request: "call", reply: "call", register: "call", redirect: "call", eviction: "call",
  prepare: "log", prepare_ok: "log", commit: "log",
  start_view_change: "view", do_view_change: "view", start_view: "view", get_view: "view",
};

class Painter {
  constructor(canvas, view) {
    this.canvas = canvas;
    this.view = view;
    this.context = canvas.getContext("2d", { alpha: false });
  }

  // Vertical places of all lanes, from the top of the drawing.
  layout() {
    const room = this.canvas.clientHeight - AXIS - OVERVIEW;
    this.arrange(1);
    // Where there is room to spare, lanes take it.
    if (this.height < room) this.arrange(Math.min(STRETCH_MAX, (room - this.fixed) / (this.height - this.fixed)));
  }

  arrange(stretch) {
    const { run, filter } = this.view;
    const lanes = [];
    let y = 6;
    const put = (kind, index, height, gap) => {
      lanes.push({ kind, index, y, height });
      y += height + gap;
    };
    for (let line = 0; line < run.bands.lines; line += 1) put("faults", line, BAND, 1);
    y += 10;
    if (!filter.onlyFaults) {
      run.clients.forEach((client, index) => {
        if (filter.tenant === null || client.tenant === filter.tenant) put("client", index, CLIENT * Math.min(stretch, 1.25), 3);
      });
      y += 10;
    }
    this.fixed = y;
    for (const replica of run.replicas) put("replica", replica.id, REPLICA * stretch, 7);
    this.lanes = lanes;
    this.places = new Map(lanes.map((lane) => [`${lane.kind}${lane.index}`, lane]));
    this.height = y;
  }

  x(time) {
    const { from, to } = this.view;
    return GUTTER + ((time - from) / (to - from)) * (this.width - GUTTER);
  }

  time(x) {
    const { from, to } = this.view;
    return from + ((x - GUTTER) / (this.width - GUTTER)) * (to - from);
  }

  top(lane) {
    return AXIS + lane.y - this.view.scroll;
  }

  laneAt(y) {
    const at = y - AXIS + this.view.scroll;
    return this.lanes.find((lane) => at >= lane.y && at < lane.y + lane.height);
  }

  draw() {
    const scale = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.canvas;
    if (this.canvas.width !== Math.round(clientWidth * scale) || this.canvas.height !== Math.round(clientHeight * scale)) {
      this.canvas.width = Math.round(clientWidth * scale);
      this.canvas.height = Math.round(clientHeight * scale);
    }
    [this.width, this.full] = [clientWidth, clientHeight];
    const pen = this.context;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.fillStyle = this.colour("ground");
    pen.fillRect(0, 0, this.width, this.full);
    this.layout();
    this.bottom = this.full - OVERVIEW;
    this.view.scroll = Math.max(0, Math.min(this.view.scroll, this.height - (this.bottom - AXIS)));
    this.within(GUTTER, AXIS, this.width - GUTTER, this.bottom - AXIS, () => this.lanesAndMarks());
    this.within(0, AXIS, GUTTER, this.bottom - AXIS, () => this.names());
    this.axis();
    this.overview();
  }

  within(x, y, width, height, paint) {
    const pen = this.context;
    pen.save();
    pen.beginPath();
    pen.rect(x, y, width, height);
    pen.clip();
    paint();
    pen.restore();
  }

  lanesAndMarks() {
    this.grid();
    this.commits = this.commitRange();
    for (const lane of this.lanes) {
      if (this.top(lane) > this.bottom || this.top(lane) + lane.height < AXIS) continue;
      if (lane.kind === "faults") this.bands(lane);
      else if (lane.kind === "replica") this.replica(lane);
      else this.ground(lane);
    }
    this.named = [];
    if (this.view.filter.messages && !this.view.filter.onlyFaults) this.everyMessage();
    this.cones();
    for (const lane of this.lanes) if (lane.kind === "client") this.client(lane);
    this.badges();
    if (this.view.cursor !== null) this.line(this.x(this.view.cursor), "cursor");
  }

  colour(name) {
    return this.view.colours[name];
  }

  text(text, x, y, name, font = "11px system-ui, sans-serif", align = "left") {
    const pen = this.context;
    pen.font = font;
    pen.fillStyle = this.colour(name);
    pen.textAlign = align;
    pen.textBaseline = "middle";
    pen.fillText(text, x, y);
  }

  line(x, name) {
    const pen = this.context;
    pen.strokeStyle = this.colour(name);
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(Math.round(x) + 0.5, AXIS);
    pen.lineTo(Math.round(x) + 0.5, this.bottom);
    pen.stroke();
  }

  ticks() {
    const { from, to } = this.view;
    const wanted = (to - from) / Math.max(2, (this.width - GUTTER) / 130);
    const power = 10 ** Math.floor(Math.log10(wanted));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= wanted);
    const ticks = [];
    for (let time = Math.ceil(from / step) * step; time <= to; time += step) ticks.push(time);
    return [ticks, step];
  }

  grid() {
    for (const time of this.ticks()[0]) this.line(this.x(time), "grid");
    const heal = this.view.run.about.heal_us;
    if (heal !== null) {
      this.line(this.x(heal), "heal");
      const right = this.x(heal) + 70 < this.width;
      this.text("faults end", this.x(heal) + (right ? 4 : -4), this.bottom - 8, "faint", undefined, right ? "left" : "right");
    }
  }

  axis() {
    const pen = this.context;
    pen.fillStyle = this.colour("panel");
    pen.fillRect(0, 0, this.width, AXIS);
    const [ticks, step] = this.ticks();
    const digits = Math.max(0, Math.min(6, Math.ceil(6 - Math.log10(step))));
    for (const time of ticks) {
      const x = this.x(time);
      if (x >= GUTTER - 1) this.text(placeUs === null ? `${(time / 1e6).toFixed(digits)} s` : seconds(time), x + 3, AXIS / 2, "faint");
    }
    this.text(placeUs === null ? "virtual time" : "order of events", 8, AXIS / 2, "faint");
  }

  names() {
    const pen = this.context;
    pen.fillStyle = this.colour("panel");
    pen.fillRect(0, AXIS, GUTTER, this.bottom - AXIS);
    const { run } = this.view;
    for (const lane of this.lanes) {
      const middle = this.top(lane) + lane.height / 2;
      if (lane.kind === "faults" && lane.index === 0) this.text("faults", 8, middle, "ink", "600 12px system-ui, sans-serif");
      if (lane.kind === "client") {
        const { tenant, client } = run.clients[lane.index];
        const tenants = run.about.tenants > 1 ? ` · tenant ${tenant}` : "";
        const who = run.about.replicas > 0 ? "client" : "process";
        this.text(`${who} ${client}${tenants}`, 8, middle, "ink", "12px system-ui, sans-serif");
      }
      if (lane.kind === "replica") {
        this.text(`replica ${lane.index}`, 8, middle - 9, "ink", "600 12px system-ui, sans-serif");
        const commit = this.commitAt(run.replicas[lane.index], this.view.cursor === null ? this.view.to : this.view.cursor);
        if (commit !== null) this.text(`committed ${commit}`, 8, middle + 8, "faint");
      }
    }
  }

  commitAt(replica, time) {
    const at = lowerBound(replica.stepTimes, time + 1e-9) - 1;
    return at < 0 ? null : replica.steps[at].commit;
  }

  // The commit numbers that the window shows: the staircases are drawn between these.
  commitRange() {
    let [low, high] = [Infinity, -Infinity];
    for (const replica of this.view.run.replicas) {
      const first = Math.max(0, lowerBound(replica.stepTimes, this.view.from) - 1);
      let reached = 0;
      for (let at = first; at < replica.steps.length && (at === first || replica.steps[at].time <= this.view.to); at += 1) {
        // After a restart a replica learns again how far it was: that must not flatten everything else.
        reached = Math.max(reached, replica.steps[at].commit);
        low = Math.min(low, reached);
        high = Math.max(high, reached);
      }
    }
    return [low, Math.max(high, low + 1)];
  }

  bands(lane) {
    const { run } = this.view;
    const pen = this.context;
    const y = this.top(lane);
    let last = -10;
    for (const band of run.bands) {
      if (band.line !== lane.index || band.to < this.view.from || band.from > this.view.to) continue;
      const x = this.x(band.from);
      const right = Math.max(this.x(band.to), x + 3);
      if (right < last + 1) continue;
      last = right;
      pen.fillStyle = this.colour("fault");
      pen.fillRect(x, y, right - x, BAND);
      pen.fillStyle = this.colour("faultEdge");
      pen.fillRect(x, y, 3, BAND);
      const begin = Math.max(x, GUTTER);
      if (right - begin > 40) this.clipped(faultText(run, band.row), begin + 6, y + BAND / 2 + 0.5, right - begin - 8, "faultInk");
    }
  }

  clipped(text, x, y, width, name, font = "11px system-ui, sans-serif") {
    const pen = this.context;
    pen.font = font;
    let shown = text;
    if (pen.measureText(shown).width > width) {
      const letters = Math.floor((shown.length * width) / pen.measureText(shown).width) - 1;
      if (letters < 2) return;
      shown = `${shown.slice(0, letters)}…`;
    }
    this.text(shown, x, y, name, font);
  }

  replica(lane) {
    const { run, from, to } = this.view;
    const pen = this.context;
    const replica = run.replicas[lane.index];
    const y = this.top(lane);
    let last = -1;
    for (const span of replica.spans) {
      if (span.to < from || span.from > to) continue;
      const x = Math.max(this.x(span.from), GUTTER);
      const right = Math.min(this.x(span.to), this.width);
      if (right - last < 0.7) continue;
      last = right;
      pen.fillStyle = this.colour(span.role);
      pen.fillRect(x, y, Math.max(right - x, 1), lane.height);
      if (span.role === "down" || span.role === "paused") this.hatch(x, y, right - x, lane.height);
      if (right - x > 26) this.clipped(spanText(span), x + 6, y + 11, right - x - 8, "roleInk", "600 11px system-ui, sans-serif");
      pen.fillStyle = this.colour("ground");
      if (x > GUTTER) pen.fillRect(x, y, 1, lane.height);
    }
    this.cuts(replica.id, y);
    this.stairs(replica, y + lane.height - 8, lane.height - 30);
    this.transitions(replica, y + lane.height);
  }

  // A strip along the lane for as long as a fault keeps the replica from others.
  cuts(id, y) {
    const pen = this.context;
    pen.fillStyle = this.colour("faultEdge");
    for (const band of this.view.run.bands) {
      if (!band.cut.has(id) || band.to < this.view.from || band.from > this.view.to) continue;
      pen.fillRect(this.x(band.from), y, Math.max(this.x(band.to) - this.x(band.from), 1), 3);
    }
  }

  hatch(x, y, width, height) {
    const pen = this.context;
    pen.save();
    pen.beginPath();
    pen.rect(x, y, width, height);
    pen.clip();
    pen.strokeStyle = this.colour("hatch");
    pen.lineWidth = 2;
    pen.beginPath();
    for (let at = x - height - (x % 9); at < x + width; at += 9) {
      pen.moveTo(at, y + height);
      pen.lineTo(at + height, y);
    }
    pen.stroke();
    pen.restore();
  }

  stairs(replica, base, height) {
    const [low, high] = this.commits;
    const pen = this.context;
    const place = (commit) => base - Math.max(0, (commit - low) / (high - low)) * height;
    let at = Math.max(0, lowerBound(replica.stepTimes, this.view.from) - 1);
    if (at >= replica.steps.length) return;
    pen.strokeStyle = this.colour("stairs");
    pen.lineWidth = 1.75;
    pen.beginPath();
    let y = place(replica.steps[at].commit);
    pen.moveTo(Math.max(this.x(replica.steps[at].time), GUTTER), y);
    let pixel = -1;
    const labels = [];
    for (at += 1; at < replica.steps.length && replica.steps[at].time <= this.view.to; at += 1) {
      const x = this.x(replica.steps[at].time);
      const next = place(replica.steps[at].commit);
      if (x - pixel < 0.5 && Math.abs(next - y) < 0.5) continue;
      pen.lineTo(x, y);
      pen.lineTo(x, next);
      if (labels.length === 0 || x - labels[labels.length - 1][0] > 70) labels.push([x, next, replica.steps[at].commit]);
      [pixel, y] = [x, next];
    }
    pen.lineTo(this.x(Math.min(this.view.to, this.view.run.end)), y);
    pen.stroke();
    for (const [x, top, commit] of labels) this.text(`${commit}`, x + 3, Math.min(top + 7, base - 3), "stairs", "10px system-ui, sans-serif");
  }

  transitions(replica, base) {
    const { from, to } = this.view;
    const pen = this.context;
    for (const [times, colour, width, height] of [[replica.times, "tick", 1, 4], [replica.loud, "loud", 2, 8]]) {
      pen.fillStyle = this.colour(colour);
      let at = lowerBound(times, from);
      while (at < times.length && times[at] <= to) {
        const x = this.x(times[at]);
        pen.fillRect(x - 0.5, base - height, width, height);
        // The next one that would not fall on this one.
        at = lowerBound(times, this.time(x + 2), at + 1);
      }
    }
  }

  // Whether an operation passes the filters; marked ones always do.
  isShown(row) {
    const { run, filter } = this.view;
    if (filter.key !== null && String(run.operations.get("key", row)) !== filter.key) return this.view.isMarked("operation", row);
    return !filter.onlyFailed || run.isFailed(row) || this.view.isMarked("operation", row);
  }

  ground(lane) {
    this.context.fillStyle = this.colour("lane");
    this.context.fillRect(GUTTER, this.top(lane), this.width - GUTTER, lane.height);
  }

  client(lane) {
    const { run, from, to } = this.view;
    const client = run.clients[lane.index];
    const y = this.top(lane);
    // Operations of a client follow each other, but one that never returned may reach over those behind it.
    let at = Math.max(0, lowerBound(client.starts, from) - 64);
    let last = -1;
    for (; at < client.rows.length && client.starts[at] <= to; at += 1) {
      const row = client.rows[at];
      const end = this.x(run.opEnd(row));
      const x = this.x(client.starts[at]);
      const unknown = run.isUnknown(row);
      const right = unknown ? Math.max(end, x + 6) : Math.max(end, x + 1.5);
      if ((!unknown && right < GUTTER) || right - last < 0.8 || !this.isShown(row)) continue;
      last = right;
      this.bar(row, x, right, y + 3, lane.height - 6, unknown, this.nextStart(client, at));
    }
  }

  nextStart(client, at) {
    return at + 1 < client.starts.length ? client.starts[at + 1] : this.view.run.end;
  }

  bar(row, x, right, y, height, unknown, next) {
    const { run } = this.view;
    const pen = this.context;
    const outcome = run.word("outcome", run.operations.get("outcome", row));
    const reads = READS.has(run.word("function", run.operations.get("function", row)));
    const marked = this.view.isMarked("operation", row);
    const chosen = this.view.isChosen("operation", row);
    const quiet = this.view.isQuiet() && !marked && !chosen;
    pen.globalAlpha = quiet ? 0.38 : 1;
    if (unknown) {
      // It may have happened at any time from its call on.
      const tail = Math.min(this.x(next), this.width);
      pen.strokeStyle = this.colour("unknown");
      pen.lineWidth = 2;
      pen.setLineDash([5, 4]);
      pen.beginPath();
      pen.moveTo(x, y + height / 2);
      pen.lineTo(Math.max(tail, x + 6), y + height / 2);
      pen.stroke();
      pen.setLineDash([]);
    }
    let fill = reads ? "read" : "write";
    if (outcome === "error") fill = "refused";
    if (unknown) fill = "unknown";
    pen.fillStyle = this.colour(fill);
    pen.fillRect(x, y, Math.max(right - x, 1.5), height);
    const value = valueOf(run, row);
    if (value !== null && right - x > 14) {
      pen.fillStyle = chip(value);
      pen.fillRect(right - 6, y, 6, height);
    }
    const begin = Math.max(x, GUTTER);
    // White words would be lost on a faint bar.
    pen.globalAlpha = quiet ? 0.8 : 1;
    const ink = quiet ? "ink" : "barInk";
    if (right - begin > 34) this.clipped(opLabel(run, row), begin + (marked ? 20 : 4), y + height / 2 + 0.5, right - begin - (marked ? 28 : 12), ink);
    pen.globalAlpha = 1;
    if (marked || chosen) {
      pen.strokeStyle = this.colour(chosen ? "chosen" : "mark");
      pen.lineWidth = 2.5;
      pen.strokeRect(x - 1.5, y - 1.5, Math.max(right - x, 1.5) + 3, height + 3);
    }
  }

  // Where an end of a message lies: a client's lane in its middle, a replica's at its edge towards the other end.
  anchor(end, other) {
    const lane = this.places.get(`${end[0]}${end[1]}`);
    if (lane === undefined) return null;
    const y = this.top(lane);
    if (end[0] === "client") return y + lane.height / 2;
    const towards = this.places.get(`${other[0]}${other[1]}`);
    if (towards === undefined || towards === lane) return y + lane.height / 2;
    return towards.y < lane.y ? y + 18 : y + lane.height - 8;
  }

  message(row, style, named) {
    const { run } = this.view;
    const [from, to] = [run.endOf(row, "from"), run.endOf(row, "to")];
    if (from === null || to === null) return null;
    const [top, bottom] = [this.anchor(from, to), this.anchor(to, from)];
    if (top === null || bottom === null) return null;
    const sent = run.messages.numbers("time")[row];
    const fate = run.messages.numbers("fate_time")[row];
    const [x, right] = [this.x(sent), this.x(Number.isNaN(fate) ? run.end : fate)];
    if (right < GUTTER - 50 || x > this.width + 50) return null;
    const delivered = run.word("fate", run.messages.get("fate", row)) === "delivered";
    const refused = run.messages.get("reject_reason", row) !== null;
    const command = run.word("command", run.messages.get("command", row));
    const pen = this.context;
    pen.strokeStyle = this.colour(delivered && !refused ? GROUPS[command] || "other" : "lost");
    pen.lineWidth = style === "strong" ? 2 : 1;
    pen.globalAlpha = style === "strong" ? 1 : 0.45;
    pen.setLineDash(delivered ? [] : [4, 3]);
    pen.beginPath();
    pen.moveTo(x, top);
    pen.lineTo(right, bottom);
    pen.stroke();
    pen.setLineDash([]);
    this.tip(x, top, right, bottom, delivered, style);
    pen.globalAlpha = 1;
    if (named && Math.hypot(right - x, bottom - top) > 34) this.label(command.replaceAll("_", " "), x, top, right, bottom);
    return { row, x, top, right, bottom };
  }

  tip(x, top, right, bottom, delivered, style) {
    const pen = this.context;
    const size = style === "strong" ? 7 : 4;
    if (!delivered) {
      pen.beginPath();
      pen.moveTo(right - 4, bottom - 4);
      pen.lineTo(right + 4, bottom + 4);
      pen.moveTo(right - 4, bottom + 4);
      pen.lineTo(right + 4, bottom - 4);
      pen.stroke();
      return;
    }
    const angle = Math.atan2(bottom - top, right - x);
    pen.fillStyle = pen.strokeStyle;
    pen.beginPath();
    pen.moveTo(right, bottom);
    pen.lineTo(right - size * Math.cos(angle - 0.45), bottom - size * Math.sin(angle - 0.45));
    pen.lineTo(right - size * Math.cos(angle + 0.45), bottom - size * Math.sin(angle + 0.45));
    pen.fill();
  }

  label(text, x, top, right, bottom) {
    const pen = this.context;
    pen.font = "10px system-ui, sans-serif";
    const width = pen.measureText(text).width + 6;
    // The first place along the line that no other label has taken.
    const free = ([atX, atY]) => !this.named.some(([otherX, otherY, other]) => Math.abs(atX - otherX) < (width + other) / 2 && Math.abs(atY - otherY) < 14);
    const places = [0.5, 0.35, 0.65, 0.22, 0.78].map((part) => [x + (right - x) * part, top + (bottom - top) * part]);
    const found = places.find(free);
    if (found === undefined) return;
    const [middleX, middleY] = found;
    this.named.push([middleX, middleY, width]);
    pen.fillStyle = this.colour("ground");
    pen.globalAlpha = 0.85;
    pen.fillRect(middleX - width / 2, middleY - 7, width, 14);
    pen.globalAlpha = 1;
    this.text(text, middleX, middleY, "ink", "10px system-ui, sans-serif", "center");
  }

  everyMessage() {
    const { run, from, to } = this.view;
    const sent = run.messages.numbers("time");
    const first = lowerBound(sent, from - run.latency);
    const end = lowerBound(sent, to);
    this.view.hiddenMessages = end - first > MESSAGES_MAX ? end - first : 0;
    if (this.view.hiddenMessages > 0) return;
    const paths = new Map();
    for (let row = first; row < end; row += 1) this.trace(row, paths);
    const pen = this.context;
    pen.globalAlpha = 0.5;
    pen.lineWidth = 1;
    for (const [colour, path] of paths) {
      pen.strokeStyle = this.colour(colour);
      pen.setLineDash(colour === "lost" ? [4, 3] : []);
      pen.stroke(path);
    }
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  // Adds a message to the path of its colour: thousands of lines are one stroke each colour.
  trace(row, paths) {
    const { run } = this.view;
    const [from, to] = [run.endOf(row, "from"), run.endOf(row, "to")];
    if (from === null || to === null) return;
    const [top, bottom] = [this.anchor(from, to), this.anchor(to, from)];
    if (top === null || bottom === null) return;
    const fate = run.messages.numbers("fate_time")[row];
    const well = run.messages.get("fate", row) === run.delivered && run.messages.get("reject_reason", row) === null;
    const colour = well ? GROUPS[run.word("command", run.messages.get("command", row))] || "other" : "lost";
    if (!paths.has(colour)) paths.set(colour, new Path2D());
    const path = paths.get(colour);
    path.moveTo(this.x(run.messages.numbers("time")[row]), top);
    path.lineTo(this.x(Number.isNaN(fate) ? run.end : fate), bottom);
  }

  cones() {
    this.drawn = [];
    for (const cone of this.view.cones) {
      for (const row of cone.all) this.drawn.push(this.message(row, "weak", false));
    }
    for (const cone of this.view.cones) {
      for (const row of cone.own) this.drawn.push(this.message(row, "strong", true));
    }
    this.drawn = this.drawn.filter((line) => line !== null);
  }

  // Numbers of the witness's steps, on their rows.
  badges() {
    const pen = this.context;
    const taken = [];
    for (const mark of this.view.marks) {
      const lane = this.places.get(mark.lane);
      if (lane === undefined || mark.time === null) continue;
      let x = this.x(mark.time) + (mark.kind === "operation" ? 9 : 0);
      if (x < GUTTER - 20 || x > this.width + 20) continue;
      const y = this.top(lane) + (lane.kind === "replica" ? lane.height - 16 : lane.height / 2);
      while (taken.some(([otherX, otherY]) => Math.abs(otherX - x) < 17 && Math.abs(otherY - y) < 17)) x += 17;
      taken.push([x, y]);
      pen.beginPath();
      pen.arc(x, y, 8.5, 0, 2 * Math.PI);
      pen.fillStyle = this.colour(mark.number === this.view.step ? "chosen" : "mark");
      pen.fill();
      pen.strokeStyle = this.colour("ground");
      pen.lineWidth = 1.5;
      pen.stroke();
      this.text(`${mark.number}`, x, y + 0.5, "markInk", "700 10px system-ui, sans-serif", "center");
    }
  }

  // The whole run at the bottom, with the window on it.
  overview() {
    const { run, from, to } = this.view;
    const pen = this.context;
    const y = this.bottom;
    pen.fillStyle = this.colour("panel");
    pen.fillRect(0, y, this.width, OVERVIEW);
    const span = this.width - GUTTER;
    const at = (time) => GUTTER + (time / run.end) * span;
    const height = (OVERVIEW - 8) / Math.max(run.replicas.length, 1);
    run.replicas.forEach((replica, index) => {
      let last = -1;
      for (const part of replica.spans) {
        const right = at(part.to);
        if (right - last < 0.5) continue;
        last = right;
        pen.fillStyle = this.colour(part.role);
        pen.fillRect(at(part.from), y + 4 + index * height, Math.max(right - at(part.from), 0.5), Math.max(height - 1, 1));
      }
    });
    for (const mark of this.view.marks) {
      if (mark.time === null) continue;
      pen.fillStyle = this.colour("mark");
      pen.fillRect(at(mark.time) - 1, y + 1, 2, OVERVIEW - 2);
    }
    pen.strokeStyle = this.colour("chosen");
    pen.lineWidth = 2;
    pen.strokeRect(at(from), y + 2, Math.max(at(to) - at(from), 3), OVERVIEW - 4);
    this.text("whole run", 8, y + OVERVIEW / 2, "faint");
  }
}
