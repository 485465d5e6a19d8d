(() => {
  "use strict";
  // Sorting and filtering; without this script the matrix stands as it was written.
  const table = document.querySelector("table.matrix");
  if (!table) return;
  const across = table.dataset.rows === "methods";
  document.querySelectorAll(".hints").forEach((hint) => { hint.hidden = false; });
  const number = (cell, key) => (cell?.dataset?.[key] === undefined ? -Infinity : Number(cell.dataset[key]));

  // By a column: its rows. By a row: its columns. Values compare the methods at one task; the
  // tasks of one method are compared by its rank there.
  const sortRows = (column, key, turn) => table.querySelectorAll("tbody:not(.costs)").forEach((body) => {
    const rows = [...body.querySelectorAll("tr:not(.group)")];
    rows.sort((a, b) => turn * (number(b.cells[column], key) - number(a.cells[column], key)) || 0);
    body.append(...rows);
  });
  const sortColumns = (row, key, turn) => {
    const order = [...row.cells].slice(1).map((cell, place) => [number(cell, key), place + 1]);
    order.sort((a, b) => turn * (b[0] - a[0]) || a[1] - b[1]);
    [...table.rows].filter((one) => one.cells.length > 2).forEach((one) => {
      const cells = [...one.cells];
      one.append(...order.map(([, place]) => cells[place]));
    });
  };
  const plot = document.querySelector(".against img");
  const show = (row) => {
    if (!plot) return;
    plot.src = plot.src.replace(/cost-\d+\.svg/, `cost-${row.dataset.plot}.svg`);
    table.querySelectorAll(".shown").forEach((one) => one.classList.remove("shown"));
    row.classList.add("shown");
  };
  const button = (head, label) => {
    const made = document.createElement("button");
    made.className = "by";
    made.setAttribute("aria-pressed", "false");
    made.setAttribute("aria-label", label);
    made.textContent = "⇅";
    head.append(made);
    made.addEventListener("click", () => {
      table.querySelectorAll("[aria-pressed]").forEach((one) => one.setAttribute("aria-pressed", String(one === made)));
      const inHead = Boolean(head.closest("thead"));
      const key = inHead === across ? "v" : "r";
      const turn = key === "v" ? 1 : -1;
      if (inHead) sortRows(head.cellIndex, key, turn);
      else sortColumns(head.parentElement, key, turn);
      if (inHead) table.querySelectorAll(".again").forEach((one) => one.classList.remove("again"));
      const row = head.closest("[data-plot]");
      if (row) show(row);
    });
  };
  table.querySelectorAll("th.contender").forEach((head) => {
    button(head, `Sort by ${head.textContent.trim()}`);
    head.addEventListener("click", (event) => { if (!event.target.closest("button")) head.querySelector("button").click(); });
  });
  table.querySelectorAll("tr[data-plot] > th, thead th[data-suite]").forEach((head) => {
    button(head, `Sort by ${head.querySelector("a").textContent}`);
  });
  table.querySelectorAll("tbody.costs th[scope=row], thead th.cost").forEach((head) => {
    button(head, `Sort by ${head.textContent.trim()}`);
  });
  table.querySelectorAll("tr[data-plot]").forEach((row, place) => {
    if (place === 0 && plot) row.classList.add("shown");
    row.addEventListener("click", (event) => { if (!event.target.closest("a, button")) show(row); });
  });

  // Filters, each where there is more than one to choose from.
  const heads = [...table.querySelectorAll("th.contender")];
  const places = [...table.querySelectorAll("th[data-suite]")];
  const kinds = [
    ["suite", places, (one) => [one.dataset.suite]],
    ["pack", heads, (one) => [one.dataset.pack]],
    ["language model", heads, (one) => [one.dataset.llm]],
    ["answers", heads, (one) => one.dataset.can.split(" ").filter(Boolean)],
  ];
  const chosen = new Map();
  const keeps = (one, which) => kinds.every(([name, of, values]) =>
    of !== which || !chosen.get(name) || values(one).includes(chosen.get(name)));
  const hide = (head, hidden) => {
    if (head.closest("thead")) {
      [...table.rows].filter((row) => row.cells.length > 2).forEach((row) => { row.cells[head.cellIndex].hidden = hidden; });
    } else {
      head.parentElement.hidden = hidden;
    }
  };
  const apply = () => {
    heads.forEach((one) => hide(one, !keeps(one, heads)));
    places.forEach((one) => hide(one, !keeps(one, places)));
    table.querySelectorAll("tbody[data-suite]").forEach((body) => {
      body.hidden = Boolean(chosen.get("suite")) && body.dataset.suite !== chosen.get("suite");
    });
  };
  const bar = document.createElement("div");
  bar.className = "filters";
  kinds.forEach(([name, of, values]) => {
    const options = [...new Set(of.flatMap(values))].filter(Boolean).sort();
    if (options.length < 2) return;
    const label = document.createElement("label");
    const select = document.createElement("select");
    select.append(new Option("all", ""), ...options.map((one) => new Option(one.replaceAll("_", " "), one)));
    select.addEventListener("change", () => { chosen.set(name, select.value); apply(); });
    label.append(name, " ", select);
    bar.append(label);
  });
  if (bar.children.length) table.parentElement.before(bar);
})();
