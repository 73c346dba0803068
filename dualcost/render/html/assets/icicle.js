// Icicles: every module as wide as its share, above what it is made of; before and after.
"use strict";

(() => {
  const NAMED = 26; // pixels that a box needs to say its name
  const home = document.getElementById("icicles");
  if (!home) return;
  const { rows, top } = Rows;
  const { metrics, name } = DATA.icicle;
  const column = Object.fromEntries(DATA.table.columns.map(([key], place) => [key, place]));
  const root = { index: -1, parent: null, module: 1, hue: "module", children: top, label: name };
  const parentOf = (row) => (row === root ? null : row.parent < 0 ? root : rows[row.parent]);
  let zoomed = root;
  let metric = metrics[0];

  const cell = (row, side) => row.values[column[metric[side]]] ?? 0;
  const value = (row, side) =>
    row === root ? top.reduce((sum, one) => sum + cell(one, side), 0) : cell(row, side);
  const label = (row) => (row === root ? name : row.element.cells[0].textContent);
  const path = (row) => (row === root ? name : row.values[0]);
  const sides = DATA.icicle.sides; // [["before", "before"], …]: what is read, and how it is called

  const make = (tag, where, facts = {}) => where.appendChild(Object.assign(document.createElement(tag), facts));

  const choice = make("fieldset", home, { className: "choice" });
  make("legend", choice, { textContent: "Width:" });
  metrics.forEach((one, place) => {
    const box = make("label", choice);
    const radio = make("input", box, { type: "radio", name: "metric", value: one.title, checked: !place });
    box.append(` ${one.title}`);
    radio.addEventListener("change", () => { metric = one; draw(); });
  });
  const crumbs = make("div", home, { className: "crumbs" });
  const drawings = sides.map(([side, title]) => {
    const caption = make("p", home, { className: "icicle-title" });
    const drawing = make("div", home, { className: "icicle" });
    drawing.setAttribute("role", "tree");
    drawing.setAttribute("aria-label", `${name}, ${title}`);
    drawing.dataset.side = side;
    const boxes = new Map();
    for (const row of [root, ...rows]) {
      const box = make("div", drawing, { tabIndex: -1, textContent: label(row) });
      const replaced = side !== "before" || row.module ? row.hue : DATA.icicle.was[row.hue] ?? row.hue;
      box.className = replaced;
      box.setAttribute("role", "treeitem");
      box.dataset.index = row.index;
      boxes.set(row, box);
    }
    const saved = make("span", drawing, { className: "saved" });
    return { side, title, caption, drawing, boxes, saved };
  });
  const detail = make("p", home, { id: "detail" });

  const exact = (row, side) => {
    const number = value(row, side);
    return metric.seconds
      ? `~${(1000 * number).toLocaleString("en-US", { maximumFractionDigits: 3, minimumFractionDigits: 3 })} ms`
      : number.toLocaleString("en-US");
  };
  const share = (row, side) => {
    const whole = value(root, side);
    return `${((100 * value(row, side)) / (whole || 1)).toFixed(1)}%`;
  };
  const unit = () => (metric.seconds ? "" : ` ${metric.title}`);
  const describe = (row) => {
    const numbers = sides.map(([side]) => exact(row, side)).join(" → ");
    const last = sides.at(-1)[0];
    const kind = row === root ? "" : row.element.cells[1].textContent;
    const words = [path(row), kind, `${numbers}${unit()}`, `${share(row, last)} of the network`];
    return words.filter(Boolean).join(" · ");
  };

  function draw() {
    const most = Math.max(...sides.map(([side]) => value(zoomed, side)));
    for (const { side, title, caption, drawing, boxes, saved } of drawings) {
      for (const box of boxes.values()) box.hidden = true;
      const scale = most ? 100 / most : 0;
      let deepest = 0;
      const place = (row, left, depth) => {
        const width = value(row, side) * scale;
        const box = boxes.get(row);
        box.hidden = width <= 0;
        if (box.hidden) return;
        deepest = Math.max(deepest, depth);
        Object.assign(box.style, { left: `${left}%`, width: `${width}%`, top: `${1.55 * depth}rem` });
        box.classList.toggle("thin", width * drawing.clientWidth < 100 * NAMED);
        box.setAttribute("aria-level", depth + 1);
        box.setAttribute("aria-label", `${path(row)}, ${exact(row, side)}${unit()}, ${share(row, side)}`);
        for (const child of row.children) {
          place(child, left, depth + 1);
          left += value(child, side) * scale;
        }
      };
      place(zoomed, 0, 0);
      drawing.style.height = `${1.55 * (deepest + 1)}rem`;
      caption.textContent = `${title}: ${exact(zoomed, side)}${unit()}`;
      const whole = value(zoomed, side) * scale;
      const left = value(zoomed, side) / (value(zoomed, sides[0][0]) || 1) - 1;
      saved.textContent = left < 0 ? `−${(-100 * left).toFixed(1)}%` : "";
      saved.style.left = `${whole}%`;
      saved.hidden = whole > 94;
      rove(boxes, boxes.get(zoomed));
    }
    crumbs.replaceChildren();
    const trail = [];
    for (let row = zoomed; row; row = parentOf(row)) trail.unshift(row);
    crumbs.hidden = trail.length === 1;
    trail.forEach((row, at) => {
      if (at) crumbs.append("›");
      if (row === zoomed) make("span", crumbs, { textContent: label(row) });
      else make("button", crumbs, { type: "button", textContent: label(row) }).addEventListener("click", () => zoom(row));
    });
    detail.textContent = describe(zoomed);
  }

  function rove(boxes, box) {
    for (const other of boxes.values()) other.tabIndex = -1;
    if (box) box.tabIndex = 0;
  }

  function zoom(row, side) {
    zoomed = row;
    draw();
    const drawing = drawings.find((one) => one.side === side);
    if (drawing) drawing.boxes.get(row).focus();
  }

  for (const { side, drawing, boxes } of drawings) {
    const rowOf = (target) => {
      const box = target.closest("[data-index]");
      return box && (box.dataset.index < 0 ? root : rows[box.dataset.index]);
    };
    const go = (row) => {
      const box = row && boxes.get(row);
      if (!box || box.hidden) return;
      rove(boxes, box);
      box.focus();
    };
    drawing.addEventListener("mouseover", (event) => {
      const row = rowOf(event.target);
      if (row) detail.textContent = describe(row);
    });
    drawing.addEventListener("focusin", (event) => {
      const row = rowOf(event.target);
      if (row) detail.textContent = describe(row);
    });
    drawing.addEventListener("click", (event) => {
      const row = rowOf(event.target);
      if (row) zoom(row === zoomed ? parentOf(row) ?? row : row, side);
    });
    drawing.addEventListener("keydown", (event) => {
      const row = rowOf(event.target);
      if (!row) return;
      const seen = (one) => !boxes.get(one).hidden;
      const around = row === zoomed ? [row] : parentOf(row).children.filter(seen);
      const at = around.indexOf(row);
      const steps = {
        ArrowDown: () => go(row.children.find(seen)),
        ArrowUp: () => row !== zoomed && go(parentOf(row)),
        ArrowRight: () => go(around[at + 1]),
        ArrowLeft: () => go(around[at - 1]),
        Enter: () => zoom(row, side),
        " ": () => zoom(row, side),
        Escape: () => zoom(parentOf(zoomed) ?? root, side),
      };
      if (!(event.key in steps)) return;
      event.preventDefault();
      steps[event.key]();
    });
  }
  draw();
})();
