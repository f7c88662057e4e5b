// For keyboards and screen readers: tables that scroll can be focused, and the search has a name. The theme puts tables
// into what scrolls when the page is loaded, so this comes after it.
document$.subscribe(() =>
  setTimeout(() => {
    document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
    for (const table of document.querySelectorAll(".md-typeset__scrollwrap")) table.tabIndex = 0;
  }),
);
