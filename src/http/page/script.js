// What forms and links cannot do: search while typing, and the keyboard. Pages come rendered from the server; nothing here makes markup.
"use strict";
(() => {
  const form = document.getElementById("search");
  const box = document.getElementById("q");
  const main = document.getElementById("main");
  const pause = 300; // Milliseconds after the last key: a person's pause, and few enough questions for the limits.
  let timer = 0;
  let asked = null;

  const address = () => {
    const given = new FormData(form);
    const wanted = new URLSearchParams();
    for (const [name, value] of given) if (value) wanted.append(name, value);
    const query = wanted.toString();
    return query ? "/?" + query : "/";
  };

  const show = async (where, remember) => {
    if (asked) asked.abort();
    asked = new AbortController();
    main.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(where, { signal: asked.signal, headers: { accept: "text/html" } });
      if (!(answer.headers.get("content-type") || "").startsWith("text/html")) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("main");
      if (!fresh) return;
      main.replaceChildren(...fresh.childNodes);
      document.title = page.title;
      if (remember) history.replaceState(null, "", where);
    } catch (error) {
      if (error.name !== "AbortError") location.assign(where);
    } finally {
      main.removeAttribute("aria-busy");
    }
  };

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => show(address(), true), pause);
  };

  box.addEventListener("input", soon);
  for (const field of form.querySelectorAll("select, input[type=date]")) field.addEventListener("change", soon);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    const where = address();
    history.pushState(null, "", where);
    show(where, false);
  });
  addEventListener("popstate", () => location.reload());

  // More results are added below those that are there.
  main.addEventListener("click", async (event) => {
    const link = event.target.closest(".more a[rel=next]");
    const list = main.querySelector(".hits");
    if (!link || !list || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const answer = await fetch(link.href, { headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const more = page.querySelector(".hits");
    if (!answer.ok || !more) return location.assign(link.href);
    const first = more.querySelector("a.open");
    list.append(...more.childNodes);
    const next = page.querySelector(".more a[rel=next]");
    if (next) link.href = next.getAttribute("href");
    else link.closest(".more").remove();
    if (first) first.focus({ preventScroll: true });
  });

  const step = (by) => {
    const stops = [...main.querySelectorAll(main.querySelector(".reader") ? ".text mark" : "a.open")];
    if (!stops.length) return;
    const now = stops.indexOf(document.activeElement);
    const next = stops[Math.min(Math.max(now + by, 0), stops.length - 1)];
    if (next.tagName === "MARK") next.tabIndex = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "center" });
  };

  // Brings the hit into view, and leaves the title whole: what shows both from the top is not scrolled.
  const reveal = (hit) => {
    if (hit.getBoundingClientRect().bottom + scrollY < innerHeight) return scrollTo(0, 0);
    hit.scrollIntoView({ block: "center" });
    const bar = document.querySelector(".top").getBoundingClientRect().bottom;
    const title = main.querySelector("h1").getBoundingClientRect();
    if (title.top < bar && title.bottom > bar) scrollBy(0, title.bottom - bar);
  };

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "Escape") {
      const back = document.getElementById("back");
      if (typing === box) event.preventDefault(); // Chrome would empty it and leave the results.
      if (typing) typing.blur();
      else if (back) back.click();
    } else if (!typing && event.key === "/") {
      event.preventDefault();
      box.focus();
      box.select();
    } else if (!typing && event.key === "j") step(1);
    else if (!typing && event.key === "k") step(-1);
    else if (typing === box && event.key === "ArrowDown") { event.preventDefault(); step(1); }
  });

  const hit = document.querySelector("#hit mark") || document.getElementById("hit");
  if (hit) addEventListener("load", () => reveal(hit)); // The browser goes to #hit until then.
  else if (!main.querySelector(".reader") && matchMedia("(pointer: fine)").matches) box.focus();
})();
