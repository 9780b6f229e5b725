// The page: what is chosen, what the window shows, and what hands do to it.

const COLOURS = {
  light: {
    ground: "#ffffff", panel: "#f4f5f7", lane: "#f4f6f8", ink: "#1b1f24", faint: "#66707c", grid: "#e6e9ed", heal: "#2e9e6b", cursor: "#9aa4b2",
    primary: "#9cc3fb", backup: "#dde6f1", changing: "#fbd88a", recovering: "#d9c5f5", down: "#e3e4e8", paused: "#ececf0", hatch: "#c3c6cd",
    roleInk: "#223044", stairs: "#0b3b8c", tick: "#8793a3", loud: "#c2410c",
    write: "#2f74c0", read: "#187a5b", refused: "#6b7280", unknown: "#a15c00", barInk: "#ffffff",
    fault: "#f6c9c4", faultEdge: "#c0362c", faultInk: "#6d1710",
    call: "#0f766e", log: "#1d4ed8", view: "#b45309", other: "#6b7280", lost: "#d92d20",
    mark: "#d92d20", chosen: "#7a21d9", markInk: "#ffffff",
  },
  dark: {
    ground: "#14171c", panel: "#1c2027", lane: "#1b1f26", ink: "#e6e9ee", faint: "#97a1ae", grid: "#262c35", heal: "#4fbf8b", cursor: "#566070",
    primary: "#2c5fae", backup: "#2a3444", changing: "#8a6410", recovering: "#5a3f8a", down: "#26282d", paused: "#2b2d33", hatch: "#44474e",
    roleInk: "#e3eaf5", stairs: "#cfe1ff", tick: "#6d7888", loud: "#ff9d5c",
    write: "#2f6fb8", read: "#1a7a5c", refused: "#6f757f", unknown: "#9a5f0c", barInk: "#ffffff",
    fault: "#54231f", faultEdge: "#ff6f61", faultInk: "#ffc9c2",
    call: "#3ecfbf", log: "#7aa5ff", view: "#f0ad4e", other: "#9aa4b2", lost: "#ff6b5e",
    mark: "#f04438", chosen: "#b983ff", markInk: "#ffffff",
  },
};
const LANES = { operation: "client", transition: "replica", storage: "replica", message: "replica" };

const find = (id) => document.getElementById(id);

