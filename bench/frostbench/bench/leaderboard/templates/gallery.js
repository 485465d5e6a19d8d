(() => {
  "use strict";
  // Without this script everything is shown, and an image's link leads to its file.
  const shelves = [...document.querySelectorAll(".shelf")];
  if (!shelves.length) return;
  const bar = document.createElement("div");
  bar.className = "switch";
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", "Gallery");
  const toggle = (label, act) => {
    const button = document.createElement("button");
    button.textContent = label;
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      act(on);
    });
    bar.append(button);
  };
  const gallery = document.querySelector("#gallery");
  if (gallery.querySelector(".tile.control, .answers .control")) {
    gallery.classList.add("plain");
    toggle("controls", (on) => gallery.classList.toggle("plain", !on));
  }
  // By how far the methods' scores of a sample lie apart.
  toggle("by disagreement", (on) => shelves.forEach((shelf) => {
    const strips = [...shelf.querySelectorAll("[data-apart]")];
    const key = on ? "apart" : "place";
    strips.forEach((strip, place) => { strip.dataset.place ??= String(-place); });
    strips.sort((a, b) => Number(b.dataset[key]) - Number(a.dataset[key]));
    strips.forEach((strip) => strip.parentElement.append(strip));
  }));
  shelves[0].before(bar);

  const dialog = document.querySelector("#zoom");
  const pair = dialog.querySelector(".pair");
  const beside = dialog.querySelector(".beside");
  const [select, slider] = [beside.querySelector("select"), beside.querySelector("input")];
  const shown = (link) => {
    const drawn = link.querySelector("svg");
    const made = drawn ? drawn.cloneNode(true) : new Image();
    if (!drawn) {
      made.src = link.getAttribute("href");
      made.alt = link.querySelector("img").alt;
    }
    return made;
  };
  const cut = () => {
    pair.style.setProperty("--cut", `${slider.value}%`);
  };
  slider.addEventListener("input", cut);
  gallery.querySelectorAll("a.zoom").forEach((link) => {
    link.addEventListener("click", (event) => {
      if (!dialog.showModal || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const others = [...(link.closest(".tiles")?.querySelectorAll("a.zoom") ?? [])].filter((one) => one !== link);
      const name = (one) => one.closest("figure").querySelector("figcaption").firstChild.textContent.trim();
      const pick = () => {
        const other = others[Number(select.value)];
        pair.replaceChildren(shown(link));
        if (other) {
          const over = shown(other);
          over.classList.add("over");
          pair.append(over);
        }
        slider.hidden = !other;
        cut();
      };
      beside.hidden = !others.length;
      select.replaceChildren(new Option("nothing", "-1"), ...others.map((one, place) => new Option(name(one), String(place))));
      select.onchange = pick;
      pick();
      dialog.querySelector("figcaption").textContent = link.dataset.caption;
      dialog.showModal();
    });
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
})();
