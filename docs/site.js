// For keyboards and screen readers: tables that scroll can be focused; the search, and the buttons of each block of code,
// have a name. The theme adds what scrolls, and these buttons, when the page is loaded, so this comes after it.
document$.subscribe(() =>
  setTimeout(() => {
    document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
    for (const table of document.querySelectorAll(".md-typeset__scrollwrap")) table.tabIndex = 0;
    document.querySelectorAll(".md-code__nav").forEach((buttons, i) => buttons.setAttribute("aria-label", `Code ${i + 1}`));
  }),
);
