// The table: it sorts, filters, and folds by module. Rows are moved and hidden, never made.
"use strict";

document.documentElement.classList.add("js");

const DATA = JSON.parse(document.getElementById("data").textContent);

const Rows = (() => {
  const table = document.getElementById("rows");
  const body = table.tBodies[0];
  const status = document.getElementById("status");
  const [query, only, flat] = ["query", "only", "flat"].map((id) => document.getElementById(id));
  const buttons = [...table.tHead.querySelectorAll("button")];
  const [added, called] = DATA.table.adds;
  const adds = DATA.table.columns.findIndex(([key]) => key === added);

  // one record for each row, in the order of the file; the children of -1 are the outermost
  const rows = DATA.table.rows.map(([parent, module, hue, tags, values], index) => {
    const element = body.rows[index];
    const [name, kind] = element.cells;
    const words = `${values[0]} ${name.textContent} ${kind.textContent}`.toLowerCase();
    return { index, parent, module, hue, tags, values, element, words, children: [] };
  });
  const top = [];
  for (const row of rows) (row.parent < 0 ? top : rows[row.parent].children).push(row);
  const leaves = rows.filter((row) => !row.module);
  const tree = leaves.length < rows.length;
  const folded = new Set();
  let order = null; // {column, direction}, or null: as it ran

  const level = (row) => (row.parent < 0 ? 0 : 1 + level(rows[row.parent]));

  // numbers and lists of numbers by value, text by its characters, nothing always last
  function compare(a, b, direction) {
    const missing = (a === null || a === "") - (b === null || b === "");
    if (missing) return missing;
    if (Array.isArray(a) && Array.isArray(b)) {
      const at = a.findIndex((value, place) => value !== b[place]);
      return at < 0 ? 0 : direction * (a[at] - (b[at] ?? 0));
    }
    return a === b ? 0 : direction * (a < b ? -1 : 1);
  }

  function sorted(some) {
    if (!order) return some;
    const { column, direction } = order;
    return [...some].sort(
      (a, b) => compare(a.values[column], b.values[column], direction) || a.index - b.index
    );
  }

  const found = (row) =>
    row.tags.includes(only.value) &&
    query.value.toLowerCase().split(/\s+/).every((word) => row.words.includes(word));

  // Put the rows in order, and show what is neither filtered nor folded away.
  function show() {
    const wanted = new Set(leaves.filter(found));
    const filtered = wanted.size < leaves.length;
    const asList = !tree || flat.checked;
    const holds = (row) => (row.module ? row.children.some(holds) : wanted.has(row));
    const place = document.createDocumentFragment();
    const put = (row, visible) => {
      // a filter looks into folded modules
      const open = filtered || !folded.has(row.index);
      row.element.hidden = !(visible && holds(row) && !(asList && row.module));
      if (row.module) row.element.setAttribute("aria-expanded", String(open));
      place.append(row.element);
      if (!asList) for (const child of sorted(row.children)) put(child, visible && open);
    };
    if (asList) for (const row of [...sorted(leaves), ...rows.filter((one) => one.module)]) put(row, true);
    else for (const row of sorted(top)) put(row, true);
    body.append(place);
    table.classList.toggle("flat", asList);
    const sum = [...wanted].reduce((total, row) => total + (row.values[adds] ?? 0), 0);
    const exact = `${sum.toLocaleString("en-US")} ${called}`;
    status.textContent = filtered
      ? `showing ${wanted.size} of ${leaves.length} ${DATA.table.what}, ${exact} together`
      : `${leaves.length} ${DATA.table.what}, ${exact}`;
    const focusable = shown();
    if (tree && !focusable.some((row) => row.element.tabIndex === 0)) focusOn(focusable[0], false);
  }

  const shown = () => [...body.rows].filter((element) => !element.hidden).map(recordOf);
  const recordOf = (element) => rows[element.dataset.index];

  function focusOn(row, really = true) {
    if (!row) return;
    for (const other of body.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    row.element.tabIndex = 0;
    if (really) row.element.focus();
  }

  function fold(row, closed) {
    if (closed) folded.add(row.index);
    else folded.delete(row.index);
    show();
  }

  // Open as many levels as fit on a screen.
  function start() {
    folded.clear();
    const depth = Math.max(0, ...rows.map(level));
    const count = (most) => rows.filter((row) => level(row) <= most).length;
    let open = 0;
    while (open < depth && count(open + 1) <= 45) open += 1;
    for (const row of rows) if (row.module && level(row) >= open) folded.add(row.index);
  }

  function sortBy(column) {
    const first = DATA.table.columns[column][2] ? -1 : 1;
    if (!order || order.column !== column) order = { column, direction: first };
    else order = order.direction === first ? { column, direction: -first } : null;
    buttons.forEach((button, place) => {
      const mine = order && order.column === place;
      const word = mine ? (order.direction < 0 ? "descending" : "ascending") : "none";
      button.parentElement.setAttribute("aria-sort", word);
    });
    show();
  }

  function walk(event) {
    const element = event.target.closest("tr");
    if (!element || event.target !== element) return;
    const row = recordOf(element);
    const visible = shown();
    const at = visible.indexOf(row);
    const closed = folded.has(row.index);
    const steps = {
      ArrowDown: () => focusOn(visible[at + 1]),
      ArrowUp: () => focusOn(visible[at - 1]),
      Home: () => focusOn(visible[0]),
      End: () => focusOn(visible.at(-1)),
      ArrowRight: () => (row.module && closed ? fold(row, false) : row.module && focusOn(visible[at + 1])),
      ArrowLeft: () => (row.module && !closed ? fold(row, true) : focusOn(rows[row.parent])),
      Enter: () => row.module && fold(row, !closed),
      " ": () => row.module && fold(row, !closed),
    };
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    steps[event.key]();
    element.scrollIntoView({ block: "nearest" });
    if (document.activeElement === document.body) focusOn(row);
  }

  rows.forEach((row, index) => {
    row.element.dataset.index = index;
    if (!tree) return;
    row.element.tabIndex = -1;
    row.element.setAttribute("aria-level", level(row) + 1);
  });
  buttons.forEach((button, column) => button.addEventListener("click", () => sortBy(column)));
  query.addEventListener("input", show);
  only.addEventListener("change", show);
  document.getElementById("reset").addEventListener("click", () => {
    query.value = only.value = "";
    if (tree) flat.checked = false;
    if (order) buttons.forEach((button) => button.parentElement.setAttribute("aria-sort", "none"));
    order = null;
    start();
    show();
  });
  if (tree) {
    table.setAttribute("role", "treegrid");
    flat.addEventListener("change", show);
    document.getElementById("fold").addEventListener("click", () => {
      for (const row of rows) if (row.module) folded.add(row.index);
      show();
    });
    document.getElementById("unfold").addEventListener("click", () => {
      folded.clear();
      show();
    });
    body.addEventListener("keydown", walk);
    body.addEventListener("click", (event) => {
      const row = event.target.closest("tr") && recordOf(event.target.closest("tr"));
      if (!row) return;
      focusOn(row);
      if (row.module && event.target.closest("th")) fold(row, !folded.has(row.index));
    });
  }
  start();
  show();
  return { rows, top, level };
})();
