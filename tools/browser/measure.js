// Put behind a page by test.sh: uses it as a hand would, and writes down how long a frame takes.
(() => {
  const view = window.timeline;
  const frames = (count, step) => {
    const all = [];
    for (let at = 0; at < count; at += 1) {
      step(at);
      const started = performance.now();
      view.painter.draw();
      all.push(performance.now() - started);
    }
    all.sort((a, b) => a - b);
    return { median_ms: all[count >> 1], p95_ms: all[Math.floor(count * 0.95)] };
  };
  view.showWhole();
  const whole = frames(60, () => view.move(0.001));
  document.getElementById("messages").click();
  const zoom = frames(120, (at) => view.zoom(at < 60 ? 0.88 : 1 / 0.88));
  view.showWhole();
  view.zoom(0.02);
  const pan = frames(120, () => view.move(0.02));
  const lane = view.run.clients[0];
  const started = performance.now();
  const cone = coneOf(view.run, lane.rows[lane.rows.length >> 1]);
  const coneTime = performance.now() - started;
  const rows = ["operations", "messages", "transitions"].reduce((sum, name) => sum + view.run[name].rows, 0);
  document.body.dataset.measured = JSON.stringify({ rows, whole, zoom, pan, cone_ms: coneTime, cone_messages: cone.own.length });
})();