function element(name, properties = {}, children = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

class View {
  constructor(about) {
    this.about = about;
    this.loaded = new Map();
    this.filter = { tenant: null, key: null, onlyFailed: false, onlyFaults: false, messages: false };
    this.frames = [];
    this.painter = new Painter(find("timeline"), this);
    this.setTheme(window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  }

  setTheme(theme) {
    this.theme = theme;
    this.colours = COLOURS[theme];
    document.documentElement.dataset.theme = theme;
    this.key();
    this.redraw();
  }

  key() {
    const names = [["primary", "primary"], ["backup", "backup"], ["changing", "view change"], ["recovering", "recovering"], ["down", "down"],
      ["write", "writes"], ["read", "reads"], ["refused", "refused"], ["unknown", "unknown outcome"], ["fault", "fault"],
      ["call", "request, reply"], ["log", "prepare, commit"], ["view", "view change"], ["lost", "lost or refused"]];
    document.querySelector("#legend .keys").replaceChildren(...names.map(([colour, words]) => {
      const box = element("i");
      box.style.background = this.colours[colour];
      return element("span", { className: "key" }, [box, words]);
    }));
  }

  redraw() {
    if (this.pending || this.run === undefined) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.paint();
    });
  }

  paint() {
    const started = performance.now();
    this.painter.draw();
    this.frames.push(performance.now() - started);
    if (this.frames.length > 600) this.frames.shift();
    const note = find("note");
    note.hidden = !(this.filter.messages && this.hiddenMessages > 0);
    note.textContent = `${this.hiddenMessages} messages here: zoom in to see them`;
  }

  load(index) {
    if (!this.loaded.has(index)) {
      this.loaded.set(index, new Run(this.about.runs[index], this.about.words, bytesOf(find(`run-${index}`).textContent)));
    }
    return this.loaded.get(index);
  }

  openRun(index) {
    this.index = index;
    this.run = this.load(index);
    placeUs = this.run.about.place_us;
    this.scroll = 0;
    [this.marks, this.cones, this.picked, this.cursor, this.step, this.violation] = [[], [], null, null, null, null];
    find("run").value = String(index);
    fill("tenant", [...new Set(this.run.clients.map((client) => client.tenant))], "tenant");
    fill("key", [...new Set(Array.from(this.run.operations.numbers("key")))].sort((a, b) => a - b), "key");
    [this.filter.tenant, this.filter.key] = [null, null];
    this.showWhole();
    if (this.run.about.violations.length > 0) this.openViolation(0);
    else this.sidebar();
  }

  openViolation(index) {
    this.violation = index;
    this.step = null;
    this.picked = null;
    this.marks = this.run.about.violations[index].marks.map((mark, at) => this.place(mark, at + 1));
    this.cones = this.marks.filter((mark) => mark.row >= 0).map((mark) => this.coneFor(mark.kind, mark.row));
    this.showWitness();
    this.sidebar();
  }

  // Where a row of a witness lies on the page.
  place(mark, number) {
    const table = this.run[{ operation: "operations", message: "messages", transition: "transitions", storage: "storage", fault: "faults" }[mark.kind]];
    const row = table === undefined ? -1 : table.bySeq(mark.seq);
    if (row < 0) return { kind: mark.kind, number, row, lane: `replica${mark.replica}`, time: mark.time_ns === null ? null : mark.time_ns / 1000 };
    let lane = `replica${mark.kind === "message" ? table.get("to", row) : mark.replica}`;
    if (LANES[mark.kind] === "replica" && mark.kind !== "message") lane = `replica${table.get("replica", row)}`;
    if (mark.kind === "operation") lane = `client${this.run.clientLane(table.get("tenant", row), table.get("client", row))}`;
    if (mark.kind === "fault") lane = `faults${this.run.bands.find((band) => band.row === row).line}`;
    return { kind: mark.kind, number, row, lane, time: table.numbers("time")[row] };
  }

  coneFor(kind, row) {
    return kind === "operation" ? coneOf(this.run, row) : neighboursOf(this.run, kind, row);
  }

  isQuiet() {
    return this.marks.length > 0 || this.picked !== null;
  }

  isMarked(kind, row) {
    return this.marks.some((mark) => mark.kind === kind && mark.row === row);
  }

  isChosen(kind, row) {
    return this.picked !== null && this.picked.kind === kind && this.picked.row === row;
  }

  pick(kind, row, step = null) {
    this.picked = { kind, row };
    this.step = step;
    this.cones = [this.coneFor(kind, row)];
    this.sidebar();
    this.redraw();
  }

  forget() {
    this.picked = null;
    this.step = null;
    this.cones = this.marks.filter((mark) => mark.row >= 0).map((mark) => this.coneFor(mark.kind, mark.row));
    this.sidebar();
    this.redraw();
  }

  window(from, to) {
    const room = this.run.end * 0.02;
    const width = Math.max(20, Math.min(to - from, this.run.end + 2 * room));
    const begin = Math.max(-room, Math.min(from, this.run.end + room - width));
    [this.from, this.to] = [begin, begin + width];
    this.redraw();
  }

  showWhole() {
    this.window(0, this.run.end * 1.01);
  }

  // So much that every row of the witness, and what an operation of it waited for, is well inside.
  showWitness() {
    const times = [];
    for (const mark of this.marks.filter((mark) => mark.time !== null)) {
      times.push(mark.time);
      if (mark.kind === "operation" && mark.row >= 0) times.push(this.run.opEnd(mark.row));
    }
    if (times.length === 0) return;
    const [first, last] = [Math.min(...times), Math.max(...times)];
    const room = Math.max((last - first) * 0.12, 2000);
    this.window(first - room, last + room);
    this.reveal();
  }

  // Scrolls so that the lanes of the witness are on the screen, if they fit.
  reveal() {
    this.painter.layout();
    const lanes = this.marks.map((mark) => this.painter.places.get(mark.lane)).filter((lane) => lane !== undefined);
    const height = find("timeline").clientHeight - AXIS - OVERVIEW;
    const top = Math.min(...lanes.map((lane) => lane.y));
    if (lanes.length > 0 && (top < this.scroll || top > this.scroll + height - 40)) this.scroll = Math.max(0, top - 40);
  }

  zoom(factor, around = (this.from + this.to) / 2) {
    this.window(around - (around - this.from) * factor, around + (this.to - around) * factor);
  }

  move(share) {
    const by = (this.to - this.from) * share;
    this.window(this.from + by, this.to + by);
  }

  sidebar() {
    const { violations } = this.run.about;
    const cards = violations.map((violation, index) => this.card(violation, index));
    const good = element("p", { className: "good", textContent: "Nothing is violated in this run." });
    find("violations").replaceChildren(...(cards.length > 0 ? cards : [good]));
    this.details();
  }

  card(violation, index) {
    const chosen = index === this.violation;
    const head = [element("b", { textContent: violation.invariant })];
    if (violation.because_of !== null) head.push(element("span", { className: "also", textContent: `follows from ${violation.because_of}` }));
    if (chosen || violation.because_of === null) head.push(element("p", { textContent: violation.summary }));
    const open = element("button", { onclick: () => this.openViolation(index) }, head);
    const card = element("div", { className: chosen ? "violation chosen" : "violation" }, [open]);
    if (chosen) card.append(element("ol", { className: "steps" }, violation.marks.map((mark, at) => this.stepLine(mark, at + 1))));
    return card;
  }

  stepLine(mark, number) {
    const placed = this.marks[number - 1];
    const where = `${mark.kind} row ${mark.seq}${placed.time === null || placeUs !== null ? "" : ` at ${seconds(placed.time)}`}`;
    const words = element("span", {}, [mark.words, element("small", { textContent: where })]);
    const button = element("button", { onclick: () => this.goTo(number) }, [
      element("span", { className: "number", textContent: String(number) }), words]);
    if (this.step === number) button.className = "chosen";
    return element("li", {}, [button]);
  }

  // Chooses a step of the witness and brings it into the window.
  goTo(number) {
    const mark = this.marks[number - 1];
    if (mark === undefined || mark.time === null) return;
    // Close enough to read what the row is, and wide enough to see what is around it.
    const length = mark.kind === "operation" && mark.row >= 0 ? this.run.opEnd(mark.row) - mark.time : 0;
    const [narrow, wide] = [Math.max(length * 2.5, 8000), Math.max(length * 8, 60000)];
    const width = Math.max(narrow, Math.min(wide, this.to - this.from));
    const middle = mark.time + Math.min(length, wide) / 2;
    this.window(middle - width / 2, middle + width / 2);
    if (mark.row >= 0) this.pick(mark.kind, mark.row, number);
  }

  details() {
    if (this.picked === null) {
      find("details").replaceChildren();
      return;
    }
    const [headline, facts] = aboutRow(this.run, this.picked.kind, this.picked.row);
    const rows = facts.map(([name, text]) => element("tr", {}, [element("td", { textContent: name }), element("td", { textContent: text })]));
    const parts = [element("h2", { textContent: "chosen" }), element("b", { textContent: headline }), element("table", {}, rows)];
    const carriers = this.cones.flatMap((cone) => cone.own);
    if (carriers.length > 0) {
      parts.push(element("h2", { textContent: "messages that bear it" }), element("table", {}, carriers.slice(0, 60).map((row) => this.carrier(row))));
    } else if (this.picked.kind === "operation") {
      parts.push(element("p", { textContent: "No message of this operation was recorded." }));
    }
    find("details").replaceChildren(...parts);
  }

  carrier(row) {
    const { messages } = this.run;
    const name = this.run.word("command", messages.get("command", row));
    const link = element("button", { textContent: name, onclick: () => this.pick("message", row) });
    const fate = this.run.word("fate", messages.get("fate", row));
    const text = `${endText(this.run, row, "from")} → ${endText(this.run, row, "to")}${fate === "delivered" ? "" : `, ${fate}`}`;
    return element("tr", {}, [element("td", {}, [link]), element("td", { textContent: text })]);
  }

  // The row under the mouse: kind and row, or null.
  at(x, y) {
    const lane = this.painter.laneAt(y);
    const time = this.painter.time(x);
    const near = ((this.to - this.from) / this.painter.width) * 5;
    const mark = this.marks.find((mark) => mark.row >= 0 && lane !== undefined && mark.lane === `${lane.kind}${lane.index}` && Math.abs(mark.time - time) < near * 3);
    if (lane !== undefined && lane.kind === "client") return this.operationAt(lane, time, near) || (mark && [mark.kind, mark.row]) || null;
    if (mark) return [mark.kind, mark.row];
    const line = (this.painter.drawn || []).find((line) => distance(line, x, y) < 5);
    if (line !== undefined) return ["message", line.row];
    if (lane === undefined) return null;
    if (lane.kind === "faults") {
      const band = this.run.bands.find((band) => band.line === lane.index && time >= band.from - near && time <= Math.max(band.to, band.from) + near);
      return band === undefined ? null : ["fault", band.row];
    }
    const replica = this.run.replicas[lane.index];
    const next = lowerBound(replica.times, time - near);
    return next < replica.times.length && replica.times[next] <= time + near ? ["transition", replica.rows[next]] : null;
  }

  operationAt(lane, time, near) {
    const client = this.run.clients[lane.index];
    for (let at = lowerBound(client.starts, time + near) - 1; at >= 0 && at > lowerBound(client.starts, time) - 66; at -= 1) {
      const row = client.rows[at];
      const end = this.run.isUnknown(row) ? this.painter.nextStart.call({ view: this }, client, at) : this.run.opEnd(row);
      if (end + near >= time && this.painter.isShown(row)) return ["operation", row];
    }
    return null;
  }

  hover(x, y) {
    const tip = find("tip");
    this.cursor = x > GUTTER ? this.painter.time(x) : null;
    const hit = x > GUTTER ? this.at(x, y) : null;
    tip.hidden = hit === null;
    if (hit !== null) {
      const [headline, facts] = aboutRow(this.run, hit[0], hit[1]);
      tip.replaceChildren(element("b", { textContent: headline }), element("small", { textContent: facts.slice(0, 5).map((fact) => fact.join(" ")).join(" · ") }));
      const { clientWidth, clientHeight } = find("stage");
      tip.style.left = `${Math.max(4, Math.min(x + 14, clientWidth - tip.offsetWidth - 8))}px`;
      tip.style.top = `${y + 18 + tip.offsetHeight > clientHeight ? y - tip.offsetHeight - 10 : y + 18}px`;
    }
    this.redraw();
  }
}

