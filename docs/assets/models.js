// The table of every model: filled from the data that stands in the page, sorted and filtered.
"use strict";

{
  const SHOWN = 100; // rows, until all are asked for
  const SCALES = { "": 1, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };
  const LIMIT = /^(macs|params)(<=?|>=?)(\d+\.?\d*)([kmgt]?)$/i;
  const exact = (count) => count.toLocaleString("en");
  const COLUMNS = [
    { title: "model", key: "model" },
    { title: "MACs", key: "macs", shown: exact },
    { title: "parameters", key: "params", shown: exact },
    { title: "s to trace", key: "trace_s", shown: (seconds) => seconds.toFixed(2) },
    { title: "MiB to trace", key: "trace_mib", shown: (mebibytes) => mebibytes.toFixed(1) },
  ];

  // a status may have commas, and is quoted then
  const cells = (line) =>
    [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map(([, cell]) =>
      cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell,
    );

  const models = (text) => {
    const [head, ...lines] = text.trim().split("\n");
    const keys = cells(head);
    return lines.map((line) => {
      const row = Object.fromEntries(cells(line).map((cell, i) => [keys[i], cell]));
      for (const { key, shown } of COLUMNS) if (shown) row[key] = Number(row[key]);
      return row;
    });
  };

  // one word of the filter, as a test of a row
  const test = (word) => {
    const limit = LIMIT.exec(word);
    if (!limit) return (row) => `${row.model} ${row.status}`.toLowerCase().includes(word);
    const key = limit[1].toLowerCase();
    const bound = Number(limit[3]) * SCALES[limit[4].toUpperCase()];
    return {
      "<": (row) => row[key] < bound,
      "<=": (row) => row[key] <= bound,
      ">": (row) => row[key] > bound,
      ">=": (row) => row[key] >= bound,
    }[limit[2]];
  };

  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  const place = document.querySelector(".models");
  const all = models(document.getElementById("models-data").textContent);
  let order = { key: "model", down: false };
  let limit = SHOWN;

  const filter = element("input", {
    type: "search",
    id: "models-filter",
    placeholder: "resnet macs<5G params<=30M",
    autocomplete: "off",
    spellcheck: false,
  });
  const count = element("p", { className: "models-count" });
  count.setAttribute("role", "status");
  const more = element("button", { type: "button", className: "md-button" });
  const body = element("tbody");
  const heads = COLUMNS.map(({ title, key }) => {
    const button = element("button", { type: "button" }, title);
    button.addEventListener("click", () => {
      // numbers begin with the largest, names with A
      const down = order.key === key ? !order.down : key !== "model";
      order = { key, down };
      show();
    });
    return element("th", { scope: "col" }, button);
  });

  const line = (row) =>
    element(
      "tr",
      {},
      ...COLUMNS.map(({ key, shown }) => {
        const cell = element("td", {}, shown ? shown(row[key]) : row[key]);
        if (key === "model" && row.status !== "counted")
          cell.append(element("small", {}, row.status));
        return cell;
      }),
    );

  const show = () => {
    const tests = filter.value.toLowerCase().split(/\s+/).filter(Boolean).map(test);
    const kept = all.filter((row) => tests.every((holds) => holds(row)));
    const { key: by, down } = order;
    kept.sort((a, b) => (down ? -1 : 1) * (Number(a[by] > b[by]) - Number(a[by] < b[by])));
    body.replaceChildren(...kept.slice(0, limit).map(line));
    COLUMNS.forEach(({ key }, i) => {
      if (key === by) heads[i].setAttribute("aria-sort", down ? "descending" : "ascending");
      else heads[i].removeAttribute("aria-sort");
    });
    count.textContent = `${exact(kept.length)} of ${exact(all.length)} models`;
    more.textContent = `Show all ${exact(kept.length)}`;
    more.hidden = kept.length <= limit;
  };

  filter.addEventListener("input", show);
  more.addEventListener("click", () => {
    limit = all.length;
    show();
    body.rows[SHOWN].cells[0].tabIndex = -1; // where reading goes on
    body.rows[SHOWN].cells[0].focus();
  });
  place.replaceChildren(
    element("label", { htmlFor: "models-filter" }, "Words of the name, and limits"),
    filter,
    count,
    element(
      "table",
      { className: "models-table" },
      element("thead", {}, element("tr", {}, ...heads)),
      body,
    ),
    more,
  );
  show();
}
