// Put behind a page by test.sh: uses it as a person would and writes down what does not work. The page holds stale reads.
(() => {
  const view = window.timeline;
  const wrong = [];
  const expect = (holds, words) => holds || wrong.push(words);
  const key = (name) => document.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
  const inside = (time) => time >= view.from && time <= view.to;
  const root = view.run.about.violations[0];

  // It opens on the first violation, every row of which is found and in the window.
  expect(view.violation === 0 && root.because_of === null, "the first violation is open and is a root");
  expect(view.marks.length === root.marks.length && view.marks.every((mark) => mark.row >= 0 && inside(mark.time)), "its rows are in the window");
  expect(document.querySelectorAll(".violation.chosen .steps button").length === root.marks.length, "its steps are listed");
  view.painter.draw();
  expect(view.painter.drawn.length > 0, "the messages of its operations are drawn");

  // A click on a step chooses the operation and shows what bore it, from its call to its return.
  document.querySelector(".violation.chosen .steps li:last-child button").click();
  const { row } = view.picked;
  const cone = view.cones[0];
  const names = cone.own.map((message) => view.run.word("command", view.run.messages.get("command", message)));
  expect(names.includes("request") && names.includes("reply"), `request and reply bear the read: ${names}`);
  const [from, to] = [view.run.operations.get("seq", row), view.run.operations.get("return_seq", row)];
  const sent = (message) => view.run.messages.get("seq", message);
  expect([...cone.own, ...cone.all].every((message) => sent(message) >= from && sent(message) <= to), "the cone lies between call and return");
  expect(document.getElementById("details").textContent.includes("reply"), "the side names the messages");

  // The same by a click on the bar itself.
  key("Escape");
  expect(view.picked === null, "Escape forgets the choice");
  view.painter.draw();
  const mark = view.marks[view.marks.length - 1];
  const lane = view.painter.places.get(mark.lane);
  const hit = view.at(view.painter.x((mark.time + view.run.opEnd(mark.row)) / 2), view.painter.top(lane) + lane.height / 2);
  expect(hit !== null && hit[0] === "operation" && hit[1] === mark.row, "the bar under the mouse is found");

  // Keys and the mouse's wheel move and zoom.
  let width = view.to - view.from;
  key("+");
  expect(view.to - view.from < width, "+ zooms in");
  width = view.to - view.from;
  document.getElementById("timeline").dispatchEvent(new WheelEvent("wheel", { deltaY: 120, clientX: 900, clientY: 300, cancelable: true }));
  expect(view.to - view.from > width, "the wheel zooms out");
  let begin = view.from;
  key("ArrowLeft");
  expect(view.from < begin, "the left arrow moves");
  key("0");
  expect(view.from <= 0 && view.to >= view.run.end, "0 shows the whole run");
  key("w");
  expect(view.marks.every((mark) => inside(mark.time)), "w comes back to the violation");

  // Toggles.
  document.getElementById("only-faults").click();
  view.painter.draw();
  expect(!view.painter.lanes.some((lane) => lane.kind === "client"), "only faults hides the clients");
  document.getElementById("only-faults").click();
  const choose = (id, value) => {
    document.getElementById(id).value = value;
    document.getElementById(id).dispatchEvent(new Event("change"));
  };
  const marked = view.marks[0].row;
  choose("key", String(view.run.operations.get("key", marked)));
  const others = [...Array(view.run.operations.rows).keys()].filter((row) => !view.painter.isShown(row));
  expect(others.length > 0 && view.painter.isShown(marked), "a key hides other keys");
  choose("key", "");
  document.getElementById("only-failed").click();
  expect([...Array(view.run.operations.rows).keys()].some((row) => !view.painter.isShown(row)), "only failed hides the others");
  document.getElementById("only-failed").click();
  begin = view.theme;
  document.getElementById("theme").click();
  expect(view.theme !== begin, "the theme changes");
  document.getElementById("theme").click();

  // Every run and every violation of the page opens.
  view.about.runs.forEach((run, index) => {
    choose("run", String(index));
    run.violations.forEach((violation, number) => {
      if (number > 0) key("n");
      expect(view.violation === number && view.marks.every((mark) => mark.row >= 0), `violation ${number} of run ${index} opens`);
      view.painter.draw();
    });
  });
  choose("run", "0");
  document.body.dataset.checked = wrong.length === 0 ? "everything works" : `does not hold: ${wrong.join("; ")}`;
})();