function distance(line, x, y) {
  const [dx, dy] = [line.right - line.x, line.bottom - line.top];
  const along = Math.max(0, Math.min(1, ((x - line.x) * dx + (y - line.top) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - line.x - along * dx, y - line.top - along * dy);
}

function fill(id, values, thing) {
  const options = values.map((value) => element("option", { value: String(value), textContent: String(value) }));
  find(id).replaceChildren(element("option", { value: "", textContent: `every ${thing}` }), ...options);
}

function listen(view) {
  const canvas = find("timeline");
  const choose = (id, change) => find(id).addEventListener("change", (event) => {
    change(event.target);
    view.redraw();
  });
  choose("run", (target) => view.openRun(Number(target.value)));
  choose("tenant", (target) => { view.filter.tenant = target.value === "" ? null : Number(target.value); });
  choose("key", (target) => { view.filter.key = target.value === "" ? null : target.value; });
  choose("only-failed", (target) => { view.filter.onlyFailed = target.checked; });
  choose("only-faults", (target) => { view.filter.onlyFaults = target.checked; });
  choose("messages", (target) => { view.filter.messages = target.checked; });
  const press = (id, act) => find(id).addEventListener("click", act);
  press("zoom-in", () => view.zoom(1 / 1.5));
  press("zoom-out", () => view.zoom(1.5));
  press("whole", () => view.showWhole());
  press("witness", () => view.showWitness());
  press("theme", () => view.setTheme(view.theme === "dark" ? "light" : "dark"));
  listenToMouse(view, canvas);
  document.addEventListener("keydown", (event) => listenToKeys(view, event));
  new ResizeObserver(() => view.redraw()).observe(canvas);
}

function listenToMouse(view, canvas) {
  let drag = null;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) view.move((event.deltaX || event.deltaY) / 1500);
    else if (event.offsetX < GUTTER) view.scroll += event.deltaY;
    else view.zoom(Math.exp(Math.max(-150, Math.min(event.deltaY, 150)) / 350), view.painter.time(event.offsetX));
    view.redraw();
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    const overview = event.offsetY > view.painter.bottom;
    drag = { x: event.offsetX, y: event.offsetY, from: view.from, to: view.to, scroll: view.scroll, moved: false, overview };
    if (overview) jump(view, event.offsetX);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (drag === null) return view.hover(event.offsetX, event.offsetY);
    if (drag.overview) return jump(view, event.offsetX);
    if (Math.hypot(event.offsetX - drag.x, event.offsetY - drag.y) > 3) drag.moved = true;
    if (!drag.moved) return undefined;
    const by = ((drag.x - event.offsetX) / (view.painter.width - GUTTER)) * (drag.to - drag.from);
    view.scroll = drag.scroll + drag.y - event.offsetY;
    return view.window(drag.from + by, drag.to + by);
  });
  canvas.addEventListener("pointerup", (event) => {
    const clicked = drag !== null && !drag.moved && !drag.overview;
    drag = null;
    if (!clicked) return;
    const hit = view.at(event.offsetX, event.offsetY);
    if (hit === null) view.forget();
    else view.pick(...hit);
  });
  canvas.addEventListener("pointerleave", () => {
    find("tip").hidden = true;
    view.cursor = null;
    view.redraw();
  });
  canvas.addEventListener("dblclick", (event) => view.zoom(0.4, view.painter.time(event.offsetX)));
}

