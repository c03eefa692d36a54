// Tells the values of a moment, under the pointer or at the arrow keys; everything else on the page does without.
"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const timeline = document.getElementById("timeline"), clock = document.getElementById("clock");
  const plots = [...timeline.querySelectorAll(".plot")];
  const outputs = [...timeline.querySelectorAll("output[data-score]")];
  const last = facts.seconds.length - 1;
  let index = 0;

  const cursors = plots.map((plot) => {
    const line = document.createElement("div");
    line.className = "cursor";
    line.hidden = true;
    plot.append(line);
    return line;
  });

  const time = (seconds) => {
    const ticks = Math.round(seconds * 100), whole = Math.floor(ticks / 100), two = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
    const rest = `${two(whole % 60)}.${two(ticks % 100)}`;
    return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
  };

  const value = (score) => {
    const low = score.low[index], high = score.high[index];
    if (high === null) return "none";
    const [from, to] = [low.toFixed(score.digits), high.toFixed(score.digits)];
    return from === to ? to : `${from} to ${to}`;
  };

  const tell = (number) => {
    index = Math.min(Math.max(number, 0), last);
    const seconds = facts.seconds[index];
    const share = (seconds - facts.from) / ((facts.until - facts.from) || 1);
    cursors.forEach((line) => {
      line.hidden = false;
      line.style.left = `${100 * share}%`;
    });
    clock.textContent = time(seconds);
    outputs.forEach((output) => { output.textContent = value(facts.scores[output.dataset.score]); });
    timeline.setAttribute("aria-valuenow", index);
    const words = Object.values(facts.scores).map((score) => `${score.title} ${value(score)}`);
    timeline.setAttribute("aria-valuetext", `${time(seconds)}: ${words.join(", ")}`);
  };

  // The last stretch that has begun at this time: they come in order.
  const at = (seconds) => {
    let low = 0, high = last;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (facts.seconds[middle] <= seconds + 1e-6) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  const point = (event) => {
    const box = plots[0].getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    tell(at(facts.from + share * (facts.until - facts.from)));
  };
  timeline.addEventListener("pointermove", point);
  timeline.addEventListener("pointerdown", point);

  const page = Math.max(1, Math.round(last / 10));
  const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: page, PageDown: -page };
  timeline.addEventListener("keydown", (event) => {
    if (event.target !== timeline || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key in steps) tell(index + steps[event.key]);
    else if (event.key === "Home") tell(0);
    else if (event.key === "End") tell(last);
    else return;
    event.preventDefault();
  });
})();
