// What the theme leaves open for those who use a keyboard or a screen reader.
addEventListener("load", () => {
  document.querySelector(".md-path")?.setAttribute("aria-label", "Where this page stands");
  for (const wrap of document.querySelectorAll(".md-typeset__scrollwrap")) {
    wrap.tabIndex = 0;
    wrap.setAttribute("role", "group");
    wrap.setAttribute("aria-label", "Table");
  }
  document.querySelectorAll(".md-code__nav").forEach((buttons, number) => {
    buttons.setAttribute("aria-label", `Code block ${number + 1}`);
  });
  for (const block of document.querySelectorAll("pre > code")) block.tabIndex = 0;
});
