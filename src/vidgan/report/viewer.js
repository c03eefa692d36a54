// The page's viewer: one film holds all pictures, stacked from the top; a canvas shows two of them beside a line.
"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const find = (id) => document.getElementById(id);
  const canvas = find("canvas"), split = find("split"), time = find("time"), clock = find("clock");
  const left = find("left"), right = find("right"), zoom = find("zoom"), play = find("play");
  const timelines = [...document.querySelectorAll("svg.timeline")];
  const pen = canvas.getContext("2d");
  const middle = { x: 0.5, y: 0.5 };  // of what is seen, as shares of the picture
  let index = 0;

  const film = document.createElement("video");
  film.muted = true;
  film.playsInline = true;
  film.preload = "auto";
  const packed = atob(find("film").textContent);
  film.src = URL.createObjectURL(new Blob([Uint8Array.from(packed, (c) => c.charCodeAt(0))], { type: "video/mp4" }));
  find("film").remove();

  // Half-way into a frame, so that rounding never shows the one before.
  const within = (number) => {
    const now = facts.seconds[number], next = facts.seconds[number + 1] ?? now + 0.02;
    return now + Math.min((next - now) / 2, 0.02);
  };

  const nearest = (seconds) => {
    let best = 0;
    facts.seconds.forEach((second, number) => {
      if (Math.abs(second - seconds) < Math.abs(facts.seconds[best] - seconds)) best = number;
    });
    return best;
  };

  const showing = (seconds) => {
    let number = facts.seconds.length - 1;
    while (number > 0 && facts.seconds[number] > seconds + 1e-4) number -= 1;
    return number;
  };

  const seen = () => {
    const scale = Number(zoom.value), width = facts.width / scale, height = facts.height / scale;
    const x = Math.min(Math.max(middle.x * facts.width - width / 2, 0), facts.width - width);
    const y = Math.min(Math.max(middle.y * facts.height - height / 2, 0), facts.height - height);
    return { x, y, width, height };
  };

  const draw = () => {
    const part = seen(), line = split.value / 1000;
    const across = canvas.width * line;
    pen.imageSmoothingEnabled = Number(zoom.value) < 2;
    const half = (row, from, share) => {
      if (share <= 0) return;
      pen.drawImage(film, part.x + part.width * from, row * facts.height + part.y, part.width * share, part.height,
        canvas.width * from, 0, canvas.width * share, canvas.height);
    };
    half(Number(left.value), 0, line);
    half(Number(right.value), line, 1 - line);
    pen.fillStyle = "#fff";
    pen.fillRect(across - 1, 0, 2, canvas.height);
    canvas.dataset.frame = index;
  };

  const tell = () => {
    time.value = index;
    clock.textContent = `${facts.seconds[index].toFixed(3)} s`;
    timelines.forEach((chart) => {
      const from = Number(chart.dataset.from), until = Number(chart.dataset.until);
      const share = until > from ? (facts.seconds[index] - from) / (until - from) : 0;
      const box = chart.viewBox.baseVal;
      const start = Number(chart.dataset.left) * box.width, end = Number(chart.dataset.right) * box.width;
      let cursor = chart.querySelector(".cursor");
      if (!cursor) {
        cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
        cursor.setAttribute("class", "cursor");
        cursor.setAttribute("y1", 0);
        cursor.setAttribute("y2", box.height - 30);
        chart.append(cursor);
      }
      cursor.setAttribute("x1", start + share * (end - start));
      cursor.setAttribute("x2", start + share * (end - start));
      chart.setAttribute("aria-valuenow", index);
      chart.setAttribute("aria-valuetext", clock.textContent);
    });
  };

  const go = (number) => {
    index = Math.min(Math.max(number, 0), facts.seconds.length - 1);
    film.currentTime = within(index);
    tell();
  };

  const halt = () => { film.pause(); play.textContent = "Play"; };
  const run = () => {
    if (index >= facts.seconds.length - 1) go(0);
    film.play().then(() => { play.textContent = "Pause"; }, () => {});
  };
  const toggle = () => (film.paused ? run() : (halt(), go(index)));

  const follow = () => {
    if (!film.paused) {
      index = showing(film.currentTime);
      tell();
      draw();
    }
    requestAnimationFrame(follow);
  };

  film.addEventListener("seeked", draw);
  film.addEventListener("loadeddata", () => { go(0); canvas.dataset.ready = "yes"; });
  film.addEventListener("ended", () => { halt(); go(facts.seconds.length - 1); });
  film.addEventListener("error", () => {
    canvas.replaceWith(Object.assign(document.createElement("p"),
      { textContent: "This browser does not play H.264; the frames below need no film." }));
  });
  requestAnimationFrame(follow);

  [split, left, right, zoom].forEach((control) => control.addEventListener("input", draw));
  time.addEventListener("input", () => { halt(); go(Number(time.value)); });
  play.addEventListener("click", toggle);

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  };
  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    held = place(event);
    canvas.setPointerCapture(event.pointerId);
    if (!event.shiftKey) { split.value = held.x * 1000; draw(); }
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    const now = place(event);
    if (event.shiftKey) {
      move((held.x - now.x) / zoom.value, (held.y - now.y) / zoom.value);
      held = now;
    } else {
      split.value = now.x * 1000;
      draw();
    }
  });
  ["pointerup", "pointercancel"].forEach((name) => canvas.addEventListener(name, () => { held = null; }));

  const move = (x, y) => {
    const part = seen(), half = { x: part.width / facts.width / 2, y: part.height / facts.height / 2 };
    middle.x = Math.min(Math.max(middle.x + x, half.x), 1 - half.x);
    middle.y = Math.min(Math.max(middle.y + y, half.y), 1 - half.y);
    draw();
  };
  const step = 0.1;
  const ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  canvas.addEventListener("keydown", (event) => {
    const way = ways[event.key];
    if (way) {
      if (Number(zoom.value) > 1) move(way[0] / zoom.value, way[1] / zoom.value);
      else { split.value = Number(split.value) + way[0] * 200; draw(); }
      event.preventDefault();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (["SELECT", "BUTTON", "INPUT"].includes(event.target.tagName)) return;
    if (event.key === " ") { toggle(); event.preventDefault(); }
    if (event.key === "," || event.key === ".") { halt(); go(index + (event.key === "." ? 1 : -1)); }
  });

  timelines.forEach((chart) => {
    const seek = (event) => {
      const box = chart.getBoundingClientRect();
      const start = Number(chart.dataset.left), end = Number(chart.dataset.right);
      const share = Math.min(Math.max(((event.clientX - box.left) / box.width - start) / (end - start), 0), 1);
      const from = Number(chart.dataset.from), until = Number(chart.dataset.until);
      halt();
      go(nearest(from + share * (until - from)));
    };
    chart.addEventListener("pointerdown", (event) => { chart.setPointerCapture(event.pointerId); seek(event); });
    chart.addEventListener("pointermove", (event) => { if (event.buttons) seek(event); });
    chart.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (by) { halt(); go(index + by); event.preventDefault(); }
      if (event.key === "Home") { halt(); go(0); event.preventDefault(); }
      if (event.key === "End") { halt(); go(facts.seconds.length - 1); event.preventDefault(); }
    });
  });
  document.querySelectorAll("button[data-seconds]").forEach((button) => {
    button.addEventListener("click", () => {
      halt();
      go(nearest(Number(button.dataset.seconds)));
      canvas.scrollIntoView({ behavior: "smooth", block: "center" });
    });
  });
})();