function jump(view, x) {
  const time = ((x - GUTTER) / (view.painter.width - GUTTER)) * view.run.end;
  const half = (view.to - view.from) / 2;
  view.window(time - half, time + half);
}

function listenToKeys(view, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || ["SELECT", "INPUT"].includes(event.target.tagName)) return;
  const violations = view.run.about.violations.length;
  const turn = (by) => violations > 0 && view.openViolation((view.violation + by + violations) % violations);
  const keys = {
    ArrowLeft: () => view.move(-0.15), ArrowRight: () => view.move(0.15),
    ArrowUp: () => { view.scroll -= 40; }, ArrowDown: () => { view.scroll += 40; },
    "+": () => view.zoom(1 / 1.5), "=": () => view.zoom(1 / 1.5), "-": () => view.zoom(1.5),
    0: () => view.showWhole(), w: () => view.showWitness(), n: () => turn(1), p: () => turn(-1), Escape: () => view.forget(),
    m: () => find("messages").click(),
  };
  const digit = /^[1-9]$/.test(event.key) ? () => view.goTo(Number(event.key)) : undefined;
  const act = keys[event.key] || digit;
  if (act === undefined) return;
  event.preventDefault();
  act();
  view.redraw();
}

function table(lines) {
  const head = element("tr", {}, ["invariant", "pass", "violated", "unknown", "n/a"].map((word) => element("th", { textContent: word })));
  const rows = lines.map((line) => {
    const numbers = [line.pass, line.violation, line.unknown, line.not_applicable].map((number) => element("td", { textContent: String(number) }));
    const name = element("td", { textContent: line.invariant, title: line.statement });
    return element("tr", { className: line.violation > 0 ? "bad" : "" }, [name, ...numbers]);
  });
  return element("table", {}, [head, ...rows]);
}

function start() {
  const about = JSON.parse(find("about").textContent);
  find("summary").textContent = about.summary.join(" · ");
  document.querySelector("#invariants div").replaceChildren(table(about.lines));
  find("invariants").hidden = about.lines.length === 0;
  const names = about.runs.map((run, index) => {
    const broken = run.violations.filter((violation) => violation.because_of === null).map((violation) => violation.invariant);
    return element("option", { value: String(index), textContent: `${run.scenario} seed ${run.seed}${broken.length > 0 ? `: ${broken.join(", ")}` : ""}` });
  });
  find("run").replaceChildren(...names);
  const view = new View(about);
  window.timeline = view;
  listen(view);
  if (about.runs.length > 0) view.openRun(0);
  document.body.dataset.ready = String(about.runs.length);
}

start();
