(() => {
  "use strict";
  // One stop for the tab key in each grid, and arrow keys inside; without this script each cell is a stop.
  document.querySelectorAll("table.grid").forEach((table) => {
    const cells = [...table.rows].map((row) => [...row.cells].filter((cell) => cell.hasAttribute("tabindex")));
    const all = cells.flat();
    if (!all.length) return;
    const stop = (chosen) => all.forEach((cell) => { cell.tabIndex = cell === chosen ? 0 : -1; });
    stop(all[0]);
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    table.addEventListener("focusin", (event) => { if (all.includes(event.target)) stop(event.target); });
    table.addEventListener("keydown", (event) => {
      const row = cells.findIndex((line) => line.includes(event.target));
      if (row < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
      const column = cells[row].indexOf(event.target);
      const [down, right] = steps[event.key] ?? [0, 0];
      const ends = { Home: cells[row][0], End: cells[row].at(-1) };
      const next = ends[event.key] ?? (steps[event.key] && cells[row + down]?.[column + right]);
      if (!next) return;
      event.preventDefault();
      next.focus();
    });
  });
})();
