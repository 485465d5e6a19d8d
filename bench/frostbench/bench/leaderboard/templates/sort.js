(() => {
  "use strict";
  // A switch for each task with several protocols; without this script all of them are shown.
  const setSwitch = (host, groups, label) => {
    const names = [...new Set(groups.map((group) => group.dataset.protocol))];
    if (names.length < 2) return;
    const bar = document.createElement("div");
    bar.className = "switch";
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", label);
    const choose = (chosen) => {
      groups.forEach((group) => { group.hidden = chosen !== "" && group.dataset.protocol !== chosen; });
      bar.querySelectorAll("button").forEach((button) => {
        button.setAttribute("aria-pressed", String(button.value === chosen));
      });
    };
    ["", ...names].forEach((name) => {
      const button = document.createElement("button");
      button.value = name;
      button.textContent = name === "" ? "all" : name.replaceAll("_", " ");
      button.addEventListener("click", () => choose(name));
      bar.append(button);
    });
    host.before(bar);
    choose(names.length > 3 ? names[0] : "");
  };
  document.querySelectorAll(".task").forEach((task) => {
    task.querySelectorAll(".box").forEach((box) => {
      setSwitch(box, [...box.querySelectorAll("tbody[data-protocol]")], "Protocol");
    });
  });
  // The controls of a table are folded into one line; without this script all of them are shown.
  document.querySelectorAll(".results tbody").forEach((body) => {
    const controls = [...body.querySelectorAll("tr.control")];
    if (!controls.length || body.closest(".series")) return;
    const row = body.insertRow(body.querySelectorAll("tr.method, tr.group").length);
    row.className = "fold";
    const cell = row.insertCell();
    cell.colSpan = 99;
    const button = document.createElement("button");
    button.setAttribute("aria-expanded", "false");
    const show = (open) => {
      controls.forEach((control) => { control.hidden = !open; });
      button.setAttribute("aria-expanded", String(open));
      button.textContent = `${open ? "▾" : "▸"} ${controls.length} control${controls.length > 1 ? "s" : ""}`;
    };
    button.addEventListener("click", () => show(button.getAttribute("aria-expanded") !== "true"));
    cell.append(button);
    show(false);
  });

  // Sorting by a column: methods among methods and controls among controls, within a protocol.
  document.querySelectorAll(".results").forEach((table) => {
    const heads = [...table.querySelectorAll("thead tr:last-child > *")];
    heads.forEach((head, column) => {
      if (head.tagName !== "TH") return;
      const button = document.createElement("button");
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const high = head.dataset.better === "high";
        const now = head.getAttribute("aria-sort");
        const falling = now ? now === "ascending" : high;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", falling ? "descending" : "ascending");
        const key = (row) => {
          const cell = row.children[column];
          return "v" in cell.dataset ? (cell.dataset.v === "" ? NaN : Number(cell.dataset.v)) : cell.textContent.trim();
        };
        const compare = (a, b) => {
          const [x, y] = [key(a), key(b)];
          if (typeof x === "string") return (falling ? -1 : 1) * x.localeCompare(y);
          if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
          return (falling ? -1 : 1) * (x - y);
        };
        table.querySelectorAll("tbody").forEach((body) => {
          ["method", "fold", "control"].forEach((kind) => {
            const rows = [...body.querySelectorAll(`tr.${kind}`)];
            body.append(...(kind === "fold" ? rows : rows.sort(compare)));
          });
        });
      });
    });
  });
})();
